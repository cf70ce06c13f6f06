import type { StoredEntry } from '../ledger.ts';
import type { MariadbPool } from './mariadb-pool.ts';

/** Text of entries that one read returns at most, and some entries more: an entry has 600 characters, or 60 000. */
const READ_CHARACTERS_MAX = 4_000_000;
const ENTRIES_READ_FIRST = 64;

export interface EntriesWanted {
  partition: number;
  afterSeq: number;
  limit: number;
  /** Characters that an entry before these has. Left out: nobody knows. */
  charactersEach?: number;
}

/**
 * As `Ledger.entries`. Where it is not known how large the entries are, the second statement asks for as many as the size
 * of the first ones lets it.
 */
export async function readEntries(
  reader: MariadbPool,
  { partition, afterSeq, limit, charactersEach }: EntriesWanted,
): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = [];
  let characters = 0;
  let count = Math.min(
    limit,
    charactersEach === undefined ? ENTRIES_READ_FIRST : Math.ceil(READ_CHARACTERS_MAX / charactersEach),
  );
  while (count > 0) {
    const read = await reader.read<StoredEntry>(
      `select partition_id as \`partition\`, seq, hash, body from entries
       where partition_id = ? and seq > ? order by seq limit ?`,
      [partition, entries.at(-1)?.seq ?? afterSeq, count],
    );
    for (const entry of read) characters += entry.body.length;
    entries.push(...read);
    if (read.length < count || characters >= READ_CHARACTERS_MAX) break;
    const more = Math.ceil((READ_CHARACTERS_MAX - characters) / (characters / entries.length));
    count = Math.min(limit - entries.length, more);
  }
  return entries;
}
