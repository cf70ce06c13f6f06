/**
 * Outcomes are values. Those of `STICKY_REFUSALS`, and every success, are recorded in an entry and answer the
 * same operation id for ever; the others leave no trace and may be tried again under the same id.
 */
export interface InsufficientLine {
  storeId: string;
  productId: string;
  requested: number;
  /** What could be taken at the location, and over the whole HQ. */
  available: number;
  hqAvailable: number;
}

export interface ExceedingLine {
  storeId: string;
  productId: string;
  requested: number;
  held: number;
}

export interface CountedLine {
  storeId: string;
  productId: string;
  counted: number;
  difference: number;
}

export type Success =
  | { status: 'done' }
  | { status: 'counted'; countedAt: number; lines: CountedLine[] }
  | { status: 'reserved' }
  | { status: 'confirmed'; late: boolean }
  | { status: 'released' }
  | { status: 'extended' }
  | { status: 'expired' };

export type StickyRefusal =
  | { status: 'insufficient'; lines: InsufficientLine[] }
  | { status: 'reservation-confirmed' }
  | { status: 'reservation-released' }
  | { status: 'reservation-expired' }
  | { status: 'quantity-exceeds'; lines: ExceedingLine[] }
  | { status: 'count-superseded'; storeId: string; productId: string; countedAt: number }
  | { status: 'level-limit'; storeId: string; productId: string };

export type PassingRefusal =
  | { status: 'unknown-store'; storeId: string }
  | { status: 'unknown-product'; productId: string }
  | { status: 'unknown-reservation' }
  | { status: 'stale-version'; version: number }
  /** The level was counted since the difference was computed: compute it again. */
  | { status: 'stale-count' };

export type Outcome = Success | StickyRefusal | PassingRefusal;

const PASSING: ReadonlySet<Outcome['status']> = new Set([
  'unknown-store',
  'unknown-product',
  'unknown-reservation',
  'stale-version',
  'stale-count',
] satisfies PassingRefusal['status'][]);

const SUCCESS: ReadonlySet<Outcome['status']> = new Set([
  'done',
  'counted',
  'reserved',
  'confirmed',
  'released',
  'extended',
  'expired',
] satisfies Success['status'][]);

export function isPassing(outcome: Outcome): outcome is PassingRefusal {
  return PASSING.has(outcome.status);
}

export function isSuccess(outcome: Outcome): outcome is Success {
  return SUCCESS.has(outcome.status);
}
