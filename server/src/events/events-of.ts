/** The events of an entry: a pure function of it, so a republished event is the same to the byte. */

import { changeReasonOf } from '../stock/change-reason.ts';
import type { AnswerOrder, Command, Confirm, Reserve } from '../stock/commands.ts';
import { available, changesOf, type Entry, type Hold, heldStill, type LevelRead } from '../stock/entry.ts';
import { instantText } from '../stock/instant-text.ts';
import type { StickyRefusal } from '../stock/outcome.ts';
import { levelKey } from '../stock/rules/read-plan.ts';
import { catalogue, type EventData, type EventType } from './catalogue/catalogue.ts';
import { dataSchemaOf } from './catalogue/schemas.ts';
import type { StockEvent } from './event-feed.ts';

/** Events that one entry can have: a place in `sequence` is kept for each. */
const EVENTS_PER_ENTRY_MAX = 65_536;
const SEQUENCE_DIGITS = 20;

const DATA_SCHEMAS = Object.fromEntries(
  Object.entries(catalogue).map(([type, { version }]) => [type, dataSchemaOf(type, version)]),
) as Record<EventType, string>;

interface Draft<T extends EventType = EventType> {
  type: T;
  subject: string;
  data: EventData<T>;
}

export function eventsOf(entry: Entry): StockEvent[] {
  const time = instantText(entry.at);
  return draftsOf(entry).map((draft, index) => envelope(entry, time, draft, index));
}

function envelope(entry: Entry, time: string, { type, subject, data }: Draft, index: number): StockEvent {
  const place = entry.seq * EVENTS_PER_ENTRY_MAX + index;
  return {
    specversion: '1.0',
    id: `evt_${entry.partition}_${entry.seq}_${index}`,
    source: '/holdfast',
    type,
    subject,
    time,
    datacontenttype: 'application/json',
    dataschema: DATA_SCHEMAS[type],
    sequence: String(place).padStart(SEQUENCE_DIGITS, '0'),
    correlationid: entry.correlationId,
    causationid: entry.causationId ?? entry.operationId ?? entry.correlationId,
    partitionkey: subject,
    data,
  };
}

/** A correction (decided twice, or its undoing) shows only where on-hand stock moved. */
function draftsOf(entry: Entry): Draft[] {
  const changes = netChanges(entry);
  const updated = updates(entry, changes);
  if (entry.duplicateOf !== null || entry.command.type === 'undo') return updated;
  return [...reservationDrafts(entry), ...updated, ...crossings(entry, changes)];
}

function reservationDrafts(entry: Entry): Draft[] {
  const { command, outcome } = entry;
  switch (outcome.status) {
    case 'reserved':
      return entry.holds.map((hold) => reserved(entry, hold));
    case 'confirmed':
      return entry.holds.map((hold) => confirmed(entry, hold));
    case 'released':
      return entry.holds.map((hold) => givenBack(entry, hold, 'stock.released'));
    case 'expired':
      return entry.holds.map((hold) => givenBack(entry, hold, 'stock.reservation.expired'));
    default:
      if (command.type === 'answer-order') return orderAnswered(entry, command);
      if (command.type === 'reserve') return reservationFailed(entry, command);
      return command.type === 'confirm' ? confirmFailed(entry, command) : [];
  }
}

function reservationOf(entry: Entry, hold: Hold): Omit<EventData<'stock.reserved'>, 'items'> {
  return {
    hqId: entry.hqId,
    storeId: hold.storeId,
    reservationId: hold.reservationId,
    ...(hold.orderId === null ? {} : { orderId: hold.orderId }),
    transactionId: hold.transactionId,
  };
}

function reserved(entry: Entry, hold: Hold): Draft {
  const items = hold.items.map(({ productId, storeId, reserved: quantity }) => ({ productId, storeId, quantity }));
  const data = { ...reservationOf(entry, hold), items, expiresAt: instantText(hold.expiresAt) };
  return { type: 'stock.reserved', subject: hold.reservationId, data };
}

/** What this confirmation sold: the hold after it, less what was confirmed before. */
function confirmed(entry: Entry, hold: Hold): Draft {
  const before = entry.read.holds[0];
  const items = hold.items
    .map(({ productId, storeId, confirmed: sold }, index) => ({
      productId,
      storeId,
      quantity: sold - (before?.items[index]?.confirmed ?? 0),
    }))
    .filter(({ quantity }) => quantity > 0);
  return { type: 'stock.confirmed', subject: hold.reservationId, data: { ...reservationOf(entry, hold), items } };
}

/** What was held still before the entry closed the hold. */
function givenBack(entry: Entry, hold: Hold, type: 'stock.released' | 'stock.reservation.expired'): Draft {
  const before = entry.read.holds.find(({ reservationId }) => reservationId === hold.reservationId) ?? hold;
  const items = before.items
    .map((item) => ({ productId: item.productId, storeId: item.storeId, quantity: heldStill(item) }))
    .filter(({ quantity }) => quantity > 0);
  return { type, subject: hold.reservationId, data: { ...reservationOf(entry, hold), items } };
}

function linesOf(outcome: Entry['outcome']): EventData<'stock.reservation.failed'>['lines'] {
  return 'lines' in outcome && outcome.status !== 'counted' ? outcome.lines.map((line) => ({ ...line })) : [];
}

function itemsOf(command: Command): EventData<'stock.reserved'>['items'] {
  if (!('items' in command) || command.items === undefined || command.type === 'count' || command.type === 'adjust')
    return [];
  return command.items.map(({ productId, storeId, quantity }) => ({ productId, storeId, quantity }));
}

function reservationFailed(entry: Entry, command: Reserve): Draft[] {
  const { orderId, transactionId, storeId } = command;
  const data = {
    hqId: entry.hqId,
    storeId,
    ...(orderId === undefined ? {} : { orderId }),
    transactionId,
    items: itemsOf(command),
    reason: 'INSUFFICIENT_STOCK',
    lines: linesOf(entry.outcome),
  };
  return [{ type: 'stock.reservation.failed', subject: orderId ?? transactionId, data }];
}

const CONFIRM_FAILURES: Partial<Record<StickyRefusal['status'], string>> = {
  insufficient: 'INSUFFICIENT_STOCK',
  'reservation-released': 'RELEASED',
  'reservation-expired': 'EXPIRED',
  'quantity-exceeds': 'QUANTITY_EXCEEDS_RESERVATION',
};

/** A second confirmation of what another order bought is the caller's mistake, not news of the stock. */
function confirmFailed(entry: Entry, command: Confirm): Draft[] {
  const reason = CONFIRM_FAILURES[entry.outcome.status as StickyRefusal['status']];
  const hold = entry.read.holds[0];
  if (reason === undefined || hold === undefined) return [];
  const items = command.items === undefined ? wholeOf(hold) : itemsOf(command);
  const data = {
    ...reservationOf(entry, hold),
    orderId: command.orderId,
    items,
    reason,
    lines: linesOf(entry.outcome),
  };
  return [{ type: 'stock.confirm.failed', subject: hold.reservationId, data }];
}

/** An order knows no transaction: its own id stands for it. A mark of a cancellation is news to nobody. */
function orderAnswered(entry: Entry, command: AnswerOrder): Draft[] {
  const { event, orderId, reservationId, storeId, reason } = command;
  const data = {
    hqId: entry.hqId,
    ...(storeId === undefined ? {} : { storeId }),
    ...(reservationId === undefined ? {} : { reservationId }),
    orderId,
    transactionId: orderId,
    items: itemsOf(command),
    reason,
    lines: [],
  };
  switch (event) {
    case 'placed':
      return [{ type: 'stock.reservation.failed', subject: orderId, data }];
    case 'completed':
      return [{ type: 'stock.confirm.failed', subject: reservationId ?? orderId, data }];
    case 'cancelled':
      return [];
  }
}

function wholeOf(hold: Hold): EventData<'stock.reserved'>['items'] {
  return hold.items.map(({ productId, storeId, reserved: quantity }) => ({ productId, storeId, quantity }));
}

interface NetChange {
  before: LevelRead;
  after: LevelRead;
}

/** Each level that the entry changed, before its first line and after its last. */
function netChanges(entry: Entry): NetChange[] {
  if (entry.lines.length === 1) return changesOf(entry);
  const net = new Map<string, NetChange>();
  for (const { before, after } of changesOf(entry)) {
    const known = net.get(levelKey(after));
    if (known === undefined) net.set(levelKey(after), { before, after });
    else known.after = after;
  }
  return [...net.values()];
}

function subjectOf(entry: Entry, level: LevelRead): string {
  return `${entry.hqId}:${level.storeId}:${level.productId}`;
}

/** `hqStock` is the HQ's total before and after the whole command, so a transfer shows it unchanged. */
function updates(entry: Entry, changes: readonly NetChange[]): Draft[] {
  const moved = changes.filter(({ before, after }) => before.onHand !== after.onHand);
  if (moved.length === 0) return [];
  const hqChange = new Map<string, number>();
  for (const { before, after } of moved) {
    hqChange.set(after.productId, (hqChange.get(after.productId) ?? 0) + after.onHand - before.onHand);
  }
  const hqBefore = new Map(entry.read.totals.map((totals) => [totals.productId, totals.onHand]));
  return moved.map(({ before, after }) => {
    const previous = hqBefore.get(after.productId) ?? 0;
    return {
      type: 'stock.updated',
      subject: subjectOf(entry, after),
      data: {
        hqId: entry.hqId,
        storeId: after.storeId,
        productId: after.productId,
        stockLevels: {
          hqStock: { previous, current: previous + (hqChange.get(after.productId) ?? 0) },
          storeStock: { previous: before.onHand, current: after.onHand },
        },
        changeAmount: after.onHand - before.onHand,
        changeReason: changeReasonOf(entry),
        referenceId: referenceOf(entry),
      },
    };
  });
}

function referenceOf(entry: Entry): string {
  if (entry.command.type === 'confirm') return entry.command.orderId;
  return entry.operationId ?? `${entry.partition}/${entry.seq}`;
}

/** A new default of a product changes what is available at levels that have no line of their own. */
function shiftedByDefault(entry: Entry): NetChange[] {
  if (entry.command.type !== 'configure-product') return [];
  const safetyStock = entry.command.settings.safetyStock ?? 0;
  return entry.read.levels.map((before) => ({ before, after: { ...before, safetyStock } }));
}

function crossings(entry: Entry, changes: readonly NetChange[]): Draft[] {
  return [...changes, ...shiftedByDefault(entry)].flatMap(({ before, after }) => {
    const [was, is] = [available(before), available(after)];
    const threshold = after.lowThreshold;
    const level = { hqId: entry.hqId, storeId: after.storeId, productId: after.productId, available: is };
    const drafts: Draft[] = [];
    if (threshold !== null && was > threshold && is <= threshold) {
      drafts.push({ type: 'stock.low', subject: subjectOf(entry, after), data: { ...level, threshold } });
    }
    if (was >= 0 && is < 0) {
      drafts.push({
        type: 'stock.shortfall',
        subject: subjectOf(entry, after),
        data: { ...level, threshold: threshold ?? 0 },
      });
    }
    return drafts;
  });
}
