/** What the streams of events have in common, however they are sent. */
import Type from 'typebox';
import type { Caller } from '../access/caller.ts';
import type { EventFilter } from '../events/event-feed.ts';
import { Problem } from './problems.ts';
import { hqField, Id } from './schemas.ts';
import { requireHq, requireRight, storeFilter } from './scope.ts';

const STREAMS_MAX = 1_000;
/** Timers hold no more. */
const TIMER_MS_MAX = 2_147_483_647;

export const filterFields = {
  ...hqField,
  storeId: Type.Optional(Id),
  productId: Type.Optional(Id),
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
};

export interface FilterQuery {
  hqId?: string;
  storeId?: string;
  productId?: string;
  type?: string;
}

/** A token that sees every HQ may follow them all. */
export function filterOf(caller: Caller, query: FilterQuery): EventFilter {
  requireRight(caller, 'read');
  const hqId = query.hqId === undefined && caller.hqId === null ? null : requireHq(caller, 'read', query.hqId);
  const storeId = storeFilter(caller, query.storeId);
  return {
    hqId,
    ...(storeId === undefined ? {} : { storeId }),
    ...(query.productId === undefined ? {} : { productId: query.productId }),
    ...(query.type === undefined ? {} : { type: query.type }),
  };
}

/** A stream ends with the token that it was opened with. */
export function msUntilExpiry(caller: Caller, now: number): number {
  return Math.min(caller.expiresAt - now, TIMER_MS_MAX);
}

/** The streams of this process: bounded, and ended together. */
export class EventStreams {
  readonly #open = new Set<AbortController>();

  /** @throws Problem 503 */
  begin(): AbortController {
    if (this.#open.size >= STREAMS_MAX) throw new Problem('OVERLOADED', 'Too many event streams are open.');
    const ending = new AbortController();
    this.#open.add(ending);
    return ending;
  }

  end(ending: AbortController): void {
    ending.abort();
    this.#open.delete(ending);
  }

  endAll(): void {
    for (const ending of this.#open) ending.abort();
  }
}
