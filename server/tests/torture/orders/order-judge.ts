/** Holds the ledger, the events and the dead letters against what the stories say must be true at the end. */
import { catalogue } from '../../../src/events/catalogue/catalogue.ts';
import type { StockEvent } from '../../../src/events/event-feed.ts';
import { eventsOf } from '../../../src/events/events-of.ts';
import type { Entry, Hold } from '../../../src/stock/entry.ts';
import { reservationIdOfOrder } from '../../../src/stock/identifiers.ts';
import { eventOf, readTopics, untilAll } from '../../events/kafka/topic-reader.ts';
import type { KafkaTestServer } from '../../support/servers/kafka.ts';
import type { MariadbTestServer } from '../../support/servers/mariadb.ts';
import { entriesOf } from '../cluster/ledger-judge.ts';
import { FINDINGS_MAX } from '../judge.ts';
import { HQS, OPENING_STOCK, type OrderEnd, PRODUCTS, STORES, type Stories } from './stories.ts';

const PUBLISHED_MS_MAX = 180_000;

interface Quantities {
  onHand: number;
  reserved: number;
}

/** What the ledger's entries come to. */
export interface LedgerEnd {
  entries: number;
  levels: Map<string, Quantities>;
  holds: Map<string, Hold>;
  /** Reservations in the order of their entries, by HQ; those that were decided twice left out. */
  reserved: Map<string, string[]>;
  eventIds: string[];
  findings: string[];
}

export async function readLedger(mariadb: MariadbTestServer): Promise<LedgerEnd> {
  const end: LedgerEnd = {
    entries: 0,
    levels: new Map(),
    holds: new Map(),
    reserved: new Map(HQS.map((hqId) => [hqId, []])),
    eventIds: [],
    findings: [],
  };
  const operations = new Set<string>();
  for await (const entry of entriesOf(mariadb)) {
    fold(end, entry);
    const operation = `${entry.hqId} ${entry.operationId}`;
    if (entry.operationId !== null && operations.has(operation)) end.findings.push(`${operation} is recorded twice`);
    operations.add(operation);
  }
  return end;
}

function fold(end: LedgerEnd, entry: Entry): void {
  end.entries += 1;
  for (const { level, onHandChange, reservedChange } of entry.lines) {
    const read = entry.read.levels[level];
    if (read === undefined) continue;
    const key = `${entry.hqId}/${read.storeId}/${read.productId}`;
    const before = end.levels.get(key) ?? { onHand: 0, reserved: 0 };
    end.levels.set(key, { onHand: before.onHand + onHandChange, reserved: before.reserved + reservedChange });
  }
  for (const hold of entry.holds) {
    if (entry.outcome.status === 'reserved' && entry.duplicateOf === null) {
      if (end.holds.has(hold.reservationId)) end.findings.push(`${hold.reservationId} is reserved twice`);
      end.reserved.get(entry.hqId)?.push(hold.orderId ?? '');
    }
    end.holds.set(hold.reservationId, hold);
  }
  end.eventIds.push(...eventsOf(entry).map(({ id }) => id));
}

export function checkLevels({ levels }: LedgerEnd, ends: readonly OrderEnd[], { created }: Stories): string[] {
  const expected = new Map<string, Quantities>();
  for (const hqId of HQS)
    for (const storeId of STORES)
      for (const productId of PRODUCTS)
        expected.set(`${hqId}/${storeId}/${productId}`, { onHand: OPENING_STOCK, reserved: 0 });
  for (const { hqId, productId, quantity } of created)
    expected.set(`${hqId}/HQ/${productId}`, { onHand: quantity, reserved: 0 });
  for (const { hqId, storeId, sold, held } of ends) {
    const levelOf = (productId: string) => expected.get(`${hqId}/${storeId}/${productId}`) as Quantities;
    for (const { productId, quantity } of sold) levelOf(productId).onHand -= quantity;
    for (const { productId, quantity } of held) levelOf(productId).reserved += quantity;
  }
  return [...new Set([...expected.keys(), ...levels.keys()])]
    .filter((key) => {
      const [is, shouldBe] = [levels.get(key), expected.get(key)];
      return is?.onHand !== shouldBe?.onHand || is?.reserved !== shouldBe?.reserved;
    })
    .map((key) => `${key}: ${JSON.stringify(levels.get(key))}, expected ${JSON.stringify(expected.get(key))}`)
    .slice(0, FINDINGS_MAX);
}

export function checkOrders({ holds }: LedgerEnd, ends: readonly OrderEnd[]): string[] {
  return ends
    .flatMap(({ hqId, orderId, status }) => {
      const is = holds.get(reservationIdOfOrder(hqId, orderId))?.status ?? 'none';
      // A cancellation that came first leaves no reservation at all.
      const fits = is === status || (status === 'released' && is === 'none');
      return fits ? [] : [`order ${orderId} of ${hqId} is ${is}, expected ${status}`];
    })
    .slice(0, FINDINGS_MAX);
}

/** Orders that share a message key are reserved in the order in which they were sent. */
export function checkKeyOrder({ reserved }: LedgerEnd, { keyed }: Stories): string[] {
  const findings: string[] = [];
  for (const [hqId, orders] of reserved) {
    const place = new Map(orders.map((orderId, index) => [orderId, index]));
    for (const [key, sent] of keyed) {
      const places = sent.map((orderId) => place.get(orderId)).filter((each) => each !== undefined);
      const inverted = places.findIndex((each, index) => index > 0 && each < (places[index - 1] as number));
      if (inverted > 0)
        findings.push(`${hqId}: of key ${key}, ${sent[inverted]} came before the one that was sent first`);
    }
  }
  return findings.slice(0, FINDINGS_MAX);
}

/** Every event of every entry is on its topic, first appearances are in order for each key, and they sum up. */
export async function checkEvents({ eventIds, levels }: LedgerEnd, kafka: KafkaTestServer): Promise<string[]> {
  let messages: Awaited<ReturnType<typeof readTopics>>;
  try {
    messages = await readTopics(kafka.bootstrapServers, Object.keys(catalogue), untilAll(eventIds), PUBLISHED_MS_MAX);
  } catch (error) {
    return [`of ${eventIds.length} events some are not published: ${(error as Error).message}`];
  }
  const known = new Set(eventIds);
  const seen = new Set<string>();
  const last = new Map<string, StockEvent>();
  const findings: string[] = [];
  for (const message of messages) {
    const event = eventOf(message);
    if (!known.has(event.id)) findings.push(`event ${event.id} is of no entry`);
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    const key = `${message.topic} ${message.key}`;
    const before = last.get(key);
    if (before !== undefined && before.sequence >= event.sequence) {
      findings.push(`${key}: ${event.id} (${event.sequence}) came after ${before.id} (${before.sequence})`);
    }
    if (message.topic === 'stock.updated') findings.push(...continues(before, event));
    last.set(key, event);
  }
  for (const [key, { onHand }] of levels) {
    const event = last.get(`stock.updated ${key.replaceAll('/', ':')}`);
    if (storeStockOf(event)?.current !== onHand)
      findings.push(`${key}: the events end at ${JSON.stringify(event?.data)}`);
  }
  return findings.slice(0, FINDINGS_MAX);
}

function storeStockOf(event: StockEvent | undefined): { previous: number; current: number } | undefined {
  return (event?.data as { stockLevels: { storeStock: { previous: number; current: number } } } | undefined)
    ?.stockLevels.storeStock;
}

function continues(before: StockEvent | undefined, event: StockEvent): string[] {
  const was = storeStockOf(before)?.current ?? 0;
  const previous = storeStockOf(event)?.previous;
  return previous === was
    ? []
    : [`${event.subject}: ${event.id} begins at ${previous}, the one before ended at ${was}`];
}
