/**
 * Records on their way to the thread that writes: two texts and the heads. Copying a text costs what its bytes cost; an
 * object of eight fields for every entry costs as much again as checking it.
 */
import type { EntryRow, PartitionRecord, SentHead } from '../ledger.ts';

export interface PackedRecords {
  heads: SentHead[];
  /** Entries of each head. */
  counts: number[];
  /** One line an entry, tabs between its columns; neither can be in one. An empty column is null. */
  columns: string;
  /** One line an entry: JSON escapes what would break it. */
  bodies: string;
}

export function packRecords(records: readonly PartitionRecord[]): PackedRecords {
  let columns = '';
  let bodies = '';
  for (const { entries } of records) {
    for (const { seq, at, hqId, operationId, fingerprint, duplicateOf, type, body } of entries) {
      columns += `${seq}\t${at}\t${hqId}\t${operationId ?? ''}\t${fingerprint ?? ''}\t${duplicateOf ?? ''}\t${type}\n`;
      bodies += `${body}\n`;
    }
  }
  return {
    heads: records.map(({ head }) => head),
    counts: records.map(({ entries }) => entries.length),
    columns,
    bodies,
  };
}

export function unpackRecords({ heads, counts, columns, bodies }: PackedRecords): PartitionRecord[] {
  const rows = columns.split('\n');
  const texts = bodies.split('\n');
  let next = 0;
  return heads.map((head, index) => {
    const entries: EntryRow[] = [];
    for (const end = next + (counts[index] ?? 0); next < end; next += 1) {
      entries.push(rowOf(rows[next] as string, texts[next] as string));
    }
    return { head, entries };
  });
}

function rowOf(columns: string, body: string): EntryRow {
  const [seq, at, hqId, operationId, fingerprint, duplicateOf, type] = columns.split('\t') as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    seq: Number(seq),
    at: Number(at),
    hqId,
    operationId: operationId === '' ? null : operationId,
    fingerprint: fingerprint === '' ? null : fingerprint,
    duplicateOf: duplicateOf === '' ? null : Number(duplicateOf),
    type,
    body,
  };
}
