/**
 * Reservations with their lines, open ones and closed ones apart: what is open is few and changes, so it stays in
 * memory's reach and fills an engine in one scan; what is closed is many and rests. A hold is one row, its lines
 * within it in the form of `entry-codec.ts`: two tables of rows cost twice as much and nobody asks for a line alone.
 */
import { type Entry, type Hold, isOpen } from '../stock/entry.ts';
import { reservationIdOfOrder } from '../stock/identifiers.ts';

export const RESERVATIONS_VERSION = 1;

/** A hold as an entry found it (null: it is new) and as it left it. */
export interface HoldChange {
  before: Hold | null;
  after: Hold;
}

export function holdChangesOf({ command, read, holds }: Entry): HoldChange[] {
  if (holds.length === 0) return [];
  const fresh = command.type === 'reserve';
  return holds.map((after) => ({
    before: fresh ? null : (read.holds.find((hold) => hold.reservationId === after.reservationId) ?? null),
    after,
  }));
}

/**
 * The reservation that an entry sold for an order, unless the order's event had made it. A sale is found by its order
 * as the reference of its movements, so that looking it up costs no table of its own.
 */
export function soldForOrder({ hqId, holds }: Entry, orderId: string): string | null {
  const made = reservationIdOfOrder(hqId, orderId);
  return holds.find((hold) => hold.orderId === orderId && hold.reservationId !== made)?.reservationId ?? null;
}

export function wasOpen({ before }: HoldChange): boolean {
  return before !== null && isOpen(before);
}

const KEY_DIGITS = 12;

/**
 * The first 48 random bits of a reservation's id, as an integer: an index over them is a third of one over the whole
 * ids. Two ids may share it, so whoever finds a row by it compares the id itself.
 */
export function reservationKey(reservationId: string): number {
  const start = reservationId.lastIndexOf('_') + 1;
  const key = Number.parseInt(reservationId.slice(start, start + KEY_DIGITS), 16);
  return Number.isSafeInteger(key) ? key : 0;
}
