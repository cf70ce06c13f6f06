/** What every recorder does with a batch of decided entries, whoever decided them. */
import type { EntryRow } from '../ledger/ledger.ts';
import type { Entry } from '../stock/entry.ts';
import { encodeEntry } from '../stock/entry-codec.ts';

/** Entries in one transaction; latency and memory stay bounded under a backlog. */
export const BATCH_ENTRIES_MAX = 1_024;
/** After this long without an answer of the ledger callers get 504, and may ask again under the same id. */
export const ANSWER_MS_MAX = 10_000;
/** Rejected entries within `POISON_MS` after which the engine stays halted for an operator. */
export const POISON_REBUILDS_MAX = 1;
export const POISON_MS = 600_000;

export function rowOf(entry: Entry): EntryRow {
  return {
    seq: entry.seq,
    at: entry.at,
    hqId: entry.hqId,
    operationId: entry.operationId,
    fingerprint: entry.fingerprint,
    duplicateOf: entry.duplicateOf,
    type: entry.command.type,
    body: encodeEntry(entry),
  };
}

/** The entry keeps its place, for the chain has no gaps, but not the id: that is the first one's. */
export function markDuplicate(
  batches: readonly { record: { entries: EntryRow[] }; entries: readonly Entry[] }[],
  found: { hqId: string; operationId: string; seq: number },
): void {
  for (const { record, entries } of batches) {
    const index = entries.findIndex((entry) => entry.hqId === found.hqId && entry.operationId === found.operationId);
    if (index < 0) continue;
    const entry = entries[index] as Entry;
    entry.duplicateOf = found.seq;
    entry.operationId = null;
    Object.assign(record.entries[index] as EntryRow, rowOf(entry));
  }
}
