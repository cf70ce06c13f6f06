/**
 * What a caller may do, and where. Foreign HQs and stores are as unknown as those that never were, so that nobody
 * learns of them (404); what a role lacks is said (403).
 */
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../access/caller.ts';
import { mayDo, type Right } from '../access/roles.ts';
import { Problem } from './problems.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read; only open routes have none. */
    caller: Caller | null;
  }
}

export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error(`the route ${request.url} does not ask for a token`);
  return request.caller;
}

/** @throws Problem 403 */
export function requireRight(caller: Caller, right: Right): void {
  if (!mayDo(caller.role, right)) {
    throw new Problem('FORBIDDEN', `The role ${caller.role} does not have the right "${right}".`);
  }
  if (caller.role === 'pos' && caller.storeId === null) {
    throw new Problem('FORBIDDEN', 'A token of the role pos must name a store.');
  }
}

/**
 * The HQ that a request is about. In the order of the contract: none named (400), the role (403), a foreign one (404).
 * @throws Problem
 */
export function requireHq(caller: Caller, right: Right, named: string | undefined): string {
  if (caller.hqId === null && named === undefined) {
    throw new Problem('HQ_REQUIRED', 'This token sees every HQ: name one with hqId.');
  }
  requireRight(caller, right);
  if (caller.hqId === null) return named as string;
  if (named !== undefined && named !== caller.hqId) throw new Problem('UNKNOWN_HQ', `There is no HQ ${named}.`);
  return caller.hqId;
}

/** @throws Problem 404 when the token is bound to another store. */
export function requireStore(caller: Caller, storeId: string): void {
  if (caller.storeId !== null && caller.storeId !== storeId) throw unknownStore(storeId);
}

/** @throws Problem 403 when the token is bound to one store: what is asked for concerns the whole HQ. */
export function requireWholeHq(caller: Caller): void {
  if (caller.storeId !== null) {
    throw new Problem('FORBIDDEN', `This token is bound to the store ${caller.storeId}; this concerns the whole HQ.`);
  }
}

/** The store of a filter: a token that is bound to one sees only that. */
export function storeFilter(caller: Caller, named: string | undefined): string | undefined {
  if (named !== undefined) requireStore(caller, named);
  return named ?? caller.storeId ?? undefined;
}

export function unknownStore(storeId: string): Problem {
  return new Problem('UNKNOWN_STORE', `There is no store ${storeId}.`, { storeId });
}

export function unknownProduct(productId: string): Problem {
  return new Problem('UNKNOWN_PRODUCT', `There is no product ${productId}.`, { productId });
}
