/**
 * Entries of several partitions as rows, merged: each level is updated once, a reservation that comes and goes within
 * the batch is one row. Every update and delete names what it replaces and goes to the server in bulk; fewer rows
 * touched than named means that a row was another, so that the check with state costs no read.
 */
import type { Connection, UpsertResult } from 'mariadb';
import type { StoredEntry } from '../../ledger/ledger.ts';
import { changesOf, type Entry, type Hold, isOpen } from '../../stock/entry.ts';
import { encodeHold } from '../../stock/entry-codec.ts';
import type { ImageCursor } from '../../stock/stock-engine.ts';
import { followingEntry } from '../entry-chain.ts';
import { isFresh, LevelMerge, rowMismatch } from '../level-merge.ts';
import type { LevelChange } from '../levels.ts';
import { countOf, referencesOf } from '../movements.ts';
import { type ChangedLevel, ProjectionMismatch, type ProjectionName } from '../projection.ts';
import { holdChangesOf, reservationKey } from '../reservations.ts';
import { settingChangeOf } from '../settings.ts';
import type { TableGroup } from './layout.ts';

type Row = (string | number | null)[];

/** A hold before the first and after the last of its changes within the batch. */
interface MergedHold {
  first: Entry;
  before: Hold | null;
  after: Hold;
  seq: number;
  n: number;
  at: number;
}

const LEVEL_KEY = 'partition_id = ? and hq_id = ? and store_id = ? and product_id = ?';

export class ProjectedBatch {
  readonly #group: TableGroup;
  readonly #names: ReadonlySet<ProjectionName>;
  readonly #levels = new LevelMerge<string>();
  readonly #holds = new Map<string, MergedHold>();
  readonly #movements: Row[] = [];
  readonly #counts: Row[] = [];
  readonly #references: Row[] = [];
  readonly #audit: Row[] = [];
  readonly #settings: Row[] = [];
  readonly #cursors: { from: ImageCursor; to: ImageCursor }[] = [];
  entries = 0;

  constructor(group: TableGroup) {
    this.#group = group;
    this.#names = new Set(group.names);
  }

  /** Where each partition stands once this is written. */
  get reached(): ImageCursor[] {
    return this.#cursors.map(({ to }) => to);
  }

  /**
   * Entries of one partition that follow its cursor.
   * @throws ProjectionMismatch, and the errors of `followingEntry`: the batch is spoilt then
   */
  add(from: ImageCursor, rows: readonly StoredEntry[]): void {
    let to = from;
    for (const row of rows) {
      const entry = followingEntry(to, row);
      this.#add(entry);
      to = { partition: from.partition, seq: row.seq, hash: row.hash, at: entry.at };
    }
    this.#cursors.push({ from, to });
    this.entries += rows.length;
  }

  #add(entry: Entry): void {
    const { partition, hqId, seq } = entry;
    const changes = changesOf(entry);
    if (this.#names.has('levels')) {
      for (const change of changes) {
        this.#levels.add(`${hqId}/${change.after.storeId}/${change.after.productId}`, entry, change);
      }
    }
    if (this.#names.has('movements')) this.#addMovements(entry, changes);
    if (this.#names.has('reservations')) this.#addHolds(entry);
    if (this.#names.has('audit')) this.#audit.push([partition, hqId, seq, entry.actor.subject, entry.lines.length]);
    const setting = this.#names.has('settings') ? settingChangeOf(entry) : null;
    if (setting === null) return;
    const { kind, storeId, productId, settings } = setting;
    this.#settings.push([partition, hqId, kind, storeId, productId, seq, settings.safetyStock, settings.lowThreshold]);
  }

  #addMovements(entry: Entry, changes: readonly ChangedLevel[]): void {
    const { partition, hqId, seq, at } = entry;
    for (let index = 0; index < changes.length; index += 1) {
      const change = changes[index] as ChangedLevel;
      const { line, after } = change;
      const key = [partition, hqId, after.storeId, after.productId, seq];
      const { onHandChange, reservedChange } = line;
      this.#movements.push([
        ...key,
        index,
        at,
        onHandChange,
        reservedChange,
        after.onHand,
        after.reserved,
        after.version,
      ]);
      const count = countOf(entry, change);
      if (count !== null) this.#counts.push([...key, count.countedAt, count.difference]);
    }
    for (const reference of referencesOf(entry, changes)) this.#references.push([partition, hqId, reference, seq]);
  }

  #addHolds(entry: Entry): void {
    for (const [n, { before, after }] of holdChangesOf(entry).entries()) {
      const { reservationId } = after;
      const earlier = this.#holds.get(reservationId);
      const last = { after, seq: entry.seq, n, at: entry.at };
      if (earlier === undefined) this.#holds.set(reservationId, { first: entry, before, ...last });
      else if (before === null || encodeHold(earlier.after) !== encodeHold(before)) {
        throw holdMismatch({ first: entry, before, ...last });
      } else Object.assign(earlier, last);
    }
  }

  /** Locks the cursors' rows in ascending order; false: another process has moved one of them. */
  async lock(connection: Connection): Promise<boolean> {
    const { state, layout } = this.#group;
    const partitions = this.#cursors.map(({ from }) => from.partition);
    const rows = await connection.query<(ImageCursor & { layout: number })[]>(
      `select partition_id as \`partition\`, seq, hash, layout from projection_cursors
       where state = ? and partition_id in (?) order by partition_id for update`,
      [state, partitions],
    );
    return this.#cursors.every(({ from }) => {
      const row = rows.find(({ partition }) => partition === from.partition);
      return row?.layout === layout && row.seq === from.seq && row.hash === from.hash;
    });
  }

  /**
   * Within a transaction that holds the cursors' rows.
   * @throws ProjectionMismatch, SqlError; the caller rolls back
   */
  async write(connection: Connection): Promise<void> {
    const { tables, state, layout } = this.#group;
    const insert = (table: string, columns: string, rows: Row[]) =>
      insertRows(connection, tables, table, columns, rows);
    await this.#writeLevels(connection);
    await insert(
      'movements',
      `${LEVEL_COLUMNS}, seq, line, at, on_hand_change, reserved_change, on_hand, reserved, version`,
      this.#movements,
    );
    await insert('counts', `${LEVEL_COLUMNS}, seq, counted_at, difference`, this.#counts);
    await insert('movement_references', 'partition_id, hq_id, reference, seq', this.#references);
    await this.#writeHolds(connection);
    await insert('audit', 'partition_id, hq_id, seq, actor, line_count', this.#audit);
    await insert(
      'settings',
      'partition_id, hq_id, kind, store_id, product_id, seq, safety_stock, low_threshold',
      this.#settings,
    );
    const moved = await changeRows(
      connection,
      `update projection_cursors set seq = ?, hash = ?, at = ?
       where state = ? and partition_id = ? and layout = ? and seq = ? and hash = ?`,
      this.#cursors.map(({ from, to }) => [to.seq, to.hash, to.at, state, from.partition, layout, from.seq, from.hash]),
    );
    if (moved !== this.#cursors.length) throw new Error('a cursor of the projections moved while it was locked');
  }

  async #writeLevels(connection: Connection): Promise<void> {
    if (this.#levels.changes.size === 0) return;
    const table = this.#group.tables('levels');
    const changes = [...this.#levels.changes.values()];
    const fresh = changes.filter(isFresh);
    const known = changes.filter((change) => !isFresh(change));
    const inserted = await changeRows(
      connection,
      `insert ignore into ${table} (${LEVEL_COLUMNS}, on_hand, reserved, version, updated_at, updated_seq)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      fresh.map((change) => [...keyOf(change), ...quantitiesOf(change), change.at, change.seq]),
    );
    const updated = await changeRows(
      connection,
      `update ${table} set on_hand = ?, reserved = ?, version = ?, updated_at = ?, updated_seq = ?
       where ${LEVEL_KEY} and on_hand = ? and reserved = ? and version = ?`,
      known.map((change) => {
        const { before } = change;
        const guard = [before.onHand, before.reserved, before.version];
        return [...quantitiesOf(change), change.at, change.seq, ...keyOf(change), ...guard];
      }),
    );
    if (inserted !== fresh.length || updated !== known.length) throw await this.#findMismatch(connection, table);
    await this.#writeRareColumns(connection, table, changes);
  }

  async #writeRareColumns(connection: Connection, table: string, changes: readonly LevelChange[]): Promise<void> {
    for (const change of changes) {
      const { own, lastCount } = change;
      if (own !== null) {
        await connection.query(`update ${table} set safety_stock = ?, low_threshold = ? where ${LEVEL_KEY}`, [
          own.safetyStock,
          own.lowThreshold,
          ...keyOf(change),
        ]);
      }
      if (lastCount !== null) {
        await connection.query(`update ${table} set counted_at = ?, count_seq = ? where ${LEVEL_KEY}`, [
          lastCount.countedAt,
          lastCount.seq,
          ...keyOf(change),
        ]);
      }
    }
  }

  /** Some row was not as its entry found it. All were written that could be, so each is compared with what it should be now. */
  async #findMismatch(connection: Connection, table: string): Promise<Error> {
    for (const change of this.#levels.changes.values()) {
      const [row] = await connection.query<{ onHand: number; reserved: number; version: number; seq: number }[]>(
        `select on_hand as onHand, reserved, version, updated_seq as seq from ${table} where ${LEVEL_KEY}`,
        keyOf(change),
      );
      const { onHand, reserved, version } = change.after;
      const written =
        row?.seq === change.seq && row.onHand === onHand && row.reserved === reserved && row.version === version;
      if (!written) return rowMismatch(change, row);
    }
    return new Error('the server changed fewer levels than it was told to, and all of them are as they should be');
  }

  async #writeHolds(connection: Connection): Promise<void> {
    const merged = [...this.#holds.values()];
    if (merged.length === 0) return;
    const open = this.#group.tables('open_reservations');
    const closed = this.#group.tables('closed_reservations');
    const isKnown = ({ before }: MergedHold): boolean => before !== null;
    const wasOpen = ({ before }: MergedHold): boolean => before !== null && isOpen(before);
    const stays = (hold: MergedHold): boolean => wasOpen(hold) && isOpen(hold.after);
    const opened = merged.filter((hold) => !wasOpen(hold) && isOpen(hold.after));
    const inserted = await changeRows(
      connection,
      `insert ignore into ${open} (partition_id, reservation_id, hq_id, hold) values (?, ?, ?, ?)`,
      opened.map(({ first, after }) => [first.partition, after.reservationId, first.hqId, encodeHold(after)]),
    );
    await this.#guarded(connection, merged.filter(stays), {
      sql: `update ${open} set hold = ? where partition_id = ? and reservation_id = ? and hold = ?`,
      values: ({ first, before, after }) => [encodeHold(after), first.partition, after.reservationId, textOf(before)],
    });
    await this.#guarded(
      connection,
      merged.filter((hold) => wasOpen(hold) && !isOpen(hold.after)),
      {
        sql: `delete from ${open} where partition_id = ? and reservation_id = ? and hold = ?`,
        values: ({ first, before, after }) => [first.partition, after.reservationId, textOf(before)],
      },
    );
    await this.#guarded(
      connection,
      merged.filter((hold) => isKnown(hold) && !wasOpen(hold)),
      {
        sql: `delete from ${closed} where partition_id = ? and reservation_key = ? and hold = ?`,
        values: ({ first, before, after }) => [first.partition, reservationKey(after.reservationId), textOf(before)],
      },
    );
    if (inserted !== opened.length) throw await this.#findOpen(connection, opened);
    await insertRows(
      connection,
      this.#group.tables,
      'closed_reservations',
      'partition_id, seq, n, reservation_key, hq_id, closed_at, hold',
      merged
        .filter(({ after }) => !isOpen(after))
        .map(({ first, after, seq, n, at }) => {
          const key = reservationKey(after.reservationId);
          return [first.partition, seq, n, key, first.hqId, at, encodeHold(after)];
        }),
    );
  }

  /** In bulk; when a row was another, one by one, to tell whose. */
  async #guarded(
    connection: Connection,
    holds: readonly MergedHold[],
    { sql, values }: { sql: string; values: (hold: MergedHold) => Row },
  ): Promise<void> {
    if ((await changeRows(connection, sql, holds.map(values))) === holds.length) return;
    if (holds.length === 1) throw holdMismatch(holds[0] as MergedHold);
    throw new BatchMismatch();
  }

  async #findOpen(connection: Connection, opened: readonly MergedHold[]): Promise<Error> {
    for (const hold of opened) {
      const [row] = await connection.query<{ hold: string }[]>(
        `select hold from ${this.#group.tables('open_reservations')} where partition_id = ? and reservation_id = ?`,
        [hold.first.partition, hold.after.reservationId],
      );
      if (row?.hold !== encodeHold(hold.after)) return holdMismatch(hold);
    }
    return new BatchMismatch();
  }
}

/** Some row of the batch was another; the entries one by one will tell which. */
class BatchMismatch extends Error {
  constructor() {
    super('a row of this batch was another than its entry read');
    this.name = 'ProjectionMismatch';
  }
}

const LEVEL_COLUMNS = 'partition_id, hq_id, store_id, product_id';

function keyOf({ first, before }: LevelChange): Row {
  return [first.partition, first.hqId, before.storeId, before.productId];
}

function quantitiesOf({ after }: LevelChange): Row {
  return [after.onHand, after.reserved, after.version];
}

function textOf(hold: Hold | null): string {
  return hold === null ? 'new' : encodeHold(hold);
}

function holdMismatch({ first, before, after }: MergedHold): ProjectionMismatch {
  return new ProjectionMismatch(
    first,
    `reservation ${after.reservationId} was read as ${textOf(before)}; the projection has another`,
  );
}

/** How many rows were found by their conditions, or inserted. */
async function changeRows(connection: Connection, sql: string, rows: Row[]): Promise<number> {
  if (rows.length === 0) return 0;
  const result = await connection.batch<UpsertResult | UpsertResult[]>(sql, rows);
  const results = Array.isArray(result) ? result : [result];
  return results.reduce((sum, { affectedRows }) => sum + affectedRows, 0);
}

async function insertRows(
  connection: Connection,
  tables: TableGroup['tables'],
  table: string,
  columns: string,
  rows: Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const marks = columns.split(',').map(() => '?');
  await connection.batch(`insert into ${tables(table)} (${columns}) values (${marks.join(', ')})`, rows);
}
