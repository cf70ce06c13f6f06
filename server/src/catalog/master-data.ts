/**
 * Stores and products are rows for people and settings for the engine. The row is written first, with its audit;
 * then a journalled command makes it known. Rows keep count of what the engine has heard of, so that a crash between
 * the two is found and healed at the next start (`reconcile`).
 */
import type { CommandExecutor, Execution } from '../recording/command-executor.ts';
import type { ConfigureProduct, ConfigureStore } from '../stock/commands.ts';
import type { Provenance } from '../stock/entry.ts';
import type { Catalog, ConfiguredMark, MasterChange, Pending, Product, PutResult, Store } from './catalog.ts';

/** Rows of one bulk write: its transaction is short, and its commands fit into the recorder's queue many times. */
const BULK_ROWS_MAX = 500;

const RECONCILER: Pick<Provenance, 'actor' | 'origin' | 'causationId'> = {
  actor: { subject: 'holdfast', role: 'system' },
  origin: 'reconcile',
  causationId: null,
};

export interface MasterDataParts {
  catalog: Catalog;
  executor: CommandExecutor;
}

export interface PutAnswer {
  created: boolean;
  /** `recorded` or not done: then the same write may be repeated. */
  execution: Execution;
}

/** Some rows of a bulk write are not known to the engine yet; writing them again makes them so. */
export class NotConfigured extends Error {
  readonly execution: Execution;

  constructor(execution: Execution) {
    super('the ledger takes no commands now; the same rows may be written again');
    this.name = 'NotConfigured';
    this.execution = execution;
  }
}

export class MasterData {
  readonly #catalog: Catalog;
  readonly #executor: CommandExecutor;
  /** Writes of one HQ follow each other: the last row and the last command are those of the same write. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor({ catalog, executor }: MasterDataParts) {
    this.#catalog = catalog;
    this.#executor = executor;
  }

  putStore(change: MasterChange, store: Store): Promise<PutAnswer> {
    return this.#inTurn(change.hqId, async () => {
      const [put] = await this.#catalog.putStores(change, [store]);
      return this.#makeKnown(change, { ...(put as PutResult), kind: 'store', row: store });
    });
  }

  putProduct(change: MasterChange, product: Product): Promise<PutAnswer> {
    return this.#inTurn(change.hqId, async () => {
      const [put] = await this.#catalog.putProducts(change, [product]);
      return this.#makeKnown(change, { ...(put as PutResult), kind: 'product', row: product });
    });
  }

  /**
   * Creates a product and makes it known; one that is there stays as it is, but is made known if it is not yet.
   * @throws NotConfigured, CatalogUnavailable: repeat it.
   */
  addProduct(change: MasterChange, product: Product): Promise<{ created: boolean }> {
    const { hqId, provenance } = change;
    return this.#inTurn(hqId, async () => {
      const { created, revision, pending } = await this.#catalog.addProduct(change, product);
      if (pending) {
        const row = (await this.#catalog.product(hqId, product.productId)) ?? product;
        await this.#makeAllKnown(provenance, [{ hqId, kind: 'product', revision, row }]);
      }
      return { created };
    });
  }

  /**
   * Up to `BULK_ROWS_MAX` distinct stores. What is as it was already costs no command.
   * @throws NotConfigured, CatalogUnavailable: repeat the write.
   */
  putStores(change: MasterChange, stores: readonly Store[]): Promise<{ created: boolean }[]> {
    return this.#inTurn(change.hqId, async () => {
      const puts = await this.#catalog.putStores(change, stores);
      await this.#makeAllKnown(
        change.provenance,
        puts.flatMap(({ pending, revision }, index) =>
          pending ? [{ hqId: change.hqId, kind: 'store' as const, revision, row: stores[index] as Store }] : [],
        ),
      );
      return puts;
    });
  }

  putProducts(change: MasterChange, products: readonly Product[]): Promise<{ created: boolean }[]> {
    return this.#inTurn(change.hqId, async () => {
      const puts = await this.#catalog.putProducts(change, products);
      await this.#makeAllKnown(
        change.provenance,
        puts.flatMap(({ pending, revision }, index) =>
          pending ? [{ hqId: change.hqId, kind: 'product' as const, revision, row: products[index] as Product }] : [],
        ),
      );
      return puts;
    });
  }

  /** Tells the engine of every row that it has not heard of; returns how many there were. Run once it is open. */
  async reconcile(): Promise<number> {
    let healed = 0;
    for (;;) {
      const pending = await this.#catalog.pending(BULK_ROWS_MAX);
      if (pending.length === 0) return healed;
      await this.#makeAllKnown({ ...RECONCILER, correlationId: `reconcile-${healed}` }, pending);
      healed += pending.length;
    }
  }

  async #makeKnown(
    { hqId, provenance }: MasterChange,
    put: PutResult & ({ kind: 'store'; row: Store } | { kind: 'product'; row: Product }),
  ): Promise<PutAnswer> {
    const pending = { hqId, ...put };
    const execution = await this.#configure(provenance, pending);
    if (execution.status === 'recorded') await this.#mark(provenance, hqId, [markOf(pending)]);
    return { created: put.created, execution };
  }

  async #makeAllKnown(provenance: Provenance, rows: readonly Pending[]): Promise<void> {
    const executions = await Promise.all(rows.map((row) => this.#configure(provenance, row)));
    const recorded = Map.groupBy(
      rows.filter((_, index) => executions[index]?.status === 'recorded'),
      ({ hqId }) => hqId,
    );
    for (const [hqId, known] of recorded) await this.#mark(provenance, hqId, known.map(markOf));
    const refused = executions.find(({ status }) => status !== 'recorded');
    if (refused !== undefined) throw new NotConfigured(refused);
  }

  /** Marks what the engine has heard of, and tells it once more of what was overtaken meanwhile. */
  async #mark(provenance: Provenance, hqId: string, marks: readonly ConfiguredMark[]): Promise<void> {
    const overtaken = await this.#catalog.markConfigured(hqId, marks);
    if (overtaken.length > 0) await this.#makeAllKnown(provenance, overtaken);
  }

  #configure(provenance: Provenance, pending: Pending): Promise<Execution> {
    const { actor, origin, correlationId, causationId } = provenance;
    return this.#executor.execute({
      actor,
      origin,
      correlationId,
      causationId,
      hqId: pending.hqId,
      operationId: null,
      fingerprint: null,
      command: commandOf(pending),
    });
  }

  #inTurn<T>(hqId: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#tails.get(hqId) ?? Promise.resolve()).then(work);
    const tail = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(hqId) === tail) this.#tails.delete(hqId);
      });
    this.#tails.set(hqId, tail);
    return turn;
  }
}

function commandOf(pending: Pending): ConfigureStore | ConfigureProduct {
  if (pending.kind === 'store') {
    const { storeId, lowThreshold } = pending.row;
    return { type: 'configure-store', storeId, settings: { safetyStock: null, lowThreshold } };
  }
  const { productId, safetyStock, lowThreshold } = pending.row;
  return { type: 'configure-product', productId, settings: { safetyStock, lowThreshold } };
}

function markOf(pending: Pending): ConfiguredMark {
  const id = pending.kind === 'store' ? pending.row.storeId : pending.row.productId;
  return { kind: pending.kind, id, revision: pending.revision };
}
