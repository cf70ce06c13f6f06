/**
 * Query strings hold text alone. Where a schema asks for a number or a boolean, digits and `true`/`false` are read
 * as such before it is checked; anything else stays text and fails.
 */
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { Problem } from './problems.ts';
import { PAGE_LIMIT_DEFAULT } from './schemas.ts';

const DIGITS = /^\d{1,9}$/;

type Query = Record<string, unknown>;

export function readNumbersAndBooleans(
  request: FastifyRequest,
  _reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  const query = request.query as Query;
  const { limit, lowStock } = query;
  if (typeof limit === 'string' && DIGITS.test(limit)) query.limit = Number(limit);
  if (lowStock === 'true' || lowStock === 'false') query.lowStock = lowStock === 'true';
  done();
}

/** `?productId=A` means a list of one. */
export function listOfProducts(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const query = request.query as Query;
  if (typeof query.productId === 'string') query.productId = [query.productId];
  done();
}

export function pageOf(query: { cursor?: string; limit?: number }): { cursor: string | null; limit: number } {
  return { cursor: query.cursor ?? null, limit: query.limit ?? PAGE_LIMIT_DEFAULT };
}

/** @throws Problem for a day that does not exist. */
export function instantOf(name: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Problem('VALIDATION_FAILED', `${name} is no instant: ${text}`);
  return ms;
}

/** The parts of a time range that are given, as epoch milliseconds. */
export function rangeOf(query: { from?: string; to?: string }): { from?: number; to?: number } {
  return {
    ...(query.from === undefined ? {} : { from: instantOf('from', query.from) }),
    ...(query.to === undefined ? {} : { to: instantOf('to', query.to) }),
  };
}
