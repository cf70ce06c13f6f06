/**
 * The recorder's own look at what an engine decided, before it is recorded and before anyone is answered: the
 * entry continues the chain, what it says was read is what was recorded last, and the rules make of it the same
 * outcome and the same lines. So a counter changed by hand, or an engine that differs from the rules, is found here.
 */
import type { CountMark } from '../stock/commands.ts';
import {
  changesOf,
  ENTRY_VERSION,
  type Entry,
  type Hold,
  type LevelRead,
  type Line,
  type TotalsRead,
} from '../stock/entry.ts';
import { holdsToRead, levelsToRead } from '../stock/rules/read-plan.ts';
import { decide, type Ruling } from '../stock/rules.ts';
import type { RecordedHead } from '../stock/stock-engine.ts';
import { type KnownLevel, RecentStock, type RecordedStock } from './recorded-stock.ts';

export class EntryRejected extends Error {
  readonly entry: Entry;

  constructor(entry: Entry, reason: string) {
    super(
      `entry ${entry.seq} of partition ${entry.partition} (${entry.command.type}) was refused by the recorder: ${reason}`,
    );
    this.name = 'EntryRejected';
    this.entry = entry;
  }
}

/** Another program version wrote it: no poison, it waits for a recorder that knows it. */
export class EntryVersionUnknown extends Error {
  constructor({ version, seq, partition }: Pick<Entry, 'version' | 'seq' | 'partition'>) {
    super(
      `entry ${seq} of partition ${partition} has version ${version}, this program records version ${ENTRY_VERSION}: upgrade the recorders`,
    );
    this.name = 'EntryVersionUnknown';
  }
}

export class EntryChecker {
  readonly #stock: RecordedStock;

  constructor(stock: RecordedStock = new RecentStock()) {
    this.#stock = stock;
  }

  /** Forgets all: after a reload what was checked and not recorded must not be remembered. */
  reset(): void {
    this.#stock.reset();
  }

  /** @throws EntryRejected, EntryVersionUnknown; `before` is the head that the entry must follow. */
  check(entry: Entry, before: Pick<RecordedHead, 'epoch' | 'seq' | 'at'>): void {
    if (entry.version > ENTRY_VERSION) throw new EntryVersionUnknown(entry);
    if (entry.version !== ENTRY_VERSION)
      throw new EntryRejected(entry, `version ${entry.version} is not written by this program`);
    if (entry.epoch !== before.epoch)
      throw new EntryRejected(entry, `epoch ${entry.epoch} is not open, ${before.epoch} is`);
    if (entry.seq !== before.seq + 1) throw new EntryRejected(entry, `it does not follow entry ${before.seq}`);
    if (entry.at < before.at) throw new EntryRejected(entry, 'its time is before that of the entry before it');
    checkReadSet(entry);
    this.#checkRead(entry);
    this.#checkRuling(entry, rulingOf(entry));
    this.#remember(entry);
  }

  #checkRead(entry: Entry): void {
    const { hqId, read } = entry;
    for (const level of read.levels) {
      const known = this.#stock.level(hqId, level.storeId, level.productId);
      if (known === undefined || sameLevel(known, level)) continue;
      throw new EntryRejected(
        entry,
        `level ${level.storeId}/${level.productId} was read as ${show(level)}, recorded as ${show(known)}`,
      );
    }
    for (const totals of read.totals) {
      const known = this.#stock.totals(hqId, totals.productId);
      if (known === undefined || sameTotals(known, totals)) continue;
      throw new EntryRejected(
        entry,
        `totals of ${totals.productId} were read as ${show(totals)}, recorded as ${show(known)}`,
      );
    }
    for (const hold of read.holds) {
      const known = this.#stock.hold(hold.reservationId);
      if (known === undefined || known === hold || (known !== null && sameHold(known, hold))) continue;
      throw new EntryRejected(
        entry,
        `reservation ${hold.reservationId} was read as ${show(hold)}, recorded as ${show(known)}`,
      );
    }
    this.#checkNewHold(entry);
    const settings = read.settings === undefined ? undefined : this.#stock.settings(entry);
    if (settings !== undefined && show(settings) !== show(read.settings)) {
      throw new EntryRejected(entry, `settings were read as ${show(read.settings)}, recorded as ${show(settings)}`);
    }
  }

  /** A reservation never takes the place of another one, be it open or closed. */
  #checkNewHold(entry: Entry): void {
    const { command } = entry;
    if (command.type !== 'reserve' || !this.#stock.hold(command.reservationId)) return;
    throw new EntryRejected(entry, `reservation ${command.reservationId} is there already`);
  }

  #checkRuling(entry: Entry, ruling: Ruling): void {
    if (!sameOutcome(entry, ruling)) {
      throw new EntryRejected(entry, `it says ${show(entry.outcome)}, the rules say ${show(ruling.outcome)}`);
    }
    if (!sameLines(entry.lines, ruling.lines)) {
      throw new EntryRejected(entry, `its lines are ${show(entry.lines)}, by the rules ${show(ruling.lines)}`);
    }
    const sameHolds =
      entry.holds.length === ruling.holds.length &&
      entry.holds.every((hold, index) => sameHold(hold, ruling.holds[index] as Hold));
    if (!sameHolds)
      throw new EntryRejected(entry, `its holds are ${show(entry.holds)}, by the rules ${show(ruling.holds)}`);
  }

  #remember(entry: Entry): void {
    const changes = changesOf(entry);
    for (const { after } of changes) {
      if (after.onHand < 0 || after.reserved < 0)
        throw new EntryRejected(entry, `it drives ${after.storeId}/${after.productId} below zero`);
    }
    try {
      this.#stock.remember(entry, changes);
    } catch (error) {
      throw new EntryRejected(entry, (error as Error).message);
    }
  }
}

/** The read set is the one that the command needs: no level is left out, and none stands in for another. */
function checkReadSet(entry: Entry): void {
  const { command, read } = entry;
  const asked = holdsToRead(command);
  for (const { reservationId } of read.holds) {
    if (!asked.includes(reservationId))
      throw new EntryRejected(entry, `it read ${reservationId}, which it does not name`);
  }
  if (command.type === 'configure-product') return;
  const keys = levelsToRead(command, read.holds);
  const same =
    keys.length === read.levels.length &&
    keys.every(({ storeId, productId }, index) => {
      const level = read.levels[index];
      return level?.storeId === storeId && level.productId === productId;
    });
  if (!same) throw new EntryRejected(entry, `it read ${show(read.levels)}, its command is about ${show(keys)}`);
}

function rulingOf(entry: Entry): Ruling {
  try {
    return decide(entry.command, entry.read, entry.at);
  } catch (error) {
    throw new EntryRejected(entry, (error as Error).message);
  }
}

function sameLevel(known: KnownLevel, read: LevelRead): boolean {
  return (
    known.onHand === read.onHand &&
    known.reserved === read.reserved &&
    known.safetyStock === read.safetyStock &&
    known.version === read.version &&
    (known.lowThreshold === undefined || known.lowThreshold === read.lowThreshold) &&
    (known.lastCount === undefined || read.lastCount === undefined || sameCount(known.lastCount, read.lastCount))
  );
}

function sameCount(one: CountMark | null, other: CountMark | null): boolean {
  return one?.seq === other?.seq && one?.countedAt === other?.countedAt;
}

function sameTotals(one: TotalsRead, other: TotalsRead): boolean {
  return one.onHand === other.onHand && one.reserved === other.reserved && one.safetyStock === other.safetyStock;
}

function sameLines(one: readonly Line[], other: readonly Line[]): boolean {
  return one.length === other.length && one.every((line, index) => sameLine(line, other[index] as Line));
}

function sameLine(one: Line, other: Line): boolean {
  return (
    one.level === other.level &&
    one.onHandChange === other.onHandChange &&
    one.reservedChange === other.reservedChange &&
    one.hold === other.hold &&
    one.settings?.safetyStock === other.settings?.safetyStock &&
    one.settings?.lowThreshold === other.settings?.lowThreshold
  );
}

function sameHold(one: Hold, other: Hold): boolean {
  return (
    one.reservationId === other.reservationId &&
    one.storeId === other.storeId &&
    one.transactionId === other.transactionId &&
    one.createdAt === other.createdAt &&
    one.status === other.status &&
    one.orderId === other.orderId &&
    one.expiresAt === other.expiresAt &&
    one.items.length === other.items.length &&
    one.items.every((item, index) => {
      const twin = other.items[index];
      return (
        item.productId === twin?.productId &&
        item.storeId === twin.storeId &&
        item.price === twin.price &&
        item.reserved === twin.reserved &&
        item.confirmed === twin.confirmed &&
        item.released === twin.released
      );
    })
  );
}

/** Most outcomes are a status alone; the rest is compared as text. */
function sameOutcome({ outcome }: Entry, ruling: Ruling): boolean {
  return (
    outcome.status === ruling.outcome.status &&
    (outcome.status === 'reserved' || show(outcome) === show(ruling.outcome))
  );
}

function show(value: unknown): string {
  return JSON.stringify(value);
}
