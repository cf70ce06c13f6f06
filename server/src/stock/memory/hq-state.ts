import type { Command, CountMark, Settings } from '../commands.ts';
import type { Hold, LevelRead, Read, SettingsRead, TotalsRead } from '../entry.ts';
import { HQ_POOL } from '../limits.ts';
import { type LevelKey, levelsToRead, productsToKnow, storesToKnow } from '../rules/read-plan.ts';

const NO_SETTINGS: Settings = { safetyStock: null, lowThreshold: null };

/** One product at one location. Null settings: the product's or the store's apply. */
export class Level {
  onHand = 0;
  reserved = 0;
  version = 0;
  safetyStock: number | null = null;
  lowThreshold: number | null = null;
  lastCount: CountMark | null = null;
}

export class Product {
  settings: Settings = NO_SETTINGS;
  onHand = 0;
  reserved = 0;
  safetyStock = 0;
  updatedAt = 0;
  readonly levels = new Map<string, Level>();
}

/** The stock of one HQ: its known stores and products, and the levels that were ever written. */
export class HqState {
  readonly stores = new Map<string, Settings>([[HQ_POOL, NO_SETTINGS]]);
  readonly products = new Map<string, Product>();

  /** All that the rules need to decide the command. */
  read(command: Command, holds: Hold[]): Read {
    const unknownStore = storesToKnow(command).find((storeId) => !this.stores.has(storeId));
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

  readLevel(key: LevelKey): LevelRead | null {
    return this.stores.has(key.storeId) && this.products.has(key.productId) ? this.#readLevel(key, false) : null;
  }

  #readLevel({ storeId, productId }: LevelKey, withCount: boolean): LevelRead {
    const product = this.products.get(productId);
    const level = product?.levels.get(storeId);
    const read: LevelRead = {
      storeId,
      productId,
      onHand: level?.onHand ?? 0,
      reserved: level?.reserved ?? 0,
      safetyStock: level?.safetyStock ?? product?.settings.safetyStock ?? 0,
      lowThreshold:
        level?.lowThreshold ?? product?.settings.lowThreshold ?? this.stores.get(storeId)?.lowThreshold ?? null,
      version: level?.version ?? 0,
    };
    if (withCount) read.lastCount = level?.lastCount ?? null;
    return read;
  }

  /** Levels whose safety stock is the product's: a new default changes what is available there. */
  #levelsOnDefault(productId: string): LevelRead[] {
    const product = this.products.get(productId);
    if (product === undefined) return [];
    const followers = [...product.levels].filter(([, level]) => level.safetyStock === null);
    return followers.map(([storeId]) => this.#readLevel({ storeId, productId }, false));
  }

  #readTotals(levels: readonly LevelRead[]): TotalsRead[] {
    const first = levels[0];
    if (first === undefined) return [];
    if (levels.length === 1) return [this.readTotals(first.productId)];
    const productIds = new Set(levels.map((level) => level.productId));
    return [...productIds].map((productId) => this.readTotals(productId));
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
        return { current: this.stores.get(command.storeId) ?? null, fallback: NO_SETTINGS };
      case 'configure-product':
        return { current: this.products.get(command.productId)?.settings ?? null, fallback: NO_SETTINGS };
      case 'configure-level': {
        const product = this.products.get(command.productId);
        const level = product?.levels.get(command.storeId);
        return {
          current: level === undefined ? null : { safetyStock: level.safetyStock, lowThreshold: level.lowThreshold },
          fallback: {
            safetyStock: product?.settings.safetyStock ?? null,
            lowThreshold: product?.settings.lowThreshold ?? this.stores.get(command.storeId)?.lowThreshold ?? null,
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
}
