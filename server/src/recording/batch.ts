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

interface RecordedBatch {
  record: { entries: EntryRow[] };
  entries: readonly Entry[];
}

/** The entry keeps its place, for the chain has no gaps, but not the id: that is the first one's. */
export function markDuplicate(
  batches: readonly RecordedBatch[],
  found: { hqId: string; operationId: string; seq: number },
): void {
  for (const batch of batches) {
    const index = batch.entries.findIndex(
      (entry) => entry.hqId === found.hqId && entry.operationId === found.operationId,
    );
    if (index >= 0) markAt(batch, index, found.seq);
  }
}

/** Ids that come twice among entries that are not recorded yet: the first keeps it. Returns how many were marked. */
export function markDuplicatesWithin(batches: readonly RecordedBatch[]): number {
  let marked = 0;
  for (const batch of batches) {
    const first = new Map<string, number>();
    for (const [index, { hqId, operationId, seq }] of batch.entries.entries()) {
      if (operationId === null) continue;
      const firstSeq = first.get(`${hqId}/${operationId}`);
      if (firstSeq === undefined) first.set(`${hqId}/${operationId}`, seq);
      else markAt(batch, index, firstSeq);
      marked += Number(firstSeq !== undefined);
    }
  }
  return marked;
}

function markAt({ record, entries }: RecordedBatch, index: number, duplicateOf: number): void {
  const entry = entries[index] as Entry;
  entry.duplicateOf = duplicateOf;
  entry.operationId = null;
  Object.assign(record.entries[index] as EntryRow, rowOf(entry));
}
