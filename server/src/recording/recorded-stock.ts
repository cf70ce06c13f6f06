/** The stock as it was recorded last, for as much of it as the recorder remembers. */
import type { ConfigureProduct } from '../stock/commands.ts';
import type { changesOf, Entry, Hold, LevelRead, SettingsRead, TotalsRead } from '../stock/entry.ts';
import { Recent, RecentByPath } from './recent.ts';

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
  const totals = new Map<string, TotalsRead>(entry.read.totals.map((read) => [read.productId, { ...read }]));
  for (const { line, before, after } of changes) {
    const sum = totals.get(after.productId);
    if (sum === undefined) throw new Error(`it did not read the totals of ${after.productId}`);
    sum.onHand += line.onHandChange;
    sum.reserved += line.reservedChange;
    sum.safetyStock += after.safetyStock - (before.version === 0 ? 0 : before.safetyStock);
  }
  if (entry.command.type === 'configure-product') applyDefault(entry, entry.command, totals);
  return [...totals.values()];
}

/** A product's new default is the safety stock of every level that the entry read, and counts once for each. */
function applyDefault({ read }: Entry, command: ConfigureProduct, totals: ReadonlyMap<string, TotalsRead>): void {
  const sum = totals.get(command.productId);
  if (sum === undefined) return;
  for (const level of read.levels) sum.safetyStock += (command.settings.safetyStock ?? 0) - level.safetyStock;
}

function counted(level: LevelRead, countedAt: number, seq: number): LevelRead {
  return { ...level, lastCount: { countedAt, seq } };
}

interface RememberedLevel {
  level: LevelRead;
  seq: number;
}

const TOTALS = 'totals';

/** What entries told, of an engine that was filled from the same rows: the first sight of anything is believed. */
export class RecentStock implements RecordedStock {
  /** By HQ, product and store; totals by HQ and product. */
  #levels = new RecentByPath<RememberedLevel>();
  #totals = new RecentByPath<TotalsRead>();
  #holds = new Recent<Hold>();
  /** By HQ, the entry that last set a default: thresholds that were seen before it may be others now. */
  #defaultsSetAt = new Map<string, number>();

  reset(): void {
    this.#levels = new RecentByPath();
    this.#totals = new RecentByPath();
    this.#holds = new Recent();
    this.#defaultsSetAt = new Map();
  }

  level(hqId: string, storeId: string, productId: string): KnownLevel | undefined {
    const remembered = this.#levels.get(hqId, productId, storeId);
    if (remembered === undefined || remembered.seq > (this.#defaultsSetAt.get(hqId) ?? 0)) return remembered?.level;
    const { lowThreshold: _, ...known } = remembered.level;
    return known;
  }

  totals(hqId: string, productId: string): TotalsRead | undefined {
    return this.#totals.get(hqId, TOTALS, productId);
  }

  hold(reservationId: string): Hold | undefined {
    return this.#holds.get(reservationId);
  }

  settings(): undefined {
    return undefined;
  }

  remember(entry: Entry, changes: Changes): void {
    const { hqId, seq, command } = entry;
    const totals = totalsAfter(entry, changes);
    for (const { after } of changes) {
      const level = entry.outcome.status === 'counted' ? counted(after, entry.outcome.countedAt, seq) : after;
      this.#levels.set(hqId, after.productId, after.storeId, { level, seq });
    }
    for (const sum of totals) this.#totals.set(hqId, TOTALS, sum.productId, sum);
    if (command.type === 'configure-product') this.#rememberDefault(entry, command);
    if (command.type === 'configure-product' || command.type === 'configure-store') this.#defaultsSetAt.set(hqId, seq);
    for (const hold of entry.holds) this.#holds.set(hold.reservationId, hold);
  }

  #rememberDefault({ hqId, seq, read }: Entry, command: ConfigureProduct): void {
    const safetyStock = command.settings.safetyStock ?? 0;
    for (const level of read.levels) {
      this.#levels.set(hqId, level.productId, level.storeId, { level: { ...level, safetyStock }, seq });
    }
  }
}
