/**
 * What stock is, written a second time from the documents (`architecture.md`, `recording.md`, the reference pages)
 * and not from the rules: plain maps, one item after the other, no cleverness, no window, nothing forgotten. The
 * engines are held against it. It shares only the shapes of commands and outcomes with the system.
 */
import type { Command, Count, Item, Settings } from '../../src/stock/commands.ts';
import type { Hold } from '../../src/stock/entry.ts';
import type { InsufficientLine, Outcome } from '../../src/stock/outcome.ts';

export interface ModelLevel {
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  own: Settings;
  /** Times that it was written. */
  version: number;
  lastCount: { countedAt: number; seq: number } | null;
}

interface ModelItem {
  storeId: string;
  productId: string;
  first: number;
  sold: number;
  back: number;
}

export interface ModelHold {
  id: string;
  storeId: string;
  transactionId: string;
  orderId: string | null;
  status: Hold['status'];
  createdAt: number;
  endsAt: number;
  items: ModelItem[];
}

export interface ModelRequest {
  hqId: string;
  operationId: string | null;
  body: string | null;
  command: Command;
}

export interface ModelAnswer {
  kind: 'first' | 'again' | 'mismatch';
  outcome: Outcome | null;
}

const UNSET: Settings = { safetyStock: null, lowThreshold: null };
const LARGEST = 1_000_000_000_000;
/** Outcomes that leave the operation id free. */
const FREE = ['unknown-store', 'unknown-product', 'unknown-reservation', 'stale-version', 'stale-count'];

class Refusal extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super(outcome.status);
    this.outcome = outcome;
  }
}

class ModelHq {
  readonly stores = new Map<string, Settings>([['HQ', UNSET]]);
  readonly products = new Map<string, Settings>();
  readonly levels = new Map<string, ModelLevel>();
  readonly holds = new Map<string, ModelHold>();
  readonly operations = new Map<string, { body: string | null; outcome: Outcome }>();
}

export class StockModel {
  readonly hqs = new Map<string, ModelHq>();

  hq(hqId: string): ModelHq {
    const hq = this.hqs.get(hqId) ?? new ModelHq();
    this.hqs.set(hqId, hq);
    return hq;
  }

  /** Decides at `at`; `seq` is the place that the entry has or would have, for counts rest on it. */
  execute({ hqId, operationId, body, command }: ModelRequest, at: number, seq: number): ModelAnswer {
    const hq = this.hq(hqId);
    const known = operationId === null ? undefined : hq.operations.get(operationId);
    if (known !== undefined) {
      return known.body === body ? { kind: 'again', outcome: known.outcome } : { kind: 'mismatch', outcome: null };
    }
    const outcome = new Decision(hq, at, seq).decide(command);
    if (operationId !== null && !FREE.includes(outcome.status)) hq.operations.set(operationId, { body, outcome });
    return { kind: 'first', outcome };
  }

  /** Every hold that is due ends. */
  expireDue(at: number): void {
    for (const hq of this.hqs.values()) for (const hold of hq.holds.values()) endIfDue(hq, hold, at);
  }

  available(hqId: string, storeId: string, productId: string): number {
    const hq = this.hq(hqId);
    return availableAt(hq, levelOf(hq, storeId, productId));
  }

  safetyStock(hqId: string, storeId: string, productId: string): number {
    const hq = this.hq(hqId);
    return safetyOf(hq, levelOf(hq, storeId, productId));
  }

  /** Units that open holds hold of a level. */
  heldBy(hqId: string, storeId: string, productId: string): number {
    const items = [...this.hq(hqId).holds.values()].filter(isOpen).flatMap((hold) => hold.items);
    const own = items.filter((item) => item.storeId === storeId && item.productId === productId);
    return own.reduce((sum, item) => sum + item.first - item.sold - item.back, 0);
  }
}

function levelOf(hq: ModelHq, storeId: string, productId: string): ModelLevel {
  const level = hq.levels.get(`${storeId} ${productId}`);
  return level ?? { storeId, productId, onHand: 0, reserved: 0, own: UNSET, version: 0, lastCount: null };
}

/** The level, to be written: it counts as stocked from now on. */
function touch(hq: ModelHq, { storeId, productId }: { storeId: string; productId: string }): ModelLevel {
  const level = levelOf(hq, storeId, productId);
  hq.levels.set(`${storeId} ${productId}`, level);
  level.version += 1;
  return level;
}

function safetyOf(hq: ModelHq, level: ModelLevel): number {
  return level.own.safetyStock ?? hq.products.get(level.productId)?.safetyStock ?? 0;
}

function availableAt(hq: ModelHq, level: ModelLevel): number {
  return level.onHand - level.reserved - safetyOf(hq, level);
}

function isOpen(hold: ModelHold): boolean {
  return hold.status === 'active' || hold.status === 'partly_confirmed';
}

/** Gives back what is held still. */
function close(hq: ModelHq, hold: ModelHold, status: 'released' | 'expired'): void {
  for (const item of hold.items) {
    const rest = item.first - item.sold - item.back;
    if (rest > 0) touch(hq, item).reserved -= rest;
    item.back += rest;
  }
  hold.status = hold.items.some((item) => item.sold > 0) ? 'confirmed' : status;
}

function endIfDue(hq: ModelHq, hold: ModelHold | undefined, at: number): void {
  if (hold !== undefined && isOpen(hold) && hold.endsAt <= at) close(hq, hold, 'expired');
}

type Of<T extends Command['type']> = Extract<Command, { type: T }>;

/** One command at one moment. */
class Decision {
  readonly #hq: ModelHq;
  readonly #at: number;
  readonly #seq: number;

  constructor(hq: ModelHq, at: number, seq: number) {
    this.#hq = hq;
    this.#at = at;
    this.#seq = seq;
  }

  decide(command: Command): Outcome {
    try {
      return this.#decide(command);
    } catch (error) {
      if (error instanceof Refusal) return error.outcome;
      throw error;
    }
  }

  #decide(command: Command): Outcome {
    switch (command.type) {
      case 'configure-store':
        this.#hq.stores.set(command.storeId, command.settings);
        return { status: 'done' };
      case 'configure-product':
        this.#hq.products.set(command.productId, command.settings);
        return { status: 'done' };
      case 'configure-level':
        return this.#configureLevel(command);
      case 'receive':
        return this.#receive(command);
      case 'issue':
        return this.#issue(command);
      case 'distribute':
        return this.#move('HQ', command.storeId, command.items);
      case 'transfer':
        return this.#move(command.fromStoreId, command.toStoreId, command.items);
      case 'adjust':
        return this.#adjust(command);
      case 'count':
        return this.#count(command);
      case 'reserve':
        return this.#reserve(command);
      case 'confirm':
        return this.#confirm(command);
      case 'release':
        return this.#release(command);
      case 'extend':
        return this.#extend(command);
      case 'expire':
        for (const id of command.reservationIds) endIfDue(this.#hq, this.#hq.holds.get(id), this.#at);
        return { status: 'expired' };
      case 'undo':
        return this.#undo(command);
      case 'answer-order':
        return { status: 'done' };
    }
  }

  #mustKnow(stores: string[], products: string[]): void {
    for (const storeId of stores)
      if (!this.#hq.stores.has(storeId)) throw new Refusal({ status: 'unknown-store', storeId });
    for (const productId of products) {
      if (!this.#hq.products.has(productId)) throw new Refusal({ status: 'unknown-product', productId });
    }
  }

  #mustKnowItems(items: readonly { storeId: string; productId: string }[]): void {
    this.#mustKnow(
      items.map((item) => item.storeId),
      items.map((item) => item.productId),
    );
  }

  #mustHaveVersion(level: { storeId: string; productId: string } | undefined, expected: number | undefined): void {
    if (level === undefined || expected === undefined) return;
    const { version } = levelOf(this.#hq, level.storeId, level.productId);
    if (version !== expected) throw new Refusal({ status: 'stale-version', version });
  }

  /** Refuses when any level has less than is asked of it, naming all of them. */
  #mustHave(
    wants: { storeId: string; productId: string; quantity: number }[],
    has: (level: ModelLevel) => number,
  ): void {
    const lines: InsufficientLine[] = [];
    for (const { storeId, productId, quantity } of wants) {
      const available = has(levelOf(this.#hq, storeId, productId));
      if (available >= quantity) continue;
      const ofProduct = [...this.#hq.levels.values()].filter((level) => level.productId === productId);
      const hqAvailable = ofProduct.reduce((sum, level) => sum + availableAt(this.#hq, level), 0);
      lines.push({ storeId, productId, requested: quantity, available, hqAvailable });
    }
    if (lines.length > 0) throw new Refusal({ status: 'insufficient', lines });
  }

  #mustBeAvailable(wants: { storeId: string; productId: string; quantity: number }[]): void {
    this.#mustHave(wants, (level) => availableAt(this.#hq, level));
  }

  #mustBeOnHand(wants: { storeId: string; productId: string; quantity: number }[]): void {
    this.#mustHave(wants, (level) => level.onHand);
  }

  #mustFit(adds: { storeId: string; productId: string; quantity: number }[]): void {
    for (const { storeId, productId, quantity } of adds) {
      const tooMuch = levelOf(this.#hq, storeId, productId).onHand + quantity > LARGEST;
      if (tooMuch) throw new Refusal({ status: 'level-limit', storeId, productId });
    }
  }

  #configureLevel(command: Of<'configure-level'>): Outcome {
    this.#mustKnowItems([command]);
    this.#mustHaveVersion(command, command.expectedVersion);
    touch(this.#hq, command).own = command.settings;
    return { status: 'done' };
  }

  #receive({ items, expectedVersion }: Of<'receive'>): Outcome {
    this.#mustKnowItems(items);
    this.#mustHaveVersion(items[0], expectedVersion);
    this.#mustFit(items);
    for (const item of items) touch(this.#hq, item).onHand += item.quantity;
    return { status: 'done' };
  }

  #issue({ items, expectedVersion }: Of<'issue'>): Outcome {
    this.#mustKnowItems(items);
    this.#mustHaveVersion(items[0], expectedVersion);
    this.#mustBeAvailable(items);
    for (const item of items) touch(this.#hq, item).onHand -= item.quantity;
    return { status: 'done' };
  }

  #move(from: string, to: string, items: readonly Item[]): Outcome {
    this.#mustKnow(
      [from, to],
      items.map((item) => item.productId),
    );
    const taken = items.map(({ productId, quantity }) => ({ storeId: from, productId, quantity }));
    const given = items.map(({ productId, quantity }) => ({ storeId: to, productId, quantity }));
    this.#mustBeAvailable(taken);
    this.#mustFit(given);
    for (const item of taken) touch(this.#hq, item).onHand -= item.quantity;
    for (const item of given) touch(this.#hq, item).onHand += item.quantity;
    return { status: 'done' };
  }

  #adjust({ items, expectedVersion }: Of<'adjust'>): Outcome {
    this.#mustKnowItems(items);
    this.#mustHaveVersion(items[0], expectedVersion);
    this.#mustBeOnHand(items.map((item) => ({ ...item, quantity: -item.change })).map(withoutChange));
    this.#mustFit(items.map((item) => ({ ...item, quantity: item.change })));
    for (const item of items) touch(this.#hq, item).onHand += item.change;
    return { status: 'done' };
  }

  #count({ items, countedAt, expectedVersion }: Count): Outcome {
    this.#mustKnowItems(items);
    this.#mustHaveVersion(items[0], expectedVersion);
    const then = countedAt === null || countedAt > this.#at ? this.#at : countedAt;
    const lines = items.map(({ storeId, productId, counted, onHandThen, basedOn }) => {
      const { lastCount, onHand } = levelOf(this.#hq, storeId, productId);
      if (lastCount !== null && then < lastCount.countedAt) {
        throw new Refusal({ status: 'count-superseded', storeId, productId, countedAt: lastCount.countedAt });
      }
      const current = (basedOn?.seq ?? null) === (lastCount?.seq ?? null);
      if (!current && (onHandThen !== null || lastCount === null)) throw new Refusal({ status: 'stale-count' });
      return { storeId, productId, counted, difference: counted - (onHandThen ?? onHand) };
    });
    this.#mustBeOnHand(lines.map((line) => ({ ...line, quantity: -line.difference })).map(withoutChange));
    this.#mustFit(lines.map((line) => ({ ...line, quantity: line.difference })));
    for (const line of lines) {
      const level = touch(this.#hq, line);
      level.onHand += line.difference;
      level.lastCount = { countedAt: then, seq: this.#seq };
    }
    return { status: 'counted', countedAt: then, lines };
  }

  #reserve(command: Of<'reserve'>): Outcome {
    this.#mustKnowItems(command.items);
    this.#mustBeAvailable(command.items);
    for (const item of command.items) touch(this.#hq, item).reserved += item.quantity;
    this.#hq.holds.set(command.reservationId, {
      id: command.reservationId,
      storeId: command.storeId,
      transactionId: command.transactionId,
      orderId: command.orderId ?? null,
      status: 'active',
      createdAt: this.#at,
      endsAt: this.#at + command.ttlMs,
      items: command.items.map(({ storeId, productId, quantity }) => ({
        storeId,
        productId,
        first: quantity,
        sold: 0,
        back: 0,
      })),
    });
    return { status: 'reserved' };
  }

  #hold(reservationId: string, scope: string | undefined): ModelHold {
    const hold = this.#hq.holds.get(reservationId);
    if (hold === undefined || (scope !== undefined && scope !== hold.storeId)) {
      throw new Refusal({ status: 'unknown-reservation' });
    }
    return hold;
  }

  #confirm({ reservationId, orderId, items, keepRest, storeScope }: Of<'confirm'>): Outcome {
    endIfDue(this.#hq, this.#hq.holds.get(reservationId), this.#at);
    const hold = this.#hold(reservationId, storeScope);
    if (hold.status === 'released') throw new Refusal({ status: 'reservation-released' });
    if (hold.status === 'confirmed') return confirmedAlready(hold, orderId, items);
    if (hold.status === 'partly_confirmed' && hold.orderId !== orderId) {
      throw new Refusal({ status: 'reservation-confirmed' });
    }
    const late = hold.status === 'expired';
    const open = (item: ModelItem) => (late ? item.first : item.first - item.sold - item.back);
    mustBeHeld(hold, items, open);
    const sale = hold.items.map((item) => ({
      item,
      quantity: items === undefined ? open(item) : wantedOf(items, item),
    }));
    const wants = sale.filter(({ quantity }) => quantity > 0).map(({ item, quantity }) => ({ ...item, quantity }));
    if (late) return this.#confirmLate(hold, orderId, sale, wants);
    this.#mustBeOnHand(wants);
    for (const { item, quantity } of sale) {
      const back = keepRest ? 0 : open(item) - quantity;
      if (quantity + back > 0) {
        const level = touch(this.#hq, item);
        level.onHand -= quantity;
        level.reserved -= quantity + back;
      }
      item.sold += quantity;
      item.back += back;
    }
    hold.orderId = orderId;
    hold.status = hold.items.some((item) => open(item) > 0) ? 'partly_confirmed' : 'confirmed';
    return { status: 'confirmed', late: false };
  }

  #confirmLate(
    hold: ModelHold,
    orderId: string,
    sale: { item: ModelItem; quantity: number }[],
    wants: { storeId: string; productId: string; quantity: number }[],
  ): Outcome {
    try {
      this.#mustBeAvailable(wants);
    } catch (error) {
      if (error instanceof Refusal) throw new Refusal({ status: 'reservation-expired' });
      throw error;
    }
    for (const { item, quantity } of sale) {
      if (quantity > 0) touch(this.#hq, item).onHand -= quantity;
      item.sold = quantity;
      item.back = item.first - quantity;
    }
    hold.orderId = orderId;
    hold.status = 'confirmed';
    return { status: 'confirmed', late: true };
  }

  #release({ reservationId, storeScope }: Of<'release'>): Outcome {
    const hold = this.#hold(reservationId, storeScope);
    if (hold.status === 'confirmed') throw new Refusal({ status: 'reservation-confirmed' });
    if (isOpen(hold)) close(this.#hq, hold, 'released');
    return { status: 'released' };
  }

  #extend({ reservationId, ttlMs, storeScope }: Of<'extend'>): Outcome {
    endIfDue(this.#hq, this.#hq.holds.get(reservationId), this.#at);
    const hold = this.#hold(reservationId, storeScope);
    if (hold.status === 'released') throw new Refusal({ status: 'reservation-released' });
    if (hold.status === 'confirmed') throw new Refusal({ status: 'reservation-confirmed' });
    if (hold.status === 'expired') throw new Refusal({ status: 'reservation-expired' });
    hold.endsAt = this.#at + ttlMs;
    return { status: 'extended' };
  }

  #undo({ items, reservationId }: Of<'undo'>): Outcome {
    for (const item of items ?? []) touch(this.#hq, item).onHand += item.quantity;
    const hold = reservationId === undefined ? undefined : this.#hq.holds.get(reservationId);
    if (items === undefined && hold !== undefined && isOpen(hold)) close(this.#hq, hold, 'released');
    return { status: 'done' };
  }
}

function withoutChange({ storeId, productId, quantity }: { storeId: string; productId: string; quantity: number }) {
  return { storeId, productId, quantity: quantity === 0 ? 0 : quantity };
}

function wantedOf(items: readonly Item[], held: ModelItem): number {
  return items.find((item) => item.storeId === held.storeId && item.productId === held.productId)?.quantity ?? 0;
}

function mustBeHeld(hold: ModelHold, items: readonly Item[] | undefined, open: (item: ModelItem) => number): void {
  const lines = (items ?? []).flatMap(({ storeId, productId, quantity }) => {
    const own = hold.items.find((item) => item.storeId === storeId && item.productId === productId);
    const held = own === undefined ? 0 : open(own);
    return quantity > held ? [{ storeId, productId, requested: quantity, held }] : [];
  });
  if (lines.length > 0) throw new Refusal({ status: 'quantity-exceeds', lines });
}

/** The same order and lines succeed without effect. */
function confirmedAlready(hold: ModelHold, orderId: string, items: readonly Item[] | undefined): Outcome {
  const named = (items ?? []).every((item) => hold.items.some((held) => wantedOf([item], held) > 0));
  const same = hold.items.every((item) => item.sold === (items === undefined ? item.first : wantedOf(items, item)));
  if (hold.orderId !== orderId || !same || !named) throw new Refusal({ status: 'reservation-confirmed' });
  return { status: 'confirmed', late: false };
}
