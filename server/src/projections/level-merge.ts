import type { Entry } from '../stock/entry.ts';
import { foldLevelChange, type LevelChange, levelChangeOf, sameQuantities, showQuantities } from './levels.ts';
import { type ChangedLevel, ProjectionMismatch } from './projection.ts';

/** The changes of each level within a batch, merged into one: its state before the first of them and after the last. */
export class LevelMerge<Key> {
  readonly changes = new Map<Key, LevelChange>();

  /** @throws ProjectionMismatch when the change does not follow the one before it */
  add(key: Key, entry: Entry, changed: ChangedLevel): void {
    const change = levelChangeOf(entry, changed);
    if (change.after.onHand < 0 || change.after.reserved < 0)
      throw levelMismatch(change, 'it drives the level below zero');
    const earlier = this.changes.get(key);
    if (earlier === undefined) this.changes.set(key, change);
    else if (!foldLevelChange(earlier, change)) {
      throw levelMismatch(change, `the entries before it left ${showQuantities(earlier.after)}`);
    }
  }
}

/** Whether the level had never been written before. */
export function isFresh({ before }: LevelChange): boolean {
  return before.version === 0 && sameQuantities(before, { onHand: 0, reserved: 0, version: 0 });
}

function levelMismatch({ first, before }: LevelChange, found: string): ProjectionMismatch {
  const { storeId, productId } = before;
  return new ProjectionMismatch(first, `level ${storeId}/${productId} was read as ${showQuantities(before)}; ${found}`);
}

/** The level's row is not as the first of its merged changes found it; undefined: there is none. */
export function rowMismatch(
  change: LevelChange,
  row: Parameters<typeof showQuantities>[0] | undefined,
): ProjectionMismatch {
  return levelMismatch(change, `the projection has ${row === undefined ? 'no such level' : showQuantities(row)}`);
}
