/** Projected rows worked out naively from entries: what a database's rows are held against, and stand-in for one. */
import { ReplayedState } from '../../src/reconciliation/replayed-state.ts';
import type {
  ProjectedKeys,
  ProjectedLevel,
  ProjectedRows,
  ProjectedState,
  ProjectedTotals,
} from '../../src/recording/cluster/projected-rows.ts';
import type { Entry, Hold } from '../../src/stock/entry.ts';
import { HQ_POOL } from '../../src/stock/limits.ts';
import type { ImageCursor } from '../../src/stock/stock-engine.ts';

export class ReplayedRows implements ProjectedRows {
  readonly #state = new ReplayedState();
  readonly #holds = new Map<string, { hqId: string; hold: Hold }>();
  readonly #cursors = new Map<number, ImageCursor>();

  apply(entry: Entry, hash: string): void {
    this.#state.apply(entry);
    for (const hold of entry.holds) this.#holds.set(hold.reservationId, { hqId: entry.hqId, hold });
    const { partition, seq, at } = entry;
    this.#cursors.set(partition, { partition, seq, hash, at });
  }

  async read(keys: readonly ProjectedKeys[]): Promise<(ProjectedState | null)[]> {
    return keys.map((each) => this.#answer(each));
  }

  #answer(keys: ProjectedKeys): ProjectedState | null {
    const cursor = this.#cursors.get(keys.partition);
    if (cursor === undefined) return null;
    return {
      cursor,
      levels: keys.levels.map(({ hqId, storeId, productId }) => this.#level(hqId, storeId, productId)),
      totals: keys.totals.map(({ hqId, productId }) => this.#totals(hqId, productId)),
      stores: keys.stores.map(({ hqId, storeId }) =>
        storeId === HQ_POOL ? null : (this.#state.hq(hqId).stores.get(storeId) ?? null),
      ),
      products: keys.products.map(({ hqId, productId }) => {
        const configured = this.#state.hq(hqId).products.get(productId);
        return configured?.settings ?? null;
      }),
      holds: keys.holds.map((reservationId) => this.#holds.get(reservationId) ?? null),
    };
  }

  #level(hqId: string, storeId: string, productId: string): ProjectedLevel {
    const hq = this.#state.hq(hqId);
    const own = hq.level(storeId, productId)?.own ?? null;
    return { ...hq.levelRead(storeId, productId), own };
  }

  #totals(hqId: string, productId: string): ProjectedTotals {
    const hq = this.#state.hq(hqId);
    return { ...hq.totalsRead(productId), followers: hq.followers(productId) };
  }
}
