import type { ConfigureProduct } from '../commands.ts';
import { type Entry, type Hold, isOpen, type Line } from '../entry.ts';
import type { WindowBounds } from '../operation-memory.ts';
import type { ImageCursor, ImageLevel, ImageOperation, Place } from '../stock-engine.ts';
import { DueHolds } from './due-holds.ts';
import { HqState, type Level, type Product } from './hq-state.ts';
import { OperationWindow } from './operation-window.ts';

export interface HoldRecord {
  hqId: string;
  hold: Hold;
  /** Since when it has been as it is. */
  changedAt: number;
}

/** The state of one partition. `apply` is its only way forward: live decisions and restarts share it. */
export class PartitionState {
  readonly partition: number;
  epoch = 0;
  seq = 0;
  /** Time of the last entry. */
  at = 0;
  /** What is later is not in the ledger yet, where it could be looked up: it must not be forgotten. */
  recordedSeq = 0;
  readonly hqs = new Map<string, HqState>();
  readonly holds = new Map<string, HoldRecord>();
  readonly due = new DueHolds();
  /** Closed holds, oldest first: remembered for the window, so that late confirmations find them. */
  readonly #closed: { reservationId: string; at: number; seq: number }[] = [];
  #closedStart = 0;
  openHolds = 0;
  levels = 0;
  operations: OperationWindow;
  readonly #bounds: WindowBounds;

  constructor(partition: number, bounds: WindowBounds) {
    this.partition = partition;
    this.#bounds = bounds;
    this.operations = new OperationWindow(0, bounds);
  }

  get head(): Place {
    return { partition: this.partition, epoch: this.epoch, seq: this.seq, mark: `${this.epoch}-${this.seq}` };
  }

  hq(hqId: string): HqState {
    let hq = this.hqs.get(hqId);
    if (hq === undefined) {
      hq = new HqState();
      this.hqs.set(hqId, hq);
    }
    return hq;
  }

  /** Applies one entry: exactly what it says, held against what is here. */
  apply(entry: Entry): void {
    if (entry.seq !== this.seq + 1) throw new Error(`entry ${entry.seq} does not follow ${this.seq}`);
    const hq = this.hq(entry.hqId);
    for (const line of entry.lines) this.#applyLine(hq, entry, line);
    this.#applySettings(hq, entry);
    for (const hold of entry.holds) this.putHold(entry.hqId, hold, entry);
    this.seq = entry.seq;
    this.epoch = entry.epoch;
    this.at = entry.at;
    const { hqId, operationId, at } = entry;
    if (operationId !== null) this.operations.add(hqId, operationId, { place: this.head, at });
  }

  #applyLine(hq: HqState, entry: Entry, line: Line): void {
    const read = entry.read.levels[line.level];
    if (read === undefined) throw new Error(`entry ${entry.seq}: a line names a level that was not read`);
    const product = hq.product(read.productId);
    const level = this.#level(hq, product, read.storeId);
    const safetyBefore = level.version === 0 ? 0 : (level.safetyStock ?? product.settings.safetyStock ?? 0);
    level.onHand += line.onHandChange;
    level.reserved += line.reservedChange;
    level.version += 1;
    if (entry.command.type === 'configure-level') {
      level.safetyStock = entry.command.settings.safetyStock;
      level.lowThreshold = entry.command.settings.lowThreshold;
    }
    if (entry.outcome.status === 'counted') {
      level.lastCount = { countedAt: entry.outcome.countedAt, seq: entry.seq };
    }
    product.onHand += line.onHandChange;
    product.reserved += line.reservedChange;
    product.safetyStock += (level.safetyStock ?? product.settings.safetyStock ?? 0) - safetyBefore;
    product.updatedAt = entry.at;
    if (level.onHand < 0 || level.reserved < 0) {
      throw new Error(`entry ${entry.seq} drives ${read.storeId}/${read.productId} below zero`);
    }
  }

  #level(hq: HqState, product: Product, storeId: string): Level {
    const level = hq.levelOf(product, storeId);
    if (level !== undefined) return level;
    this.levels += 1;
    return hq.addLevel(product, storeId);
  }

  #applySettings(hq: HqState, { command, read }: Entry): void {
    if (command.type === 'configure-store') hq.configureStore(command.storeId, command.settings);
    if (command.type === 'configure-product')
      this.#applyProduct(hq.product(command.productId), command, read.levels.length);
  }

  #applyProduct(product: Product, command: ConfigureProduct, followers: number): void {
    const change = (command.settings.safetyStock ?? 0) - (product.settings.safetyStock ?? 0);
    product.safetyStock += change * followers;
    product.settings = command.settings;
  }

  /** Keeps the hold as the entry left it; a closed one is remembered from `at` on for the window. */
  putHold(hqId: string, hold: Hold, { at, seq }: { at: number; seq: number }): void {
    const record = this.holds.get(hold.reservationId);
    const wasOpen = record !== undefined && isOpen(record.hold);
    const open = isOpen(hold);
    this.openHolds += Number(open) - Number(wasOpen);
    if (open && (!wasOpen || hold.expiresAt < record.hold.expiresAt)) {
      this.due.add({ dueAt: hold.expiresAt, hqId, reservationId: hold.reservationId });
    }
    if (!open) this.#closed.push({ reservationId: hold.reservationId, at, seq });
    this.holds.set(hold.reservationId, { hqId, hold, changedAt: at });
  }

  /** Forgets closed holds and operation ids past their time; false: the window is full. */
  makeRoom(now: number): boolean {
    const { windowMs, countMax, keepMs } = this.#bounds;
    for (;;) {
      const oldest = this.#closed[this.#closedStart];
      if (oldest === undefined || oldest.seq > this.recordedSeq) break;
      const age = now - oldest.at;
      const many = this.#closed.length - this.#closedStart > countMax;
      if (age <= windowMs && !(many && age > keepMs)) break;
      this.#closedStart += 1;
      const record = this.holds.get(oldest.reservationId);
      // Confirmed late since it expired, it is remembered from then on, under a later place in this list.
      if (record !== undefined && record.changedAt <= oldest.at) this.holds.delete(oldest.reservationId);
    }
    if (this.#closedStart > 4096 && this.#closedStart * 2 > this.#closed.length) {
      this.#closed.splice(0, this.#closedStart);
      this.#closedStart = 0;
    }
    return this.operations.makeRoom(now, this.recordedSeq);
  }

  startAt({ seq, at }: ImageCursor): void {
    this.seq = seq;
    this.at = at;
    this.startWindow(seq);
  }

  loadLevel(row: ImageLevel): void {
    const hq = this.hq(row.hqId);
    const product = hq.product(row.productId);
    const level = this.#level(hq, product, row.storeId);
    level.onHand = row.onHand;
    level.reserved = row.reserved;
    level.version = row.version;
    level.safetyStock = row.safetyStock;
    level.lowThreshold = row.lowThreshold;
    level.lastCount = row.lastCount;
    product.onHand += row.onHand;
    product.reserved += row.reserved;
    product.updatedAt = Math.max(product.updatedAt, row.updatedAt);
    product.safetyStock += row.safetyStock ?? product.settings.safetyStock ?? 0;
  }

  startWindow(afterSeq: number): void {
    this.operations = new OperationWindow(afterSeq, this.#bounds);
  }

  loadOperation({ hqId, operationId, seq, at }: ImageOperation): void {
    const place = { partition: this.partition, epoch: 0, seq, mark: `0-${seq}` };
    this.operations.add(hqId, operationId, { place, at });
  }
}
