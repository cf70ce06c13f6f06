/**
 * Movements: the immutable history of each level, one row per line, in the order of the level. A row holds what
 * sums and times are asked of; who, why and under which reference are read from the entry, which no hand can change
 * without breaking the chain. Counts are also kept apart, for a later look at an earlier instant must know them.
 */
import {
  businessReferenceOf,
  changeReasonOf,
  isCorrection,
  referenceIdOf,
  reservationIdOf,
} from '../stock/change-reason.ts';
import { changesOf, type Entry } from '../stock/entry.ts';
import type { MovementRow } from './history-reads.ts';
import type { ChangedLevel } from './projection.ts';

export const MOVEMENTS_VERSION = 1;

/** `mov_<partition>_<seq>_<n>`, n being the line's place in its entry. */
function movementId(entry: Pick<Entry, 'partition' | 'seq'>, line: number): string {
  return `mov_${entry.partition}_${entry.seq}_${line}`;
}

/** The movements of an entry as they are shown, one per line and in their order. */
export function movementsOf(entry: Entry): MovementRow[] {
  const { command, hqId, actor, at } = entry;
  const reason = 'reason' in command ? (command.reason ?? null) : null;
  const correction = isCorrection(entry);
  return changesOf(entry).map(({ line, after }, index) => ({
    movementId: movementId(entry, index),
    hqId,
    storeId: after.storeId,
    productId: after.productId,
    type: command.type,
    changeReason: changeReasonOf(entry, line),
    onHandChange: line.onHandChange,
    reservedChange: line.reservedChange,
    onHand: after.onHand,
    reserved: after.reserved,
    referenceId: referenceIdOf(entry, line),
    reservationId: reservationIdOf(entry, line),
    reason,
    actor,
    at,
    correction,
  }));
}

/**
 * References under which the lines of an entry are found, its operation id excepted: the ledger finds that one by
 * its own index, and most entries have no other.
 */
export function referencesOf(entry: Entry, changes: readonly ChangedLevel[]): string[] {
  if (changes.length === 0) return [];
  const business = businessReferenceOf(entry);
  if (business !== null) return [business];
  if (entry.operationId !== null) return [];
  const ids = changes.map(({ line }) => reservationIdOf(entry, line)).filter((id) => id !== null);
  return [...new Set(ids)];
}

/** A count of a level: when, and what it changed. */
export interface CountedChange {
  countedAt: number;
  difference: number;
}

export function countOf({ outcome }: Entry, { line }: ChangedLevel): CountedChange | null {
  return outcome.status === 'counted' ? { countedAt: outcome.countedAt, difference: line.onHandChange } : null;
}
