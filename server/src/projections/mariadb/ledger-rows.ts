/** The ledger's rows as the projections read them: its cursors and entries, over any connection to its database. */
import type { Connection } from 'mariadb';
import type { StoredEntry } from '../../ledger/ledger.ts';
import type { Entry } from '../../stock/entry.ts';
import { decodeEntry } from '../../stock/entry-codec.ts';

export interface LedgerHead {
  partition: number;
  epoch: number;
  seq: number;
  hash: string;
  /** The last epoch under which an operator has accepted the ledger as it was; 0: there is none. */
  acceptedEpoch: number;
}

/** Text of entries that one read returns about at most: an entry has 600 characters, or 60 000. */
const READ_CHARACTERS_MAX = 4_000_000;
const CHARACTERS_AT_FIRST = 4_000;

export async function readInstallationId(connection: Connection): Promise<string> {
  const [row] = await connection.query<{ id: string }[]>('select installation_id as id from installation');
  if (row === undefined) throw new Error('the database holds no ledger yet; open the ledger first');
  return row.id;
}

export async function readHeads(connection: Connection): Promise<LedgerHead[]> {
  return await connection.query<LedgerHead[]>(
    `select c.partition_id as \`partition\`, c.epoch, c.seq, c.hash, coalesce(s.accepted_epoch, 0) as acceptedEpoch
     from cursors c left join partition_states s on s.partition_id = c.partition_id order by c.partition_id`,
  );
}

/** Reads entries in bounded amounts: what an entry of a partition takes is learnt from those before it. */
export class EntryReader {
  readonly #characters = new Map<number, number>();

  async entries(connection: Connection, partition: number, afterSeq: number, limit: number): Promise<StoredEntry[]> {
    const each = this.#characters.get(partition) ?? CHARACTERS_AT_FIRST;
    const bounded = Math.max(1, Math.min(limit, Math.floor(READ_CHARACTERS_MAX / each)));
    const rows = await connection.query<[number, string, string][]>(
      {
        sql: 'select seq, hash, body from entries where partition_id = ? and seq > ? order by seq limit ?',
        rowsAsArray: true,
      },
      [partition, afterSeq, bounded],
    );
    let characters = 0;
    const entries = rows.map(([seq, hash, body]) => {
      characters += body.length;
      return { partition, seq, hash, body };
    });
    if (entries.length > 0) this.#characters.set(partition, Math.ceil(characters / entries.length));
    return entries;
  }
}

/** Entries by their places, each with its hash. */
export async function readEntries(
  connection: Connection,
  partition: number,
  seqs: readonly number[],
): Promise<Map<number, { entry: Entry; hash: string }>> {
  const found = new Map<number, { entry: Entry; hash: string }>();
  if (seqs.length === 0) return found;
  const rows = await connection.query<{ seq: number; hash: string; body: string }[]>(
    'select seq, hash, body from entries where partition_id = ? and seq in (?)',
    [partition, seqs],
  );
  for (const { seq, hash, body } of rows) found.set(seq, { entry: decodeEntry(body), hash });
  const missing = seqs.find((seq) => !found.has(seq));
  if (missing === undefined) return found;
  throw new Error(`entry ${missing} of partition ${partition} is projected, but not in the ledger`);
}

/**
 * The last entry decided at or before an instant; 0: there is none. By halving: within a partition time never falls,
 * and no index of it is worth its upkeep.
 */
export async function seqAt(connection: Connection, partition: number, at: number): Promise<number> {
  const [last] = await connection.query<{ seq: number | null }[]>(
    'select max(seq) as seq from entries where partition_id = ?',
    [partition],
  );
  let low = 0;
  let high = last?.seq ?? 0;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [row] = await connection.query<{ at: number }[]>(
      'select at from entries where partition_id = ? and seq = ?',
      [partition, middle],
    );
    if (row === undefined) throw new Error(`entry ${middle} of partition ${partition} is missing in the ledger`);
    if (row.at <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
