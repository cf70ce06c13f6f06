import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { genesisHash } from '../../ledger/chain.ts';
import type { StoredEntry } from '../../ledger/ledger.ts';
import { changesOf, type Entry } from '../../stock/entry.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { ImageCursor } from '../../stock/stock-engine.ts';
import { followingEntry } from '../entry-chain.ts';
import type { ProjectionName } from '../projection.ts';
import { auditTables } from './audit-tables.ts';
import type { KeyTables } from './key-tables.ts';
import { levelTables } from './level-tables.ts';
import { movementTables } from './movement-tables.ts';
import type { NumberedEntry, ProjectionTables, ProjectionWriter } from './projection-tables.ts';
import { reservationTables } from './reservation-tables.ts';
import { settingsTables } from './settings-tables.ts';

export type TableState = 'serving' | 'building';

/**
 * Lines after which what waits to be merged is written. Of single reservations a whole batch is merged; of receipts of
 * 500 lines, in which a level seldom comes twice, a batch would be 40 000 lines with all that they refer to.
 */
const MERGED_LINES_MAX = 5_000;

export const PROJECTIONS: Readonly<Record<ProjectionName, ProjectionTables>> = {
  levels: levelTables,
  movements: movementTables,
  reservations: reservationTables,
  audit: auditTables,
  settings: settingsTables,
};

/**
 * Projections that move together: in one pass over each parsed entry, one transaction for all. The transaction is
 * the caller's; what was advanced within it counts once `committed` is called.
 */
export class TableSet {
  readonly names: readonly ProjectionName[];
  readonly state: TableState;
  readonly #writers: readonly ProjectionWriter[];
  readonly #keys: KeyTables;
  readonly #moveCursor: StatementSync;
  readonly #cursors: ImageCursor[];
  readonly #advanced = new Map<number, ImageCursor>();

  constructor(database: DatabaseSync, keys: KeyTables, state: TableState, names: readonly ProjectionName[]) {
    this.names = names;
    this.state = state;
    this.#keys = keys;
    const suffix = state === 'serving' ? '' : '_next';
    this.#writers = names.map((name) => PROJECTIONS[name].open(database, keys, suffix));
    this.#moveCursor = database.prepare(
      `update cursors set seq = ?, hash = ?, at = ?
       where state = ? and partition_id = ? and name in (${names.map(() => '?').join(', ')})`,
    );
    this.#cursors = readCursors(database, state, names);
  }

  cursor(partition: number): ImageCursor {
    return this.#advanced.get(partition) ?? (this.#cursors[partition] as ImageCursor);
  }

  /** @throws ProjectionMismatch, the errors of `followingEntry`; the caller rolls back and calls `discard`. */
  advance(partition: number, rows: readonly StoredEntry[]): void {
    let { seq, hash, at } = this.cursor(partition);
    let lines = 0;
    for (const row of rows) {
      const projected = this.#number(followingEntry({ seq, hash }, row));
      for (const writer of this.#writers) writer.apply(projected);
      seq = row.seq;
      hash = row.hash;
      at = projected.entry.at;
      lines += projected.changes.length;
      if (lines < MERGED_LINES_MAX) continue;
      this.#flush();
      lines = 0;
    }
    this.#flush();
    this.#moveCursor.run(seq, hash, at, this.state, partition, ...this.names);
    this.#advanced.set(partition, { partition, seq, hash, at });
  }

  #flush(): void {
    for (const writer of this.#writers) writer.flush();
  }

  #number(entry: Entry): NumberedEntry {
    const hqNo = this.#keys.hqNo(entry.hqId);
    const changes = changesOf(entry);
    const levelIds = changes.map(({ after }) => this.#keys.levelId(hqNo, after.storeId, after.productId));
    return { entry, changes, hqNo, levelIds };
  }

  /** The last slice was rolled back; slices before it, of the same transaction, stand. */
  discard(): void {
    for (const writer of this.#writers) writer.discard();
    this.#keys.forget();
  }

  /** The whole transaction was rolled back. */
  discardAll(): void {
    this.#advanced.clear();
    this.discard();
  }

  committed(): ImageCursor[] {
    const moved = [...this.#advanced.values()];
    for (const cursor of moved) this.#cursors[cursor.partition] = cursor;
    this.#advanced.clear();
    return moved;
  }
}

/** Creates the tables and cursors of projections, at the beginning of every partition. */
export function createTables(
  database: DatabaseSync,
  installationId: string,
  state: TableState,
  names: readonly ProjectionName[],
): void {
  const { last } = database.prepare('select coalesce(max(generation), 0) as last from projections').get() as {
    last: number;
  };
  const addProjection = database.prepare(
    'insert into projections (name, state, version, generation) values (?, ?, ?, ?)',
  );
  const addCursor = database.prepare(
    'insert into cursors (name, state, partition_id, seq, hash, at) values (?, ?, ?, 0, ?, 0)',
  );
  for (const name of names) {
    const { version, create } = PROJECTIONS[name];
    database.exec(create(state === 'serving' ? '' : '_next', last + 1));
    addProjection.run(name, state, version, last + 1);
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1) {
      addCursor.run(name, state, partition, genesisHash(installationId, partition));
    }
  }
}

/** Drops the tables of a state, as they are known to this version and to those before it. */
export function dropTables(database: DatabaseSync, state: TableState, names: readonly ProjectionName[]): void {
  const suffix = state === 'serving' ? '' : '_next';
  for (const name of names) {
    for (const table of PROJECTIONS[name].tables) database.exec(`drop table if exists ${table}${suffix}`);
    database.prepare('delete from projections where name = ? and state = ?').run(name, state);
    database.prepare('delete from cursors where name = ? and state = ?').run(name, state);
  }
}

/** What was built takes the place of what was served. */
export function switchTables(database: DatabaseSync, names: readonly ProjectionName[]): void {
  dropTables(database, 'serving', names);
  for (const name of names) {
    for (const table of PROJECTIONS[name].tables) database.exec(`alter table ${table}_next rename to ${table}`);
    database.prepare("update projections set state = 'serving' where name = ?").run(name);
    database.prepare("update cursors set state = 'serving' where name = ?").run(name);
  }
}

function readCursors(database: DatabaseSync, state: TableState, names: readonly ProjectionName[]): ImageCursor[] {
  const statement = database.prepare(
    'select partition_id as "partition", seq, hash, at from cursors where name = ? and state = ? order by partition_id',
  );
  const [first, ...others] = names.map((name) => statement.all(name, state) as unknown as ImageCursor[]);
  if (first === undefined) return [];
  for (const other of others) {
    const apart = first.find((cursor, partition) => cursor.hash !== other[partition]?.hash);
    if (apart !== undefined) throw new Error(`the projections stand apart in partition ${apart.partition}`);
  }
  return first;
}
