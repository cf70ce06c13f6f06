/**
 * What an engine is filled with, read in one snapshot, partition by partition, in pages by key: a result of a million
 * rows would have to be held somewhere, and a stream that nobody drains for a while is cut off by the server.
 */
import type { Connection } from 'mariadb';
import { parseHold } from '../../stock/entry-codec.ts';
import type { ImageChunk, ImageCursor, ImageLevel } from '../../stock/stock-engine.ts';
import { readLayout } from './layout.ts';
import type { TableNames } from './projection-tables.ts';

const ROWS_PER_CHUNK = 4_000;

type Value = string | number | null;

export class ImageReader {
  readonly #connection: Connection;
  readonly #tables: TableNames;
  readonly #partitions: readonly number[];

  /** `partitions`: those that are wanted; the connection is within a snapshot. */
  constructor(connection: Connection, tables: TableNames, partitions: readonly number[]) {
    this.#connection = connection;
    this.#tables = tables;
    this.#partitions = partitions;
  }

  /** Rows of partitions that stopped at a mismatch are not to be believed: an engine fills them from entries alone. */
  async *image(closedSinceMs: number): AsyncGenerator<ImageChunk> {
    const { serving, stops } = await readLayout(this.#connection);
    const excluded = new Set(stops.filter(({ kind }) => kind === 'mismatch').map(({ partition }) => partition));
    const cursors = serving.cursors
      .filter(({ partition, seq }) => seq > 0 && this.#partitions.includes(partition) && !excluded.has(partition))
      .map(({ partition, seq, hash, at }): ImageCursor => ({ partition, seq, hash, at }));
    yield { kind: 'cursors', rows: cursors };
    for (const { partition } of cursors) yield* this.#settings(partition);
    for (const { partition } of cursors) yield* this.#levels(partition);
    for (const { partition } of cursors) yield* this.#openHolds(partition);
    for (const { partition } of cursors) yield* this.#closedHolds(partition, closedSinceMs);
  }

  /** The last setting of each store, then of each product. */
  async *#settings(partition: number): AsyncGenerator<ImageChunk> {
    const table = this.#tables('settings');
    for (const kind of ['store', 'product'] as const) {
      const rows = await this.#connection.query<
        { hqId: string; storeId: string; productId: string; safetyStock: number | null; lowThreshold: number | null }[]
      >(
        `select s.hq_id as hqId, s.store_id as storeId, s.product_id as productId, s.safety_stock as safetyStock,
           s.low_threshold as lowThreshold
         from (select hq_id, kind, store_id, product_id, max(seq) as seq from ${table}
               where partition_id = ? and kind = ? group by hq_id, kind, store_id, product_id) last
         join ${table} s on s.partition_id = ? and s.hq_id = last.hq_id and s.kind = last.kind
           and s.store_id = last.store_id and s.product_id = last.product_id and s.seq = last.seq`,
        [partition, kind, partition],
      );
      for (let start = 0; start < rows.length; start += ROWS_PER_CHUNK) {
        const page = rows.slice(start, start + ROWS_PER_CHUNK).map(({ safetyStock, lowThreshold, ...place }) => ({
          ...place,
          settings: { safetyStock, lowThreshold },
        }));
        yield kind === 'store'
          ? { kind: 'stores', rows: page.map(({ hqId, storeId, settings }) => ({ hqId, storeId, settings })) }
          : { kind: 'products', rows: page.map(({ hqId, productId, settings }) => ({ hqId, productId, settings })) };
      }
    }
  }

  async *#levels(partition: number): AsyncGenerator<ImageChunk> {
    const pages = readPages<LevelColumns>(this.#connection, {
      columns: `hq_id, store_id, product_id, on_hand, reserved, version, safety_stock, low_threshold, counted_at,
        count_seq, updated_at`,
      table: this.#tables('levels'),
      partition,
      key: ['hq_id', 'store_id', 'product_id'],
    });
    for await (const page of pages) yield { kind: 'levels', rows: page.map(levelOf) };
  }

  async *#openHolds(partition: number): AsyncGenerator<ImageChunk> {
    const pages = readPages<[reservationId: string, hqId: string, hold: string]>(this.#connection, {
      columns: 'reservation_id, hq_id, hold',
      table: this.#tables('open_reservations'),
      partition,
      key: ['reservation_id'],
    });
    for await (const page of pages) {
      yield { kind: 'holds', rows: page.map(([, hqId, hold]) => ({ hqId, hold: parseHold(hold), closedAt: null })) };
    }
  }

  /** Oldest first. Closing times rise within a partition, so the first that counts is searched for. */
  async *#closedHolds(partition: number, sinceMs: number): AsyncGenerator<ImageChunk> {
    const first = await this.#firstClosedSince(partition, sinceMs);
    if (first === null) return;
    const pages = readPages<[seq: number, n: number, hqId: string, hold: string, closedAt: number]>(this.#connection, {
      columns: 'seq, n, hq_id, hold, closed_at',
      table: this.#tables('closed_reservations'),
      partition,
      key: ['seq', 'n'],
      after: [first, -1],
    });
    for await (const page of pages) {
      const rows = page.map(([, , hqId, hold, closedAt]) => ({ hqId, hold: parseHold(hold), closedAt }));
      yield { kind: 'holds', rows };
    }
  }

  async #firstClosedSince(partition: number, sinceMs: number): Promise<number | null> {
    const table = this.#tables('closed_reservations');
    const [last] = await this.#connection.query<{ seq: number | null }[]>(
      `select max(seq) as seq from ${table} where partition_id = ?`,
      [partition],
    );
    if (last === undefined || last.seq === null) return null;
    let low = 0;
    let high = last.seq + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [row] = await this.#connection.query<{ seq: number; at: number }[]>(
        `select seq, closed_at as at from ${table} where partition_id = ? and seq >= ? order by seq limit 1`,
        [partition, middle],
      );
      if (row !== undefined && row.at < sinceMs) low = row.seq + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whole pages of rows as arrays, in the order of the key that is in their first columns. */
export async function* readPages<Columns extends readonly Value[]>(
  connection: Connection,
  scan: { columns: string; table: string; partition: number; key: readonly string[]; after?: readonly Value[] },
): AsyncGenerator<Columns[]> {
  let after = scan.after;
  for (;;) {
    const beyond = after === undefined ? { condition: 'true', values: [] } : beyondKey(scan.key, after);
    const page = await connection.query<Columns[]>(
      {
        sql: `select ${scan.columns} from ${scan.table} where partition_id = ? and ${beyond.condition}
              order by ${scan.key.join(', ')} limit ${ROWS_PER_CHUNK}`,
        rowsAsArray: true,
      },
      [scan.partition, ...beyond.values],
    );
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < ROWS_PER_CHUNK) return;
    after = last.slice(0, scan.key.length);
  }
}

/** Rows after a key, as ranges that an index serves: a comparison of tuples would scan from the beginning. */
function beyondKey(key: readonly string[], after: readonly Value[]): { condition: string; values: Value[] } {
  const conditions: string[] = [];
  const values: Value[] = [];
  for (let length = key.length; length > 0; length -= 1) {
    const equal = key.slice(0, length - 1).map((column) => `${column} = ?`);
    conditions.push(`(${[...equal, `${key[length - 1]} > ?`].join(' and ')})`);
    values.push(...after.slice(0, length));
  }
  return { condition: `(${conditions.join(' or ')})`, values };
}

type LevelColumns = [
  hqId: string,
  storeId: string,
  productId: string,
  onHand: number,
  reserved: number,
  version: number,
  safetyStock: number | null,
  lowThreshold: number | null,
  countedAt: number | null,
  countSeq: number | null,
  updatedAt: number,
];

function levelOf(row: LevelColumns): ImageLevel {
  const [hqId, storeId, productId, onHand, reserved, version, safetyStock, lowThreshold, ...times] = row;
  const [countedAt, countSeq, updatedAt] = times;
  const lastCount = countedAt === null || countSeq === null ? null : { countedAt, seq: countSeq };
  return { hqId, storeId, productId, onHand, reserved, version, safetyStock, lowThreshold, lastCount, updatedAt };
}
