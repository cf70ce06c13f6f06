/** Reads of history: each in one snapshot of the database, entries and projections together. */
import type { Connection } from 'mariadb';
import type { MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import type { Hold } from '../../stock/entry.ts';
import { parseHold } from '../../stock/entry-codec.ts';
import { partitionOf, partitionOfReservation } from '../../stock/identifiers.ts';
import { auditOf } from '../audit.ts';
import {
  type AuditQuery,
  type AuditRow,
  HistoryBehind,
  type LevelQuery,
  type LevelRow,
  type MovementRow,
  type OnHandThen,
} from '../history-reads.ts';
import type { SeqRange } from '../movement-merge.ts';
import type { Keyed, LevelPageKey, MovementKey, MovementStoreQuery, Rows } from '../projection-store.ts';
import { reservationKey, soldForOrder } from '../reservations.ts';
import { readServingTables } from './layout.ts';
import { readEntries, seqAt } from './ledger-rows.ts';
import { onHandAt, readLevels } from './level-reads.ts';
import { MovementReads } from './movement-reads.ts';
import type { TableNames } from './projection-tables.ts';

/** A read of many rows may take as long as a caller waits at most. */
const READ_MS_MAX = 10_000;
/** Most orders have none or one. */
const REFERENCES_PER_READ = 500;

export class HistoryReader {
  readonly #pool: MariadbPool;

  constructor(pool: MariadbPool) {
    this.#pool = pool;
  }

  /** @throws HistoryBehind while tables of this version are built for the first time. */
  async #read<T>(work: (connection: Connection, tables: TableNames) => Promise<T>): Promise<T> {
    return await this.#pool.use((connection) => inSnapshot(connection, work), READ_MS_MAX);
  }

  levels(query: Keyed<LevelQuery, LevelPageKey>): Promise<Rows<LevelRow, LevelPageKey>> {
    return this.#read((connection, tables) => readLevels(connection, tables, query));
  }

  movements(query: MovementStoreQuery): Promise<Rows<MovementRow, MovementKey>> {
    return this.#read(async (connection, tables) => {
      const range = await rangeOf(connection, query);
      return await new MovementReads(connection, tables).page(query, range);
    });
  }

  audit(query: Keyed<AuditQuery, [seq: number]>): Promise<Rows<AuditRow, [seq: number]>> {
    return this.#read(async (connection, tables) => {
      const { hqId, actor, after, limit } = query;
      const range = await rangeOf(connection, query);
      const to = after === null ? range.to : Math.min(range.to, after[0] - 1);
      const partition = partitionOf(hqId);
      const byActor = actor === undefined ? '' : 'and actor = ?';
      const rows = await connection.query<{ seq: number }[]>(
        `select seq from ${tables('audit')} where partition_id = ? and hq_id = ? ${byActor}
         and seq >= ? and seq <= ? order by seq desc limit ?`,
        [partition, hqId, ...(actor === undefined ? [] : [actor]), range.from, to, limit + 1],
      );
      const shown = rows.slice(0, limit).map(({ seq }) => seq);
      const entries = await readEntries(connection, partition, shown);
      const items = shown.map((seq) => {
        const { entry, hash } = entries.get(seq) as NonNullable<ReturnType<typeof entries.get>>;
        return auditOf(entry, hash);
      });
      const last = shown.at(-1);
      return { items, next: rows.length > shown.length && last !== undefined ? [last] : null };
    });
  }

  async reservation(reservationId: string): Promise<{ hqId: string; hold: Hold } | null> {
    const partition = partitionOfReservation(reservationId);
    if (partition === null) return null;
    return await this.#read(async (connection, tables) => {
      const found = await readHolds(connection, tables, partition, [reservationId]);
      return found.get(reservationId) ?? null;
    });
  }

  reservationsOfOrders(hqId: string, orderIds: readonly string[]): Promise<(Hold | null)[]> {
    return this.#read(async (connection, tables) => {
      const sold = await soldForOrders(connection, tables, hqId, orderIds);
      const holds = await readHolds(connection, tables, partitionOf(hqId), [...sold.values()]);
      return orderIds.map((orderId) => holds.get(sold.get(orderId) ?? '')?.hold ?? null);
    });
  }

  onHandAt(hqId: string, keys: readonly { storeId: string; productId: string }[], at: number): Promise<OnHandThen[]> {
    return this.#read((connection, tables) => onHandAt(connection, tables, { hqId, keys, at }));
  }
}

/**
 * Gives `work` the tables that are read, within one snapshot of the database. A table that a snapshot names was made
 * before it and is dropped long after it is no longer read.
 * @throws HistoryBehind while tables of this version are built for the first time
 */
export async function inSnapshot<T>(
  connection: Connection,
  work: (connection: Connection, tables: TableNames) => Promise<T>,
): Promise<T> {
  await connection.query('set transaction isolation level repeatable read, read only');
  await connection.query('start transaction with consistent snapshot');
  const tables = await readServingTables(connection);
  if (tables === null) throw new HistoryBehind();
  const result = await work(connection, tables);
  await connection.query('commit');
  return result;
}

/** Reservations by the orders for which they were sold last. */
async function soldForOrders(
  connection: Connection,
  tables: TableNames,
  hqId: string,
  orderIds: readonly string[],
): Promise<Map<string, string>> {
  const partition = partitionOf(hqId);
  const found = new Map<string, string>();
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const wanted = orderIds.filter((orderId) => !found.has(orderId));
    if (wanted.length === 0) return found;
    const rows = await connection.query<{ orderId: string; seq: number }[]>(
      `select reference as orderId, seq from ${tables('movement_references')}
       where partition_id = ? and hq_id = ? and reference in (?) and seq < ? order by seq desc limit ?`,
      [partition, hqId, wanted, before, REFERENCES_PER_READ],
    );
    const entries = await readEntries(connection, partition, [...new Set(rows.map(({ seq }) => seq))]);
    for (const { orderId, seq } of rows) {
      const entry = entries.get(seq)?.entry;
      const reservationId = entry === undefined || found.has(orderId) ? null : soldForOrder(entry, orderId);
      if (reservationId !== null) found.set(orderId, reservationId);
    }
    if (rows.length < REFERENCES_PER_READ) return found;
    // An entry that sold has one reference, so no other row of its place matters.
    before = rows.at(-1)?.seq ?? 0;
  }
}

/** Open and closed holds of one partition by their ids. */
export async function readHolds(
  connection: Connection,
  tables: TableNames,
  partition: number,
  reservationIds: readonly string[],
): Promise<Map<string, { hqId: string; hold: Hold }>> {
  const found = new Map<string, { hqId: string; hold: Hold }>();
  if (reservationIds.length === 0) return found;
  const [open, closed] = await Promise.all([
    connection.query<{ hqId: string; hold: string }[]>(
      `select hq_id as hqId, hold from ${tables('open_reservations')} where partition_id = ? and reservation_id in (?)`,
      [partition, reservationIds],
    ),
    connection.query<{ hqId: string; hold: string }[]>(
      `select hq_id as hqId, hold from ${tables('closed_reservations')} where partition_id = ? and reservation_key in (?)`,
      [partition, reservationIds.map(reservationKey)],
    ),
  ]);
  const wanted = new Set(reservationIds);
  for (const { hqId, hold: text } of [...closed, ...open]) {
    const hold = parseHold(text);
    if (wanted.has(hold.reservationId)) found.set(hold.reservationId, { hqId, hold });
  }
  return found;
}

/** Instants become places of the partition: nothing needs an index over time. */
async function rangeOf(
  connection: Connection,
  { hqId, from, to }: { hqId: string; from?: number; to?: number },
): Promise<SeqRange> {
  const partition = partitionOf(hqId);
  return {
    from: from === undefined ? 0 : (await seqAt(connection, partition, from - 1)) + 1,
    to: to === undefined ? Number.MAX_SAFE_INTEGER - 1 : await seqAt(connection, partition, to),
  };
}
