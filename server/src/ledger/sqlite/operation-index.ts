/**
 * Which entry an operation id belongs to, in a file of its own beside the ledger (`operations.db`). Callers' ids are
 * random, so in a unique index inside the ledger every entry dirtied another page of its commit: 22 µs an entry
 * against 10 µs without. Here the newest ids are in memory (`young-operations.ts`), and another thread folds them into
 * this file in large sorted batches.
 *
 * That is safe because the file is derived: its cursor tells which entries it holds, what is not in it yet is read
 * from the entries at the next start, and a row counts only if the ledger's entry bears it out.
 */
import { dirname, join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { FoundOperation } from '../ledger.ts';

const SCHEMA_VERSION = 1;
/** Entries folded in one transaction: the more at once, the fewer pages are written for each. */
const FOLD_ENTRIES_MAX = 200_000;

export interface OperationRow {
  hqId: string;
  operationId: string;
  seq: number;
}

/** Makes the index readable as schema `operations` on a connection of the ledger. */
export function attachOperationIndex(database: DatabaseSync, ledgerFile: string): void {
  const file = ledgerFile === ':memory:' ? ledgerFile : join(dirname(ledgerFile), 'operations.db');
  database.prepare('attach database ? as operations').run(file);
}

/** Creates the index where there is none, another installation's, or one of entries that the ledger does not have. */
export function createOperationIndex(database: DatabaseSync, installationId: string): void {
  database.exec('pragma operations.journal_mode = wal; pragma operations.synchronous = normal');
  if (belongsTo(database, installationId)) return;
  database.exec(`
    begin immediate;
    drop table if exists operations.installation;
    drop table if exists operations.operations;
    drop table if exists operations.indexed;
    create table operations.installation (installation_id text not null, version integer not null);
    create table operations.operations (
      hash integer not null,
      partition_id integer not null,
      seq integer not null,
      primary key (hash, partition_id, seq)
    ) without rowid;
    create table operations.indexed (partition_id integer primary key, seq integer not null);
    insert into operations.indexed select partition_id, 0 from main.cursors;
  `);
  database.prepare('insert into operations.installation values (?, ?)').run(installationId, SCHEMA_VERSION);
  database.exec('commit');
}

function belongsTo(database: DatabaseSync, installationId: string): boolean {
  const table = database.prepare("select 1 from operations.sqlite_master where name = 'installation'").get();
  if (table === undefined) return false;
  const row = database.prepare('select installation_id, version from operations.installation').get();
  const { installation_id, version } = (row ?? {}) as { installation_id?: string; version?: number };
  return installation_id === installationId && version === SCHEMA_VERSION && !isAhead(database);
}

/** A ledger that was replaced by an older copy: entries recorded since then would never be indexed. */
function isAhead(database: DatabaseSync): boolean {
  const ahead = database.prepare(
    `select 1 from operations.indexed i join main.cursors c on c.partition_id = i.partition_id where i.seq > c.seq`,
  );
  return ahead.get() !== undefined;
}

/** 52 bits over both ids (FNV-1a twice, two seeds): a JavaScript number and a SQLite integer alike. */
function hashOf(hqId: string, operationId: string): number {
  const text = `${hqId}/${operationId}`;
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x5bd1e995);
  }
  return ((high ^ (high >>> 15)) & 0xfffff) * 0x100000000 + ((low ^ (low >>> 13)) >>> 0);
}

export class OperationIndex {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #indexed: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#find = database.prepare(
      `select e.hq_id as hqId, e.operation_id as operationId, e.partition_id as "partition", e.seq, e.fingerprint
       from operations.operations o join main.entries e on e.partition_id = o.partition_id and e.seq = o.seq
       where o.hash = ? and e.hq_id = ? and e.operation_id = ?`,
    );
    this.#indexed = database.prepare('select partition_id as "partition", seq from operations.indexed');
  }

  find(hqId: string, operationId: string): FoundOperation | null {
    const row = this.#find.get(hashOf(hqId, operationId), hqId, operationId);
    return (row as unknown as FoundOperation | undefined) ?? null;
  }

  /** The last entry of each partition that is in the index. */
  indexed(): Map<number, number> {
    const rows = this.#indexed.all() as unknown as { partition: number; seq: number }[];
    return new Map(rows.map(({ partition, seq }) => [partition, seq]));
  }

  /** Operations of a partition that are not in the index, oldest first. */
  missing(partition: number, limit: number): OperationRow[] {
    return this.#database
      .prepare(
        `select hq_id as hqId, operation_id as operationId, seq from main.entries
         where partition_id = ? and seq > (select seq from operations.indexed where partition_id = ?)
           and operation_id is not null order by seq limit ?`,
      )
      .all(partition, partition, limit) as unknown as OperationRow[];
  }

  /** Takes in what is recorded and missing; answers how many operations that were. */
  fold(): number {
    const indexed = this.indexed();
    const heads = this.#database.prepare('select partition_id as "partition", seq from main.cursors').all();
    let folded = 0;
    for (const { partition, seq } of heads as unknown as { partition: number; seq: number }[]) {
      if (seq > (indexed.get(partition) ?? 0)) folded += this.#foldPartition(partition, seq);
    }
    return folded;
  }

  #foldPartition(partition: number, head: number): number {
    const rows = this.missing(partition, FOLD_ENTRIES_MAX);
    const through = rows.length < FOLD_ENTRIES_MAX ? head : (rows.at(-1)?.seq ?? head);
    const keys = rows.map(({ hqId, operationId, seq }) => ({ hash: hashOf(hqId, operationId), seq }));
    keys.sort((one, other) => one.hash - other.hash);
    const insert = this.#database.prepare('insert or ignore into operations.operations values (?, ?, ?)');
    this.#database.exec('begin');
    try {
      for (const { hash, seq } of keys) insert.run(hash, partition, seq);
      this.#database.prepare('update operations.indexed set seq = ? where partition_id = ?').run(through, partition);
      this.#database.exec('commit');
    } catch (error) {
      // Left open, it would make every later fold fail, also once the disk has room again.
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
    return rows.length;
  }
}
