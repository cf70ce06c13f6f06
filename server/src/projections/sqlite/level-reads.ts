import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { available } from '../../stock/entry.ts';
import { partitionOf } from '../../stock/identifiers.ts';
import type { LevelQuery, LevelRow, OnHandThen } from '../history-reads.ts';
import type { Keyed, LevelPageKey, Rows } from '../projection-store.ts';
import { effectiveSettings } from '../settings.ts';
import { type EntryReads, SettingsThen } from './read-tables.ts';

/** Levels that are looked at before other reads get their turn. */
const SCAN_MAX = 5_000;

interface FoundLevel {
  levelId: number;
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  version: number;
  safetyStock: number | null;
  lowThreshold: number | null;
  updatedAt: number;
}

interface LevelThen {
  onHand: number;
  reserved: number;
  version: number;
  updatedAt: number;
}

/** The places that a query names, each served by one index in the order of the page. */
const PLACES = {
  all: '(k.store_id, k.product_id) > (?, ?)',
  store: 'k.store_id = ? and k.product_id > ?',
  product: 'k.product_id = ? and k.store_id > ?',
  level: 'k.store_id = ? and k.product_id = ? and (k.store_id, k.product_id) > (?, ?)',
};

/** In the order of store, then product. */
export class LevelReads {
  readonly #entries: EntryReads;
  readonly #pages: Record<keyof typeof PLACES, StatementSync>;
  readonly #settings: StatementSync;
  readonly #levelAt: StatementSync;
  readonly #laterCounts: StatementSync;
  readonly #lastCount: StatementSync;

  constructor(database: DatabaseSync, entries: EntryReads) {
    this.#entries = entries;
    const page = (place: keyof typeof PLACES) =>
      database.prepare(
        `select k.level_id as levelId, k.store_id as storeId, k.product_id as productId, l.on_hand as onHand,
           l.reserved, l.version, l.safety_stock as safetyStock, l.low_threshold as lowThreshold, l.updated_at as updatedAt
         from level_keys k cross join levels l on l.level_id = k.level_id
         where k.hq_no = ? and ${PLACES[place]} order by k.store_id, k.product_id limit ?`,
      );
    this.#pages = { all: page('all'), store: page('store'), product: page('product'), level: page('level') };
    this.#settings = SettingsThen.prepare(database);
    this.#levelAt = database.prepare(
      `select on_hand as onHand, reserved, version, at as updatedAt from movements
       where level_id = ? and seq <= ? order by seq desc, line desc limit 1`,
    );
    this.#laterCounts = database.prepare(
      'select coalesce(sum(difference), 0) as difference from counts where level_id = ? and seq > ? and counted_at <= ?',
    );
    this.#lastCount = database.prepare(
      `select k.level_id as levelId, l.counted_at as countedAt, l.count_seq as seq
       from level_keys k cross join levels l on l.level_id = k.level_id
       where k.hq_no = ? and k.store_id = ? and k.product_id = ?`,
    );
  }

  /** One step of a page: looks at no more than `SCAN_MAX` levels; `next` resumes after them. */
  page(query: Keyed<LevelQuery, LevelPageKey>, hqNo: number): Rows<LevelRow, LevelPageKey> {
    const seq =
      query.asOf === undefined ? Number.MAX_SAFE_INTEGER : this.#entries.seqAt(partitionOf(query.hqId), query.asOf);
    const settings = new SettingsThen(this.#settings, hqNo, seq);
    const scanned = query.lowStock === true || query.asOf !== undefined ? SCAN_MAX : query.limit + 1;
    const found = this.#scan(query, hqNo, scanned);
    const items: LevelRow[] = [];
    for (const level of found) {
      const row =
        query.asOf === undefined
          ? this.#now(level, query.hqId, settings)
          : this.#then(level, query.hqId, seq, settings);
      if (row === null || (query.lowStock === true && !isLow(row))) continue;
      if (items.length === query.limit) return { items, next: keyOf(items.at(-1)) };
      items.push(row);
    }
    return { items, next: found.length < scanned ? null : keyOf(found.at(-1)) };
  }

  #scan({ storeId, productId, after }: Keyed<LevelQuery, LevelPageKey>, hqNo: number, limit: number): FoundLevel[] {
    const [afterStore, afterProduct] = after ?? ['', ''];
    const rows = () => {
      if (storeId !== undefined && productId !== undefined) {
        return this.#pages.level.all(hqNo, storeId, productId, afterStore, afterProduct, limit);
      }
      if (storeId !== undefined) return this.#pages.store.all(hqNo, storeId, afterProduct, limit);
      if (productId !== undefined) return this.#pages.product.all(hqNo, productId, afterStore, limit);
      return this.#pages.all.all(hqNo, afterStore, afterProduct, limit);
    };
    return rows() as unknown as FoundLevel[];
  }

  #now({ levelId: _, ...level }: FoundLevel, hqId: string, settings: SettingsThen): LevelRow {
    const product = settings.product(level.productId);
    return { hqId, ...level, ...effectiveSettings(level, product, settings.store(level.storeId)) };
  }

  #then(
    { levelId, storeId, productId }: FoundLevel,
    hqId: string,
    seq: number,
    settings: SettingsThen,
  ): LevelRow | null {
    const then = this.#levelAt.get(levelId, seq) as unknown as LevelThen | undefined;
    if (then === undefined) return null;
    const own = settings.level(storeId, productId);
    const effective = effectiveSettings(own, settings.product(productId), settings.store(storeId));
    return { hqId, storeId, productId, ...then, ...effective };
  }

  onHandAt(
    hqId: string,
    hqNo: number | null,
    keys: readonly { storeId: string; productId: string }[],
    at: number,
  ): OnHandThen[] {
    const seq = this.#entries.seqAt(partitionOf(hqId), at);
    return keys.map(({ storeId, productId }) => {
      const count = hqNo === null ? undefined : (this.#lastCount.get(hqNo, storeId, productId) as CountRow | undefined);
      if (count === undefined) return { storeId, productId, onHand: 0, lastCount: null };
      const then = this.#levelAt.get(count.levelId, seq) as unknown as LevelThen | undefined;
      const { difference } = this.#laterCounts.get(count.levelId, seq, at) as { difference: number };
      const lastCount = count.countedAt === null ? null : { countedAt: count.countedAt, seq: count.seq };
      return { storeId, productId, onHand: (then?.onHand ?? 0) + difference, lastCount };
    });
  }
}

interface CountRow {
  levelId: number;
  countedAt: number | null;
  seq: number;
}

function isLow(level: LevelRow): boolean {
  return level.lowThreshold !== null && available(level) <= level.lowThreshold;
}

function keyOf(row: { storeId: string; productId: string } | undefined): LevelPageKey | null {
  return row === undefined ? null : [row.storeId, row.productId];
}
