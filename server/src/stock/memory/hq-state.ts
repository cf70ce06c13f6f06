import type { Command, CountMark, Settings } from '../commands.ts';
import type { Hold, LevelRead, Read, SettingsRead, TotalsRead } from '../entry.ts';
import { HQ_POOL } from '../limits.ts';
import { type LevelKey, levelsToRead, productsToKnow, storesToKnow } from '../rules/read-plan.ts';
import type { LevelView } from '../stock-engine.ts';

const NO_SETTINGS: Settings = { safetyStock: null, lowThreshold: null };

/** One product at one location. Null settings: the product's or the store's apply. */
export class Level {
  readonly storeId: string;
  onHand = 0;
  reserved = 0;
  version = 0;
  safetyStock: number | null = null;
  lowThreshold: number | null = null;
  lastCount: CountMark | null = null;

  constructor(storeId: string) {
    this.storeId = storeId;
  }
}

export class Product {
  settings: Settings = NO_SETTINGS;
  onHand = 0;
  reserved = 0;
  safetyStock = 0;
  updatedAt = 0;
  /** By the store's number, with holes: a map for each product is larger, and a level in it further away. */
  readonly levels: (Level | undefined)[] = [];
}

class Store {
  readonly number: number;
  /** Null: the store is not known. */
  settings: Settings | null = null;

  constructor(number: number) {
    this.number = number;
  }
}

/** The stock of one HQ: its known stores and products, and the levels that were ever written. */
export class HqState {
  readonly products = new Map<string, Product>();
  readonly #stores = new Map<string, Store>();

  constructor() {
    this.configureStore(HQ_POOL, NO_SETTINGS);
  }

  /** The store is known from now on. */
  configureStore(storeId: string, settings: Settings): void {
    this.#store(storeId).settings = settings;
  }

  #store(storeId: string): Store {
    let store = this.#stores.get(storeId);
    if (store === undefined) {
      store = new Store(this.#stores.size);
      this.#stores.set(storeId, store);
    }
    return store;
  }

  #storeSettings(storeId: string): Settings | null {
    return this.#stores.get(storeId)?.settings ?? null;
  }

  /** All that the rules need to decide the command. */
  read(command: Command, holds: Hold[]): Read {
    const unknownStore = storesToKnow(command).find((storeId) => this.#storeSettings(storeId) === null);
    if (unknownStore !== undefined) return { unknownStore, levels: [], totals: [], holds: [] };
    const unknownProduct = productsToKnow(command).find((productId) => !this.products.has(productId));
    if (unknownProduct !== undefined) return { unknownProduct, levels: [], totals: [], holds: [] };
    const levels =
      command.type === 'configure-product'
        ? this.#levelsOnDefault(command.productId)
        : levelsToRead(command, holds).map((key) => this.#readLevel(key, command.type === 'count'));
    const read: Read = { levels, totals: this.#readTotals(levels), holds };
    const settings = this.#readSettings(command);
    if (settings !== null) read.settings = settings;
    return read;
  }

  /** What callers are shown of a level; null: its store or its product is unknown. */
  levelView(key: LevelKey): LevelView | null {
    const product = this.products.get(key.productId);
    const store = this.#stores.get(key.storeId);
    if (product === undefined || store === undefined || store.settings === null) return null;
    return { ...levelRead(key, product, store), hqOnHand: product.onHand };
  }

  #readLevel(key: LevelKey, withCount: boolean): LevelRead {
    const product = this.products.get(key.productId);
    const store = this.#stores.get(key.storeId);
    const read = levelRead(key, product, store);
    if (withCount) read.lastCount = levelAt(product, store)?.lastCount ?? null;
    return read;
  }

  /** Levels whose safety stock is the product's: a new default changes what is available there. */
  #levelsOnDefault(productId: string): LevelRead[] {
    const reads: LevelRead[] = [];
    this.products.get(productId)?.levels.forEach((level) => {
      if (level?.safetyStock === null) reads.push(this.#readLevel({ storeId: level.storeId, productId }, false));
    });
    return reads;
  }

  /** The totals of these levels' products, each once, in the order of their first level. */
  #readTotals(levels: readonly LevelRead[]): TotalsRead[] {
    const first = levels[0];
    if (first === undefined) return [];
    if (levels.length === 1) return [this.readTotals(first.productId)];
    const productIds = new Set<string>();
    for (const { productId } of levels) productIds.add(productId);
    const totals: TotalsRead[] = [];
    for (const productId of productIds) totals.push(this.readTotals(productId));
    return totals;
  }

  readTotals(productId: string): TotalsRead {
    const product = this.products.get(productId);
    return {
      productId,
      onHand: product?.onHand ?? 0,
      reserved: product?.reserved ?? 0,
      safetyStock: product?.safetyStock ?? 0,
    };
  }

  #readSettings(command: Command): SettingsRead | null {
    switch (command.type) {
      case 'configure-store':
        return { current: this.#storeSettings(command.storeId), fallback: NO_SETTINGS };
      case 'configure-product':
        return { current: this.products.get(command.productId)?.settings ?? null, fallback: NO_SETTINGS };
      case 'configure-level': {
        const { productId, storeId } = command;
        const product = this.products.get(productId);
        const level = this.levelOf(product, storeId);
        return {
          current: level === undefined ? null : { safetyStock: level.safetyStock, lowThreshold: level.lowThreshold },
          fallback: {
            safetyStock: product?.settings.safetyStock ?? null,
            lowThreshold: product?.settings.lowThreshold ?? this.#storeSettings(storeId)?.lowThreshold ?? null,
          },
        };
      }
      default:
        return null;
    }
  }

  /** The product, known from now on. */
  product(productId: string): Product {
    let product = this.products.get(productId);
    if (product === undefined) {
      product = new Product();
      this.products.set(productId, product);
    }
    return product;
  }

  /** Undefined: it has never been written. */
  levelOf(product: Product | undefined, storeId: string): Level | undefined {
    return levelAt(product, this.#stores.get(storeId));
  }

  addLevel(product: Product, storeId: string): Level {
    const level = new Level(storeId);
    product.levels[this.#store(storeId).number] = level;
    return level;
  }
}

function levelAt(product: Product | undefined, store: Store | undefined): Level | undefined {
  return store === undefined ? undefined : product?.levels[store.number];
}

function levelRead(
  { storeId, productId }: LevelKey,
  product: Product | undefined,
  store: Store | undefined,
): LevelRead {
  const level = levelAt(product, store);
  return {
    storeId,
    productId,
    onHand: level?.onHand ?? 0,
    reserved: level?.reserved ?? 0,
    safetyStock: level?.safetyStock ?? product?.settings.safetyStock ?? 0,
    lowThreshold: level?.lowThreshold ?? product?.settings.lowThreshold ?? store?.settings?.lowThreshold ?? null,
    version: level?.version ?? 0,
  };
}
