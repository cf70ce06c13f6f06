/** Projected rows worked out naively from entries: what a database's rows are held against, and stand-in for one. */
import { ReplayedState } from '../../src/reconciliation/replayed-state.ts';
import type {
  ProjectedKeys,
  ProjectedLevel,
  ProjectedProduct,
  ProjectedReads,
  ProjectedRows,
} from '../../src/recording/cluster/projected-rows.ts';
import type { Settings } from '../../src/stock/commands.ts';
import type { Entry, Hold } from '../../src/stock/entry.ts';

export class ReplayedRows implements ProjectedReads {
  readonly #state = new ReplayedState();
  readonly #holds = new Map<string, { hqId: string; hold: Hold }>();
  readonly #settings = new Map<string, Settings>();
  readonly #seqs = new Map<number, number>();

  apply(entry: Entry): void {
    const { command, hqId } = entry;
    this.#state.apply(entry);
    for (const hold of entry.holds) this.#holds.set(hold.reservationId, { hqId, hold });
    if (command.type === 'configure-store') this.#settings.set(`${hqId}/store/${command.storeId}`, command.settings);
    if (command.type === 'configure-product') this.#settings.set(`${hqId}/${command.productId}`, command.settings);
    this.#seqs.set(entry.partition, entry.seq);
  }

  async read(keys: readonly ProjectedKeys[]): Promise<ProjectedRows[]> {
    return keys.map((each) => this.#answer(each));
  }

  #answer({ partition, levels, products, stores, reservationIds }: ProjectedKeys): ProjectedRows {
    return {
      partition,
      seq: this.#seqs.get(partition) ?? 0,
      levels: levels.map(({ hqId, storeId, productId }) => this.#level(hqId, storeId, productId)),
      products: products.map(({ hqId, productId }) => this.#product(hqId, productId)),
      stores: stores.map(({ hqId, storeId }) => this.#settings.get(`${hqId}/store/${storeId}`) ?? null),
      holds: reservationIds.map((reservationId) => this.#holds.get(reservationId) ?? null),
    };
  }

  #level(hqId: string, storeId: string, productId: string): ProjectedLevel | null {
    return this.#state.hq(hqId).level(storeId, productId) ?? null;
  }

  #product(hqId: string, productId: string): ProjectedProduct | null {
    const hq = this.#state.hq(hqId);
    if (!hq.products.has(productId)) return null;
    const { onHand, reserved, safetyStock } = hq.totalsRead(productId);
    return { settings: this.#settings.get(`${hqId}/${productId}`) ?? null, onHand, reserved, safetyStock };
  }
}
