/**
 * What the entries make of the stock, worked out by whoever proves them: apart from the engine, so that a fault of
 * the engine does not prove itself. Memory is bounded by the number of levels and of open holds.
 */
import type { CountMark, Settings } from '../stock/commands.ts';
import {
  changesOf,
  type Entry,
  type Hold,
  isOpen,
  type LevelRead,
  type SettingsRead,
  type TotalsRead,
} from '../stock/entry.ts';
import { HQ_POOL } from '../stock/limits.ts';

const UNSET: Settings = { safetyStock: null, lowThreshold: null };

export interface ReplayedLevel {
  onHand: number;
  reserved: number;
  version: number;
  own: Settings;
  lastCount: CountMark | null;
}

class ReplayedProduct {
  settings: Settings = UNSET;
  onHand = 0;
  reserved = 0;
  /** The sum of what is kept back at the levels, each by its own value or the product's. */
  safetyStock = 0;
  readonly levels = new Map<string, ReplayedLevel>();
}

export class ReplayedHq {
  readonly stores = new Map<string, Settings>([[HQ_POOL, UNSET]]);
  readonly products = new Map<string, ReplayedProduct>();

  level(storeId: string, productId: string): ReplayedLevel | undefined {
    return this.products.get(productId)?.levels.get(storeId);
  }

  /** The level as a command must find it now. */
  levelRead(storeId: string, productId: string): LevelRead {
    const product = this.products.get(productId);
    const level = product?.levels.get(storeId);
    return {
      storeId,
      productId,
      onHand: level?.onHand ?? 0,
      reserved: level?.reserved ?? 0,
      safetyStock: level?.own.safetyStock ?? product?.settings.safetyStock ?? 0,
      lowThreshold:
        level?.own.lowThreshold ?? product?.settings.lowThreshold ?? this.stores.get(storeId)?.lowThreshold ?? null,
      version: level?.version ?? 0,
      lastCount: level?.lastCount ?? null,
    };
  }

  totalsRead(productId: string): TotalsRead {
    const { onHand, reserved, safetyStock } = this.products.get(productId) ?? new ReplayedProduct();
    return { productId, onHand, reserved, safetyStock };
  }

  settingsRead(command: Entry['command']): SettingsRead | null {
    switch (command.type) {
      case 'configure-store':
        return { current: this.stores.get(command.storeId) ?? null, fallback: UNSET };
      case 'configure-product':
        return { current: this.products.get(command.productId)?.settings ?? null, fallback: UNSET };
      case 'configure-level': {
        const product = this.products.get(command.productId)?.settings ?? UNSET;
        const lowThreshold = product.lowThreshold ?? this.stores.get(command.storeId)?.lowThreshold ?? null;
        return {
          current: this.level(command.storeId, command.productId)?.own ?? null,
          fallback: { safetyStock: product.safetyStock, lowThreshold },
        };
      }
      default:
        return null;
    }
  }

  /** Levels that follow the product's safety stock. */
  followers(productId: string): number {
    let count = 0;
    for (const { own } of this.products.get(productId)?.levels.values() ?? []) if (own.safetyStock === null) count += 1;
    return count;
  }

  product(productId: string): ReplayedProduct {
    let product = this.products.get(productId);
    if (product === undefined) {
      product = new ReplayedProduct();
      this.products.set(productId, product);
    }
    return product;
  }
}

export class ReplayedState {
  readonly hqs = new Map<string, ReplayedHq>();
  readonly openHolds = new Map<string, { hqId: string; hold: Hold }>();
  levels = 0;

  hq(hqId: string): ReplayedHq {
    let hq = this.hqs.get(hqId);
    if (hq === undefined) {
      hq = new ReplayedHq();
      this.hqs.set(hqId, hq);
    }
    return hq;
  }

  apply(entry: Entry): void {
    const hq = this.hq(entry.hqId);
    for (const { after } of changesOf(entry)) this.#applyLevel(hq, entry, after);
    const { command } = entry;
    if (command.type === 'configure-store') hq.stores.set(command.storeId, command.settings);
    if (command.type === 'configure-product') this.#applyProduct(hq, command.productId, command.settings);
    for (const hold of entry.holds) {
      if (isOpen(hold)) this.openHolds.set(hold.reservationId, { hqId: entry.hqId, hold });
      else this.openHolds.delete(hold.reservationId);
    }
  }

  /** What the entry says is taken over even where it contradicts those before it, so that one fault is found once. */
  #applyLevel(hq: ReplayedHq, entry: Entry, after: LevelRead): void {
    const product = hq.product(after.productId);
    let level = product.levels.get(after.storeId);
    const keptBefore = level === undefined ? 0 : (level.own.safetyStock ?? product.settings.safetyStock ?? 0);
    if (level === undefined) {
      level = { onHand: 0, reserved: 0, version: 0, own: UNSET, lastCount: null };
      product.levels.set(after.storeId, level);
      this.levels += 1;
    }
    product.onHand += after.onHand - level.onHand;
    product.reserved += after.reserved - level.reserved;
    level.onHand = after.onHand;
    level.reserved = after.reserved;
    level.version = after.version;
    if (entry.command.type === 'configure-level') level.own = entry.command.settings;
    if (entry.outcome.status === 'counted') level.lastCount = { countedAt: entry.outcome.countedAt, seq: entry.seq };
    product.safetyStock += (level.own.safetyStock ?? product.settings.safetyStock ?? 0) - keptBefore;
  }

  #applyProduct(hq: ReplayedHq, productId: string, settings: Settings): void {
    const product = hq.product(productId);
    const change = (settings.safetyStock ?? 0) - (product.settings.safetyStock ?? 0);
    if (change !== 0) product.safetyStock += change * hq.followers(productId);
    product.settings = settings;
  }
}
