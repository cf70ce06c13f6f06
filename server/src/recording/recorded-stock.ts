/** The stock as it was recorded last, for as much of it as the recorder remembers. */
import type { ConfigureProduct, CountMark } from '../stock/commands.ts';
import type { changesOf, Entry, Hold, LevelRead, SettingsRead, TotalsRead } from '../stock/entry.ts';
import { Recent, RecentByPath } from './recent.ts';
import { RecentNumbers } from './recent-numbers.ts';

/** A level as an entry must find it; what is undefined is not known, and believed. */
export type KnownLevel = Omit<LevelRead, 'lowThreshold' | 'lastCount'> &
  Partial<Pick<LevelRead, 'lowThreshold' | 'lastCount'>>;

export type Changes = ReturnType<typeof changesOf>;

export interface RecordedStock {
  /** Undefined, here and below: it is not known what was recorded last, and the entry is believed. */
  level(hqId: string, storeId: string, productId: string): KnownLevel | undefined;
  totals(hqId: string, productId: string): TotalsRead | undefined;
  /** Null: there is no such reservation. */
  hold(reservationId: string): Hold | null | undefined;
  /** What a configure command must find. */
  settings(entry: Entry): SettingsRead | undefined;
  /** The entry was found right; `changes` are those of its lines. */
  remember(entry: Entry, changes: Changes): void;
  /** Forgets all: after a reload what was checked and not recorded must not be remembered. */
  reset(): void;
}

/** The sums of the products that an entry read, after it. */
export function totalsAfter(entry: Entry, changes: Changes): TotalsRead[] {
  const sums = new Sums(entry.read.totals);
  for (const { line, before, after } of changes) {
    const sum = sums.of(after.productId, line.level);
    if (sum === undefined) throw new Error(`it did not read the totals of ${after.productId}`);
    sum.onHand += line.onHandChange;
    sum.reserved += line.reservedChange;
    sum.safetyStock += after.safetyStock - (before.version === 0 ? 0 : before.safetyStock);
  }
  if (entry.command.type === 'configure-product') applyDefault(entry, entry.command, sums);
  return sums.all;
}

class Sums {
  readonly all: TotalsRead[];
  #byProduct: ReadonlyMap<string, TotalsRead> | null = null;

  constructor(read: readonly TotalsRead[]) {
    this.all = read.map((totals) => ({ ...totals }));
  }

  /** Mostly each product comes once, so that its totals stand where its level does: they are looked for there first. */
  of(productId: string, level: number): TotalsRead | undefined {
    const likely = this.all[level];
    if (likely?.productId === productId) return likely;
    this.#byProduct ??= new Map(this.all.map((sum) => [sum.productId, sum]));
    return this.#byProduct.get(productId);
  }
}

/** A product's new default is the safety stock of every level that the entry read, and counts once for each. */
function applyDefault({ read }: Entry, command: ConfigureProduct, sums: Sums): void {
  const sum = sums.of(command.productId, 0);
  if (sum === undefined) return;
  for (const level of read.levels) sum.safetyStock += (command.settings.safetyStock ?? 0) - level.safetyStock;
}

/** The numbers that are remembered of a level, by their place. A threshold that is not set is not a number. */
const LEVEL = { onHand: 0, reserved: 1, safetyStock: 2, version: 3, lowThreshold: 4, seq: 5 } as const;
const LEVEL_WIDTH = 6;
const TOTALS_WIDTH = 3;
/** Totals are those of no store. */
const NO_STORE = '';

/** What entries told, of an engine that was filled from the same rows: the first sight of anything is believed. */
export class RecentStock implements RecordedStock {
  #levels = new RecentNumbers(LEVEL_WIDTH);
  #totals = new RecentNumbers(TOTALS_WIDTH);
  #holds = new Recent<Hold>();
  /** Of the levels that were counted. */
  #lastCounts = new RecentByPath<CountMark>();
  /** By HQ, the entry that last set a default: thresholds that were seen before it may be others now. */
  #defaultsSetAt = new Map<string, number>();

  reset(): void {
    this.#levels = new RecentNumbers(LEVEL_WIDTH);
    this.#totals = new RecentNumbers(TOTALS_WIDTH);
    this.#holds = new Recent();
    this.#lastCounts = new RecentByPath();
    this.#defaultsSetAt = new Map();
  }

  level(hqId: string, storeId: string, productId: string): KnownLevel | undefined {
    const at = this.#levels.find(hqId, productId, storeId);
    if (at < 0) return undefined;
    const { numbers } = this.#levels;
    const known: KnownLevel = {
      storeId,
      productId,
      onHand: numbers[at + LEVEL.onHand] as number,
      reserved: numbers[at + LEVEL.reserved] as number,
      safetyStock: numbers[at + LEVEL.safetyStock] as number,
      version: numbers[at + LEVEL.version] as number,
    };
    if ((numbers[at + LEVEL.seq] as number) > (this.#defaultsSetAt.get(hqId) ?? 0)) {
      const lowThreshold = numbers[at + LEVEL.lowThreshold] as number;
      known.lowThreshold = Number.isNaN(lowThreshold) ? null : lowThreshold;
    }
    const lastCount = this.#lastCounts.size === 0 ? undefined : this.#lastCounts.get(hqId, productId, storeId);
    if (lastCount !== undefined) known.lastCount = lastCount;
    return known;
  }

  totals(hqId: string, productId: string): TotalsRead | undefined {
    const at = this.#totals.find(hqId, productId, NO_STORE);
    if (at < 0) return undefined;
    const { numbers } = this.#totals;
    return {
      productId,
      onHand: numbers[at] as number,
      reserved: numbers[at + 1] as number,
      safetyStock: numbers[at + 2] as number,
    };
  }

  hold(reservationId: string): Hold | undefined {
    return this.#holds.get(reservationId);
  }

  settings(): undefined {
    return undefined;
  }

  remember(entry: Entry, changes: Changes): void {
    const { hqId, seq, command, outcome } = entry;
    const totals = totalsAfter(entry, changes);
    for (const { after } of changes) {
      this.#rememberLevel(hqId, after, seq);
      if (outcome.status !== 'counted') continue;
      this.#lastCounts.set(hqId, after.productId, after.storeId, { countedAt: outcome.countedAt, seq });
    }
    for (const sum of totals) this.#rememberTotals(hqId, sum);
    if (command.type === 'configure-product') this.#rememberDefault(entry, command);
    if (command.type === 'configure-product' || command.type === 'configure-store') this.#defaultsSetAt.set(hqId, seq);
    for (const hold of entry.holds) this.#holds.set(hold.reservationId, hold);
  }

  #rememberLevel(hqId: string, level: LevelRead, seq: number): void {
    const at = this.#levels.place(hqId, level.productId, level.storeId);
    const { numbers } = this.#levels;
    numbers[at + LEVEL.onHand] = level.onHand;
    numbers[at + LEVEL.reserved] = level.reserved;
    numbers[at + LEVEL.safetyStock] = level.safetyStock;
    numbers[at + LEVEL.version] = level.version;
    numbers[at + LEVEL.lowThreshold] = level.lowThreshold ?? Number.NaN;
    numbers[at + LEVEL.seq] = seq;
  }

  #rememberTotals(hqId: string, { productId, onHand, reserved, safetyStock }: TotalsRead): void {
    const at = this.#totals.place(hqId, productId, NO_STORE);
    const { numbers } = this.#totals;
    numbers[at] = onHand;
    numbers[at + 1] = reserved;
    numbers[at + 2] = safetyStock;
  }

  #rememberDefault({ hqId, seq, read }: Entry, command: ConfigureProduct): void {
    const safetyStock = command.settings.safetyStock ?? 0;
    for (const level of read.levels) this.#rememberLevel(hqId, { ...level, safetyStock }, seq);
  }
}
