/**
 * What an engine is filled with, read in one snapshot. It runs in the thread of the engine: handing a million rows
 * from thread to thread costs more than reading them. Ids repeat in a million rows, so each text is kept once.
 */
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hold } from '../../stock/entry.ts';
import { parseHold } from '../../stock/entry-codec.ts';
import { partitionOf } from '../../stock/identifiers.ts';
import type { ImageChunk, ImageCursor, ImageLevel } from '../../stock/stock-engine.ts';

const ROWS_PER_CHUNK = 4_000;

type ChunkOf<Kind extends ImageChunk['kind']> = Extract<ImageChunk, { kind: Kind }>;

/** One string for all equal ones. */
class Texts {
  readonly #known = new Map<string, string>();

  one(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#known.set(text, text);
    return text;
  }
}

export class ImageReader {
  readonly #database: DatabaseSync;
  readonly #excluded: ReadonlySet<number>;
  readonly #texts = new Texts();
  readonly #hqs = new Map<number, string>();

  /** `excluded`: partitions whose rows are not to be believed; an engine fills them from the entries alone. */
  constructor(database: DatabaseSync, excluded: ReadonlySet<number>) {
    this.#database = database;
    this.#excluded = excluded;
  }

  async *image(closedSinceMs: number): AsyncGenerator<ImageChunk> {
    this.#database.exec('begin');
    try {
      const cursors = this.#cursors();
      yield { kind: 'cursors', rows: cursors };
      this.#readHqs();
      for (const chunks of [this.#stores(), this.#products(), this.#levels(), this.#openHolds()]) {
        for (const chunk of chunks) {
          yield chunk;
          await nextTurn();
        }
      }
      for (const { partition } of cursors) yield* this.#closedHolds(partition, closedSinceMs);
    } finally {
      this.#database.exec('commit');
    }
  }

  #cursors(): ImageCursor[] {
    const rows = this.#database
      .prepare(
        `select partition_id as "partition", seq, hash, at from cursors
         where name = 'levels' and state = 'serving' and seq > 0 order by partition_id`,
      )
      .all() as unknown as ImageCursor[];
    return rows.filter(({ partition }) => !this.#excluded.has(partition));
  }

  #readHqs(): void {
    const rows = this.#database.prepare('select hq_no as hqNo, hq_id as hqId from hqs').all();
    for (const { hqNo, hqId } of rows as { hqNo: number; hqId: string }[]) {
      if (!this.#excluded.has(partitionOf(hqId))) this.#hqs.set(hqNo, hqId);
    }
  }

  *#stores(): Generator<ChunkOf<'stores'>> {
    for (const rows of this.#settings('store')) {
      yield { kind: 'stores', rows: rows.map(({ hqId, storeId, settings }) => ({ hqId, storeId, settings })) };
    }
  }

  *#products(): Generator<ChunkOf<'products'>> {
    for (const rows of this.#settings('product')) {
      yield { kind: 'products', rows: rows.map(({ hqId, productId, settings }) => ({ hqId, productId, settings })) };
    }
  }

  /** The last setting of each store or product: SQLite takes the other columns from the row that holds the maximum. */
  #settings(kind: 'store' | 'product') {
    const rows = this.#database
      .prepare(
        `select hq_no as hqNo, store_id as storeId, product_id as productId, safety_stock as safetyStock,
           low_threshold as lowThreshold, max(seq) as seq
         from settings where kind = ? group by hq_no, store_id, product_id`,
      )
      .iterate(kind);
    return this.#chunks(
      rows as unknown as Iterable<Numbered & { storeId: string; productId: string } & Settled>,
      (hqId, { storeId, productId, safetyStock, lowThreshold }) => ({
        hqId,
        storeId: this.#texts.one(storeId),
        productId: this.#texts.one(productId),
        settings: { safetyStock, lowThreshold },
      }),
    );
  }

  *#levels(): Generator<ChunkOf<'levels'>> {
    const rows = this.#database
      .prepare(
        `select k.hq_no as hqNo, k.store_id as storeId, k.product_id as productId, l.on_hand as onHand, l.reserved,
           l.version, l.safety_stock as safetyStock, l.low_threshold as lowThreshold,
           l.counted_at as countedAt, l.count_seq as countSeq
         from levels l cross join level_keys k on k.level_id = l.level_id`,
      )
      .iterate();
    const chunks = this.#chunks(rows as unknown as Iterable<LevelColumns>, (hqId, row) => this.#level(hqId, row));
    for (const levels of chunks) yield { kind: 'levels', rows: levels };
  }

  #level(hqId: string, row: LevelColumns): ImageLevel {
    return {
      hqId,
      storeId: this.#texts.one(row.storeId),
      productId: this.#texts.one(row.productId),
      onHand: row.onHand,
      reserved: row.reserved,
      version: row.version,
      safetyStock: row.safetyStock,
      lowThreshold: row.lowThreshold,
      lastCount: row.countedAt === null ? null : { countedAt: row.countedAt, seq: row.countSeq },
    };
  }

  *#openHolds(): Generator<ChunkOf<'holds'>> {
    const rows = this.#database.prepare('select hq_no as hqNo, hold from open_reservations').iterate();
    const chunks = this.#chunks(rows as unknown as Iterable<Numbered & { hold: string }>, (hqId, { hold }) => ({
      hqId,
      hold: this.#hold(hold),
      closedAt: null,
    }));
    for (const holds of chunks) yield { kind: 'holds', rows: holds };
  }

  /** Oldest first. Closing times rise within a partition, so the first that counts is searched for. */
  *#closedHolds(partition: number, sinceMs: number): Generator<ChunkOf<'holds'>> {
    const rows = this.#database
      .prepare(
        `select hq_no as hqNo, hold, closed_at as closedAt from closed_reservations
         where partition_id = ? and seq >= ? order by seq, n`,
      )
      .iterate(partition, this.#firstClosedSince(partition, sinceMs));
    const chunks = this.#chunks(
      rows as unknown as Iterable<Numbered & { hold: string; closedAt: number }>,
      (hqId, { hold, closedAt }) => ({ hqId, hold: this.#hold(hold), closedAt }),
    );
    for (const holds of chunks) yield { kind: 'holds', rows: holds };
  }

  #firstClosedSince(partition: number, sinceMs: number): number {
    const next = this.#database.prepare(
      'select seq, closed_at as at from closed_reservations where partition_id = ? and seq >= ? order by seq limit 1',
    );
    const last = this.#database
      .prepare('select max(seq) as seq from closed_reservations where partition_id = ?')
      .get(partition) as { seq: number | null };
    let low = 0;
    let high = (last.seq ?? 0) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = next.get(partition, middle) as { seq: number; at: number } | undefined;
      if (row !== undefined && row.at < sinceMs) low = row.seq + 1;
      else high = middle;
    }
    return low;
  }

  #hold(text: string): Hold {
    const hold = parseHold(text);
    hold.storeId = this.#texts.one(hold.storeId);
    for (const item of hold.items) {
      item.storeId = this.#texts.one(item.storeId);
      item.productId = this.#texts.one(item.productId);
    }
    return hold;
  }

  *#chunks<Row extends Numbered, T>(rows: Iterable<Row>, make: (hqId: string, row: Row) => T): Generator<T[]> {
    let chunk: T[] = [];
    for (const row of rows) {
      const hqId = this.#hqs.get(row.hqNo);
      if (hqId === undefined) continue;
      chunk.push(make(hqId, row));
      if (chunk.length < ROWS_PER_CHUNK) continue;
      yield chunk;
      chunk = [];
    }
    if (chunk.length > 0) yield chunk;
  }
}

interface Numbered {
  hqNo: number;
}

interface Settled {
  safetyStock: number | null;
  lowThreshold: number | null;
}

interface LevelColumns extends Numbered, Settled {
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  version: number;
  countedAt: number | null;
  countSeq: number;
}
