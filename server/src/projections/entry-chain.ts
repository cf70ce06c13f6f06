import { chainHash } from '../ledger/chain.ts';
import type { StoredEntry } from '../ledger/ledger.ts';
import type { Entry } from '../stock/entry.ts';
import { decodeEntry } from '../stock/entry-codec.ts';
import type { ImageCursor } from '../stock/stock-engine.ts';

/** The ledger's entries are not the chain that their hashes promise. */
class ChainBroken extends Error {
  constructor(partition: number, seq: number, reason: string) {
    super(`entry ${seq} of partition ${partition} ${reason}; run "holdfast verify"`);
    this.name = 'ChainBroken';
  }
}

/** The entry of a row that must follow the cursor. @throws ChainBroken, UnknownEntryVersion */
export function followingEntry({ seq, hash }: Pick<ImageCursor, 'seq' | 'hash'>, row: StoredEntry): Entry {
  const { partition } = row;
  if (row.seq !== seq + 1) throw new ChainBroken(partition, seq + 1, `is missing: ${row.seq} follows ${seq}`);
  if (chainHash(hash, row.body) !== row.hash) {
    throw new ChainBroken(partition, row.seq, 'has another hash than its text and the entry before it give');
  }
  const entry = decodeEntry(row.body);
  if (entry.partition === partition && entry.seq === row.seq) return entry;
  throw new ChainBroken(partition, row.seq, `says that it is entry ${entry.seq} of partition ${entry.partition}`);
}
