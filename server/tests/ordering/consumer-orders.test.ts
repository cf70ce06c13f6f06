/**
 * Orders by event from bytes to stock: the consumer with the real reader, handling, engine, ledger and dead letters.
 * Messages are repeated, shuffled within and across topics, and partly rubbish; members take the partitions from each
 * other and begin where an older commit stood.
 */
import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MasterData } from '../../src/catalog/master-data.ts';
import { SqliteCatalog } from '../../src/catalog/sqlite/sqlite-catalog.ts';
import { eventsOf } from '../../src/events/events-of.ts';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import type { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { OrderConsumer } from '../../src/ordering/consuming/consumer.ts';
import type { AssignedPartition } from '../../src/ordering/consuming/message-source.ts';
import { OrderHandler } from '../../src/ordering/handling/order-handling.ts';
import type { DeadLetter } from '../../src/ordering/letters/dead-letters.ts';
import { sqliteLetterStore } from '../../src/ordering/letters/sqlite/sqlite-letter-store.ts';
import { StoredDeadLetters } from '../../src/ordering/letters/stored-dead-letters.ts';
import type { ConsumedMessage } from '../../src/ordering/messages/message.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import { HQ, Installation, PARTITION } from '../projections/installation.ts';
import { Random } from '../simulation/random.ts';
import { until } from '../support/servers/until.ts';
import { message, plain, read } from './messages.ts';

const ORDERS = 400;
const PRODUCTS = ['P1', 'P2', 'P3'];
const UNITS = 10_000;
const PARTITIONS = 2;
const NO_ORDER = 'ORD-of-no-product';

interface Order {
  orderId: string;
  productId: string;
  quantity: number;
  fate: 'completed' | 'cancelled' | 'open';
}

let installation: Installation;
let letters: StoredDeadLetters;
const results: string[] = [];

beforeEach(async () => {
  installation = await Installation.start();
  await installation.stock(['S1'], PRODUCTS);
  const items = PRODUCTS.map((productId) => ({ storeId: 'S1', productId, quantity: UNITS - 100 }));
  await installation.entry({ type: 'receive', items });
  const { threads } = installation.running.ledger as SqliteLedger;
  letters = new StoredDeadLetters({ store: sqliteLetterStore(threads), now: Date.now });
  results.length = 0;
});

afterEach(() => installation.dispose());

it('has each effect once and each rubbish message parked, whoever has the partitions meanwhile', async () => {
  const random = new Random(5);
  const orders = ordersBy(random);
  const log = shuffled(messagesOf(orders, random), random);
  const committed = await consumeInTurns(log, random);
  expect(committed).toEqual(new Map([...log].map(([name, messages]) => [name, BigInt(messages.length)])));
  expect(results.filter((result) => result === 'replayed').length).toBeGreaterThan(0);

  const published = await eventsByOrder();
  for (const { orderId, fate } of orders) {
    const expected = { completed: 'stock.confirmed stock.reserved', open: 'stock.reserved', cancelled: null }[fate];
    const events = (published.get(orderId) ?? []).sort().join(' ');
    if (expected !== null) expect(events, orderId).toBe(expected);
    // Whichever came first.
    else expect(['stock.released stock.reserved', 'stock.reservation.failed'], orderId).toContain(events);
  }
  await expectStock(orders);
  await expectLetters([...log.values()].flat());
});

it('holds up an order behind a parked one of its HQ, and not another HQ that uses the same key', async () => {
  const order = (hqId: string, offset: bigint, eventId: string) => {
    const data = { orderId: 'ORD-7', hqId, storeId: 'S1', items: [{ productId: 'P1', quantity: 1 }] };
    return message('order.placed', plain('order.placed', data, { eventId }), { key: 'ORD-7', offset });
  };
  const consumer = newConsumer();
  const partition = consumer.assign('order.placed', 0);
  await partition.take([order('HQ002', 0n, 'a'), order('HQ002', 1n, 'b'), order(HQ, 2n, 'c'), order(HQ, 3n, 'd')]);
  await until('all are handled', 60_000, async () => partition.committable === 4n);
  await consumer.stop();
  expect([...results].sort()).toEqual(['done', 'parked', 'replayed', 'waiting']);
});

function ordersBy(random: Random): Order[] {
  return Array.from({ length: ORDERS }, (_, index) => ({
    orderId: `ORD-${index}`,
    productId: random.of(PRODUCTS),
    quantity: random.between(1, 3),
    fate: random.weighted({ completed: 6, cancelled: 2, open: 2 }),
  }));
}

/** A fifth of them twice, under another event id; one in a hundred is none; two of an order of a product that is not there. */
function messagesOf(orders: readonly Order[], random: Random): ConsumedMessage[] {
  let events = 0;
  const of = (topic: ConsumedTopic, data: { orderId: string }): ConsumedMessage => {
    events += 1;
    const value = random.chance(0.01) ? '{ "eventId": ' : plain(topic, data, { eventId: `evt-${events}` });
    return message(topic, value, { key: data.orderId, at: Date.now() });
  };
  const twice = (topic: ConsumedTopic, data: { orderId: string }): ConsumedMessage[] => {
    const first = of(topic, data);
    // Rubbish is sent again as it should be: each order has its messages.
    const again = isRubbish(first) || random.chance(0.2);
    const second = plain(topic, data, { eventId: `again-${events}` });
    return again ? [first, message(topic, second, { key: data.orderId })] : [first];
  };
  const unknown = { orderId: NO_ORDER, hqId: HQ, storeId: 'S1', items: [{ productId: 'P-none', quantity: 1 }] };
  const ofUnknown = ['a', 'b'].map((eventId) =>
    message('order.placed', plain('order.placed', unknown, { eventId }), { key: NO_ORDER }),
  );
  const ofOrders = orders.flatMap(({ orderId, productId, quantity, fate }) => {
    const placed = { orderId, hqId: HQ, storeId: 'S1', items: [{ productId, quantity }] };
    const rest = { orderId, hqId: HQ };
    if (fate === 'completed') return [...twice('order.placed', placed), ...twice('order.completed', rest)];
    return [...twice('order.placed', placed), ...(fate === 'cancelled' ? twice('order.cancelled', rest) : [])];
  });
  return [...ofOrders, ...ofUnknown];
}

function isRubbish({ value }: ConsumedMessage): boolean {
  return (value?.length ?? 0) < 20;
}

/** By `topic/partition`, in any order, with their offsets. */
function shuffled(messages: ConsumedMessage[], random: Random): Map<string, ConsumedMessage[]> {
  const log = new Map<string, ConsumedMessage[]>();
  const inOrder = messages.map((each) => ({ each, at: random.next() })).sort((a, b) => a.at - b.at);
  for (const { each } of inOrder) {
    const partition = Number.parseInt(hash('sha256', each.key ?? '').slice(0, 8), 16) % PARTITIONS;
    const name = `${each.topic}/${partition}`;
    const ofPartition = log.get(name) ?? [];
    log.set(name, ofPartition);
    ofPartition.push({ ...each, partition, offset: BigInt(ofPartition.length) });
  }
  return log;
}

function newConsumer(): OrderConsumer {
  const { executor, ledger } = installation.running;
  const catalog = new SqliteCatalog((ledger as SqliteLedger).threads);
  const masterData = new MasterData({ catalog, executor });
  return new OrderConsumer({
    read,
    handling: new OrderHandler({ executor, masterData, history: installation.history, now: () => installation.nowMs }),
    letters,
    isReady: () => true,
    earlyEventWaitMs: 30_000,
    observer: { consumed: (_topic, result) => results.push(result) },
    log: { warn: () => undefined },
  });
}

/** Four members one after the other; each of the first three is stopped in mid-load, its last commit is lost. */
async function consumeInTurns(
  log: ReadonlyMap<string, readonly ConsumedMessage[]>,
  random: Random,
): Promise<Map<string, bigint>> {
  const committed = new Map<string, bigint>();
  for (let turn = 0; turn < 4; turn += 1) {
    const isLast = turn === 3;
    const consumer = newConsumer();
    const assigned = new Map<string, AssignedPartition>();
    for (const [name, messages] of log) {
      const [topic = '', partition] = name.split('/');
      const partitionOfMember = consumer.assign(topic as ConsumedTopic, Number(partition));
      assigned.set(name, partitionOfMember);
      const rest = messages.slice(Number(committed.get(name) ?? 0n));
      void partitionOfMember.take(isLast ? rest : rest.slice(0, random.between(50, 120)));
    }
    if (isLast) await until('all is handled', 60_000, async () => isAtEnd(log, assigned));
    else await delay(random.between(2, 40));
    const lost = turn === 1 ? null : new Map([...assigned].map(([name, { committable }]) => [name, committable]));
    await consumer.stop();
    for (const [name, offset] of lost ?? []) if (offset !== null) committed.set(name, offset);
  }
  return committed;
}

function isAtEnd(
  log: ReadonlyMap<string, readonly ConsumedMessage[]>,
  assigned: ReadonlyMap<string, AssignedPartition>,
): boolean {
  return [...assigned].every(([name, { committable }]) => committable === BigInt(log.get(name)?.length ?? 0));
}

async function eventsByOrder(): Promise<Map<string, string[]>> {
  const entries = await installation.running.ledger.entries(PARTITION, 0, 100_000);
  const events = entries.flatMap(({ body }) => eventsOf(decodeEntry(body)));
  const byOrder = new Map<string, string[]>();
  for (const { type, data } of events) {
    const { orderId } = data as { orderId?: string };
    if (orderId !== undefined) byOrder.set(orderId, [...(byOrder.get(orderId) ?? []), type]);
  }
  return byOrder;
}

async function expectStock(orders: readonly Order[]): Promise<void> {
  const keys = PRODUCTS.map((productId) => ({ storeId: 'S1', productId }));
  const levels = await installation.running.engine.levels(HQ, keys);
  const units = (productId: string, fate: Order['fate']) =>
    orders
      .filter((order) => order.productId === productId && order.fate === fate)
      .reduce((sum, { quantity }) => sum + quantity, 0);
  expect(levels.map((level) => [level?.onHand, level?.reserved])).toEqual(
    PRODUCTS.map((productId) => [UNITS - units(productId, 'completed'), units(productId, 'open')]),
  );
}

async function expectLetters(logged: readonly ConsumedMessage[]): Promise<void> {
  const all: DeadLetter[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await letters.list({ hqId: null, limit: 100, cursor });
    all.push(...page.items);
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  const told = ({ code, status, key }: DeadLetter) => `${status} ${code} ${key}`;
  const rubbish = logged.filter(isRubbish).map(() => 'parked NOT_JSON null');
  expect(rubbish.length).toBeGreaterThan(0);
  expect(all.map(told).sort()).toEqual(
    [...rubbish, `parked UNKNOWN_PRODUCT ${NO_ORDER}`, `waiting BEHIND_A_PARKED_ONE ${NO_ORDER}`].sort(),
  );
}
