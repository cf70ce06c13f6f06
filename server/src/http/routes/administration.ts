/** What the routes of administration share. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import Type, { type TSchema } from 'typebox';
import { HQ_POOL } from '../../stock/limits.ts';
import { Problem, type ProblemCode } from '../problems.ts';

export type RouteScope = Parameters<FastifyPluginCallbackTypebox>[0];

export const COMMAND_CODES = [
  'HQ_REQUIRED',
  'OPERATION_ID_REQUIRED',
  'UNKNOWN_HQ',
  'UNKNOWN_STORE',
  'UNKNOWN_PRODUCT',
] as const satisfies ProblemCode[];

export const ADMINISTRATION = '/api/v1/admin/inventory';
export const ADMINISTRATION_TAGS = ['Administration of stock'];

export function completed<T extends string>(idName: T, items: TSchema): TSchema {
  return Type.Object({ [idName]: Type.String(), status: Type.Literal('COMPLETED'), items });
}

export function reservedStoreId(detail: string): Problem {
  return new Problem('RESERVED_STORE_ID', `${detail} \`${HQ_POOL}\` is the HQ pool.`);
}

/** @throws Problem when neither the request nor the token names a store. */
export function namedStore(storeId: string | null | undefined): string {
  if (storeId === undefined || storeId === null) throw new Problem('STORE_REQUIRED', 'Name the store: storeId.');
  return storeId;
}
