/**
 * What the recorder of a shared engine knows of one partition's stock. It believes nothing that it sees for the first
 * time: what it does not remember it reads from the projections (`missing`, then `learn`, before entries are checked).
 * It remembers every change since an entry that the projections have reached, and forgets only what they have reached.
 */
import type { CountMark, Settings } from '../../stock/commands.ts';
import type { Entry, Hold, SettingsRead, TotalsRead } from '../../stock/entry.ts';
import { HQ_POOL } from '../../stock/limits.ts';
import { Recent, RecentByPath } from '../recent.ts';
import { type Changes, type KnownLevel, type RecordedStock, totalsAfter } from '../recorded-stock.ts';
import type { ProjectedKeys, ProjectedLevel, ProjectedRows } from './projected-rows.ts';

/** Values of one partition that may wait for the projections. */
const UNPROJECTED_MAX = 2_000_000;

const FOLLOWED_FROM = 100_000;

const UNSET: Settings = { safetyStock: null, lowThreshold: null };
const UNWRITTEN: ProjectedLevel = { onHand: 0, reserved: 0, version: 0, own: UNSET, lastCount: null };

interface KnownProduct {
  settings: Settings | null;
  totals: TotalsRead;
}

interface KnownStore {
  settings: Settings | null;
}

interface KnownHold {
  hold: Hold | null;
}

export class ProjectedStock implements RecordedStock {
  readonly #partition: number;
  readonly #rememberedMax: number | undefined;
  /** The last entry that is remembered, and the last one that is known to be projected. */
  #reached = 0;
  #projected = 0;
  #levels!: RecentByPath<ProjectedLevel>;
  #products!: RecentByPath<KnownProduct>;
  #stores!: RecentByPath<KnownStore>;
  #holds!: Recent<KnownHold>;

  /** `rememberedMax`: values of each kind past which the older ones are forgotten; tests narrow it. */
  constructor(partition: number, rememberedMax?: number) {
    this.#partition = partition;
    this.#rememberedMax = rememberedMax;
    this.reset();
  }

  reset(): void {
    const forgetting = {
      reached: () => this.#reached,
      mayForget: (reached: number) => reached <= this.#projected,
    };
    this.#levels = new RecentByPath(forgetting, this.#rememberedMax);
    this.#products = new RecentByPath(forgetting, this.#rememberedMax);
    this.#stores = new RecentByPath(forgetting, this.#rememberedMax);
    this.#holds = new Recent(forgetting, this.#rememberedMax);
    this.#reached = 0;
    this.#projected = 0;
  }

  /** From here on every change is remembered; the projections have reached it. */
  beginAfter(seq: number): void {
    this.reset();
    this.#reached = seq;
    this.#projected = seq;
  }

  projectedUpTo(seq: number): void {
    this.#projected = Math.max(this.#projected, seq);
  }

  /** The projections stand still, and more cannot be remembered. */
  get isFull(): boolean {
    return this.#size > UNPROJECTED_MAX;
  }

  /** So much is remembered that it matters how far the projections are. */
  get isLarge(): boolean {
    return this.#size > FOLLOWED_FROM;
  }

  get #size(): number {
    return this.#levels.size + this.#holds.size;
  }

  /** What these entries read, and is not remembered; null: nothing. */
  missing(entries: readonly Entry[]): ProjectedKeys | null {
    const missing = new MissingKeys(this.#partition);
    for (const entry of entries) this.#addMissing(entry, missing);
    return missing.isEmpty ? null : missing.keys;
  }

  #addMissing(entry: Entry, missing: MissingKeys): void {
    const { hqId, read, command } = entry;
    for (const { storeId, productId } of read.levels) {
      if (this.#levels.get(hqId, productId, storeId) === undefined) missing.level(hqId, storeId, productId);
      this.#addDefaults(hqId, storeId, productId, missing);
    }
    for (const { productId } of read.totals) this.#addDefaults(hqId, null, productId, missing);
    for (const { reservationId } of read.holds) {
      if (this.#holds.get(reservationId) === undefined) missing.hold(reservationId);
    }
    if (command.type === 'configure-store') this.#addDefaults(hqId, command.storeId, null, missing);
    if (command.type === 'configure-product') this.#addDefaults(hqId, null, command.productId, missing);
  }

  #addDefaults(hqId: string, storeId: string | null, productId: string | null, missing: MissingKeys): void {
    if (storeId !== null && this.#store(hqId, storeId) === undefined) missing.store(hqId, storeId);
    if (productId !== null && this.#product(hqId, productId) === undefined) missing.product(hqId, productId);
  }

  /** @throws Error when the rows are older than what is remembered begins: they say nothing of it. */
  learn(keys: ProjectedKeys, rows: ProjectedRows): void {
    if (rows.seq < this.#projected)
      throw new Error(
        `partition ${rows.partition}: the projections went back from entry ${this.#projected} to ${rows.seq}; they are being rebuilt, or were replaced`,
      );
    this.#projected = rows.seq;
    for (const [index, { hqId, storeId, productId }] of keys.levels.entries()) {
      this.#levels.set(hqId, productId, storeId, rows.levels[index] ?? UNWRITTEN);
    }
    for (const [index, { hqId, productId }] of keys.products.entries()) {
      const { settings = null, onHand = 0, reserved = 0, safetyStock = 0 } = rows.products[index] ?? {};
      this.#setProduct(hqId, productId, { settings, totals: { productId, onHand, reserved, safetyStock } });
    }
    for (const [index, { hqId, storeId }] of keys.stores.entries()) {
      this.#stores.set(hqId, storeId, '', { settings: rows.stores[index] ?? null });
    }
    for (const [index, reservationId] of keys.reservationIds.entries()) {
      this.#holds.set(reservationId, { hold: rows.holds[index]?.hold ?? null });
    }
  }

  #product(hqId: string, productId: string): KnownProduct | undefined {
    return this.#products.get(hqId, productId, '');
  }

  #setProduct(hqId: string, productId: string, product: KnownProduct): void {
    this.#products.set(hqId, productId, '', product);
  }

  #store(hqId: string, storeId: string): Settings | null | undefined {
    return storeId === HQ_POOL ? UNSET : this.#stores.get(hqId, storeId, '')?.settings;
  }

  level(hqId: string, storeId: string, productId: string): KnownLevel {
    const level = this.#levels.get(hqId, productId, storeId);
    const product = this.#product(hqId, productId)?.settings;
    const store = this.#store(hqId, storeId);
    if (level === undefined || product === undefined || store === undefined)
      throw new Error(`level ${storeId}/${productId} was neither remembered nor read from the projections`);
    const { onHand, reserved, version, own, lastCount } = level;
    return {
      storeId,
      productId,
      onHand,
      reserved,
      version,
      lastCount,
      safetyStock: own.safetyStock ?? product?.safetyStock ?? 0,
      lowThreshold: own.lowThreshold ?? product?.lowThreshold ?? store?.lowThreshold ?? null,
    };
  }

  totals(hqId: string, productId: string): TotalsRead | undefined {
    return this.#product(hqId, productId)?.totals;
  }

  hold(reservationId: string): Hold | null | undefined {
    return this.#holds.get(reservationId)?.hold;
  }

  settings({ hqId, command }: Entry): SettingsRead | undefined {
    if (command.type === 'configure-store')
      return { current: this.#store(hqId, command.storeId) ?? null, fallback: UNSET };
    if (command.type === 'configure-product')
      return { current: this.#product(hqId, command.productId)?.settings ?? null, fallback: UNSET };
    if (command.type !== 'configure-level') return undefined;
    const { storeId, productId } = command;
    const level = this.#levels.get(hqId, productId, storeId);
    const product = this.#product(hqId, productId)?.settings;
    return {
      current: level === undefined || level.version === 0 ? null : level.own,
      fallback: {
        safetyStock: product?.safetyStock ?? null,
        lowThreshold: product?.lowThreshold ?? this.#store(hqId, storeId)?.lowThreshold ?? null,
      },
    };
  }

  remember(entry: Entry, changes: Changes): void {
    const { hqId, command } = entry;
    this.#reached = entry.seq;
    const totals = totalsAfter(entry, changes);
    for (const { after } of changes) this.#rememberLevel(entry, after.storeId, after.productId, after);
    for (const sum of totals) {
      const settings = this.#product(hqId, sum.productId)?.settings ?? null;
      this.#setProduct(hqId, sum.productId, { settings, totals: sum });
    }
    if (command.type === 'configure-store') {
      this.#stores.set(hqId, command.storeId, '', { settings: command.settings });
    }
    if (command.type === 'configure-product') {
      const { productId, settings } = command;
      const known = this.totals(hqId, productId) ?? { productId, onHand: 0, reserved: 0, safetyStock: 0 };
      this.#setProduct(hqId, productId, { settings, totals: known });
    }
    for (const hold of entry.holds) this.#holds.set(hold.reservationId, { hold });
  }

  #rememberLevel(
    { hqId, seq, command, outcome }: Entry,
    storeId: string,
    productId: string,
    { onHand, reserved, version }: Pick<KnownLevel, 'onHand' | 'reserved' | 'version'>,
  ): void {
    const before = this.#levels.get(hqId, productId, storeId) ?? UNWRITTEN;
    const own = command.type === 'configure-level' ? command.settings : before.own;
    const lastCount: CountMark | null =
      outcome.status === 'counted' ? { countedAt: outcome.countedAt, seq } : before.lastCount;
    this.#levels.set(hqId, productId, storeId, { onHand, reserved, version, own, lastCount });
  }
}

/** The keys to be asked, each once. */
class MissingKeys {
  readonly keys: ProjectedKeys;
  readonly #seen = new Set<string>();

  constructor(partition: number) {
    this.keys = { partition, levels: [], products: [], stores: [], reservationIds: [] };
  }

  get isEmpty(): boolean {
    return this.#seen.size === 0;
  }

  #isNew(key: string): boolean {
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  level(hqId: string, storeId: string, productId: string): void {
    if (this.#isNew(`level/${hqId}/${storeId}/${productId}`)) this.keys.levels.push({ hqId, storeId, productId });
  }

  product(hqId: string, productId: string): void {
    if (this.#isNew(`product/${hqId}/${productId}`)) this.keys.products.push({ hqId, productId });
  }

  store(hqId: string, storeId: string): void {
    if (this.#isNew(`store/${hqId}/${storeId}`)) this.keys.stores.push({ hqId, storeId });
  }

  hold(reservationId: string): void {
    if (this.#isNew(`hold/${reservationId}`)) this.keys.reservationIds.push(reservationId);
  }
}
