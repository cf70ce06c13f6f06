/**
 * Levels: one row per level that was ever written, as it is now. The level's own settings and its last count are
 * columns of it; effective settings are worked out when it is read (`settings.ts`), for a product's default may
 * apply to a million rows.
 */
import type { CountMark, Settings } from '../stock/commands.ts';
import type { Entry, LevelRead } from '../stock/entry.ts';
import type { ChangedLevel } from './projection.ts';

export const LEVELS_VERSION = 1;

/** Several changes of one level, merged: its state before the first of them and after the last. */
export interface LevelChange {
  first: Entry;
  before: LevelRead;
  after: LevelRead;
  at: number;
  seq: number;
  /** What the level has of its own from now on; null: as before. */
  own: Settings | null;
  lastCount: CountMark | null;
}

export function levelChangeOf(entry: Entry, { before, after }: ChangedLevel): LevelChange {
  const { command, outcome, seq } = entry;
  return {
    first: entry,
    before,
    after,
    at: entry.at,
    seq,
    own: command.type === 'configure-level' ? command.settings : null,
    lastCount: outcome.status === 'counted' ? { countedAt: outcome.countedAt, seq } : null,
  };
}

/** Folds a later change into an earlier one of the same level; false: the later one does not follow it. */
export function foldLevelChange(into: LevelChange, later: LevelChange): boolean {
  if (!sameQuantities(into.after, later.before)) return false;
  into.after = later.after;
  into.at = later.at;
  into.seq = later.seq;
  into.own = later.own ?? into.own;
  into.lastCount = later.lastCount ?? into.lastCount;
  return true;
}

type Quantities = Pick<LevelRead, 'onHand' | 'reserved' | 'version'>;

export function sameQuantities(one: Quantities, other: Quantities): boolean {
  return one.onHand === other.onHand && one.reserved === other.reserved && one.version === other.version;
}

export function showQuantities({ onHand, reserved, version }: Quantities): string {
  return `on hand ${onHand}, reserved ${reserved}, version ${version}`;
}
