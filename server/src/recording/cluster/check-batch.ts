import type { SharedRow } from '../../ledger/shared-ledger.ts';
import { ENTRY_VERSION, type Entry } from '../../stock/entry.ts';
import type { JournalBatch } from '../../stock/stock-engine.ts';
import { rowOf } from '../batch.ts';
import { EntryRejected, EntryVersionUnknown } from '../entry-checker.ts';
import type { OwnedPartition } from './owned-partition.ts';

export interface Checked {
  entries: Entry[];
  rows: SharedRow[];
  /** Why the entry after these does not go on; null: all are right. */
  failure: EntryRejected | EntryVersionUnknown | null;
}

/** Checks entries in order, up to the first that is wrong, and moves the partition's position past those that are right. */
export function checkBatch(owned: OwnedPartition, batch: JournalBatch): Checked {
  const checked: Checked = { entries: [], rows: [], failure: null };
  for (const { entry, mark } of batch.entries) {
    try {
      owned.checker.check(entry, owned.position);
    } catch (error) {
      if (!(error instanceof EntryRejected || error instanceof EntryVersionUnknown)) throw error;
      checked.failure = error;
      break;
    }
    owned.checked(entry, mark);
    checked.entries.push(entry);
    checked.rows.push({ ...rowOf(entry), mark });
  }
  return checked;
}

/** What the checker can look at: an entry of another version has a shape of its own. */
export function readableEntries({ entries }: JournalBatch): Entry[] {
  const unknown = entries.findIndex(({ entry }) => entry.version !== ENTRY_VERSION);
  return entries.slice(0, unknown < 0 ? undefined : unknown).map(({ entry }) => entry);
}
