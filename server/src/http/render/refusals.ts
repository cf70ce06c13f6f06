/** Refusals of commands → errors. Pure: that of a recorded refusal follows from its entry alone. */
import type { Entry } from '../../stock/entry.ts';
import { isSuccess, type Outcome } from '../../stock/outcome.ts';
import { type Answer, problemAnswer } from '../answer.ts';
import type { ProblemCode } from '../problems.ts';

interface Refusal {
  code: ProblemCode;
  detail: string;
  data?: Record<string, unknown>;
}

export function entryInstance(entry: Pick<Entry, 'partition' | 'seq'>): string {
  return `urn:holdfast:entry:${entry.partition}:${entry.seq}`;
}

export function requestInstance(requestId: string): string {
  return `urn:holdfast:request:${requestId}`;
}

/** Null: the outcome is a success. */
export function refusalAnswer(outcome: Outcome, instance: string): Answer | null {
  const refusal = refusalOf(outcome);
  return refusal === null ? null : problemAnswer(refusal.code, { ...refusal, instance });
}

function refusalOf(outcome: Outcome): Refusal | null {
  if (isSuccess(outcome)) return null;
  switch (outcome.status) {
    case 'unknown-store':
    case 'unknown-product':
    case 'unknown-reservation':
      return unknown(outcome);
    case 'insufficient': {
      const lines = outcome.lines.map(({ productId, storeId, requested, available, hqAvailable }) => ({
        productId,
        storeId,
        requested,
        available,
        hqAvailable,
      }));
      return {
        code: 'INSUFFICIENT_STOCK',
        detail: 'Nothing was changed: some lines ask for more than there is.',
        data: { lines },
      };
    }
    case 'reservation-confirmed':
      return { code: 'RESERVATION_CONFIRMED', detail: 'The reservation is confirmed, and not as this request asks.' };
    case 'reservation-released':
      return { code: 'RESERVATION_RELEASED', detail: 'The reservation was released; make a new one.' };
    case 'reservation-expired':
      return { code: 'RESERVATION_EXPIRED', detail: 'The time of the reservation is over and its units are gone.' };
    case 'quantity-exceeds': {
      const lines = outcome.lines.map(({ productId, storeId, requested, held }) => ({
        productId,
        storeId,
        requested,
        held,
      }));
      return { code: 'QUANTITY_EXCEEDS_RESERVATION', detail: 'Some lines ask for more than is held.', data: { lines } };
    }
    case 'count-superseded': {
      const { productId, storeId, countedAt } = outcome;
      const data = { productId, storeId, countedAt: new Date(countedAt).toISOString() };
      return { code: 'COUNT_SUPERSEDED', detail: 'A count that was taken later is booked already.', data };
    }
    case 'level-limit': {
      const { productId, storeId } = outcome;
      return { code: 'LEVEL_LIMIT', detail: 'The level would pass what can be counted.', data: { productId, storeId } };
    }
    case 'stale-version':
      return {
        code: 'VERSION_MISMATCH',
        detail: `The level is at version ${outcome.version}, which If-Match does not name.`,
        data: { version: outcome.version },
      };
    case 'stale-count':
      return { code: 'COUNT_CONTENDED', detail: 'Other counts of the same level came in between each time.' };
  }
}

type Unknown = Extract<Outcome, { status: `unknown-${string}` }>;

function unknown(outcome: Unknown): Refusal {
  switch (outcome.status) {
    case 'unknown-store':
      return {
        code: 'UNKNOWN_STORE',
        detail: `There is no store ${outcome.storeId}.`,
        data: { storeId: outcome.storeId },
      };
    case 'unknown-product': {
      const { productId } = outcome;
      return { code: 'UNKNOWN_PRODUCT', detail: `There is no product ${productId}.`, data: { productId } };
    }
    case 'unknown-reservation':
      return { code: 'UNKNOWN_RESERVATION', detail: 'There is no such reservation.' };
  }
}
