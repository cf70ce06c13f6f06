/** Look-ups that every read of history shares, over connections that only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoredEntry } from '../../ledger/ledger.ts';
import type { Settings } from '../../stock/commands.ts';
import type { Entry } from '../../stock/entry.ts';
import { decodeEntry } from '../../stock/entry-codec.ts';
import { type SettingKind, UNSET } from '../settings.ts';

/** The ledger's entries by their place, and by time: within a partition time never falls, so it can be searched. */
export class EntryReads {
  readonly #find: StatementSync;
  readonly #at: StatementSync;
  readonly #last: StatementSync;

  constructor(ledger: DatabaseSync) {
    this.#find = ledger.prepare(
      'select partition_id as "partition", seq, hash, body from entries where partition_id = ? and seq = ?',
    );
    this.#at = ledger.prepare('select at from entries where partition_id = ? and seq = ?');
    this.#last = ledger.prepare('select coalesce(max(seq), 0) as seq from entries where partition_id = ?');
  }

  entry(partition: number, seq: number): { entry: Entry; hash: string } {
    const stored = this.#find.get(partition, seq) as StoredEntry | undefined;
    if (stored === undefined)
      throw new Error(`entry ${seq} of partition ${partition} is projected, but not in the ledger`);
    return { entry: decodeEntry(stored.body), hash: stored.hash };
  }

  /** The last entry decided at or before an instant; 0: there is none. */
  seqAt(partition: number, at: number): number {
    let low = 0;
    let high = (this.#last.get(partition) as { seq: number }).seq;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#at.get(partition, middle) as { at: number }).at <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Settings as they were after an entry, remembered while one read lasts. */
export class SettingsThen {
  readonly #statement: StatementSync;
  readonly #hqNo: number;
  readonly #seq: number;
  readonly #known = new Map<string, Settings>();

  constructor(statement: StatementSync, hqNo: number, seq: number) {
    this.#statement = statement;
    this.#hqNo = hqNo;
    this.#seq = seq;
  }

  static prepare(database: DatabaseSync): StatementSync {
    return database.prepare(
      `select safety_stock as safetyStock, low_threshold as lowThreshold from settings
       where hq_no = ? and kind = ? and store_id = ? and product_id = ? and seq <= ? order by seq desc limit 1`,
    );
  }

  store(storeId: string): Settings {
    return this.#remembered('store', storeId, '');
  }

  product(productId: string): Settings {
    return this.#remembered('product', '', productId);
  }

  level(storeId: string, productId: string): Settings {
    return this.#find('level', storeId, productId);
  }

  #remembered(kind: SettingKind, storeId: string, productId: string): Settings {
    const key = `${storeId}/${productId}`;
    let settings = this.#known.get(key);
    if (settings === undefined) {
      settings = this.#find(kind, storeId, productId);
      this.#known.set(key, settings);
    }
    return settings;
  }

  #find(kind: SettingKind, storeId: string, productId: string): Settings {
    const row = this.#statement.get(this.#hqNo, kind, storeId, productId, this.#seq) as Settings | undefined;
    return row ?? UNSET;
  }
}
