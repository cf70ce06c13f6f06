/** The relay and the live streams, over the real ledger: nothing is skipped, order per key is kept, repeats are allowed. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventCursor } from '../../src/events/event-cursor.ts';
import { InvalidCursor } from '../../src/events/event-feed.ts';
import type { EventPublisher, RelayCursors } from '../../src/events/event-publisher.ts';
import { allOf, type PlacedEvent, WHOLE_ENTRY } from '../../src/events/event-source.ts';
import { LocalEventBus } from '../../src/events/local/local-event-bus.ts';
import { LocalEventFeed } from '../../src/events/local/local-event-feed.ts';
import { Relay, type RelayParts } from '../../src/events/relay.ts';
import { SqliteEventSource } from '../../src/events/sqlite/sqlite-event-source.ts';
import { SqliteRelayCursors } from '../../src/events/sqlite/sqlite-relay-cursors.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { requestedEngines } from '../conformance/engine-adapters.ts';
import { Pipeline } from '../conformance/pipeline.ts';
import { HQ, reserveOf, unitsOf } from '../stock/requests.ts';

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const PARTITION = partitionOf(HQ);

let pipeline: Pipeline;
let operations = 0;

async function execute(command: Parameters<Pipeline['execute']>[0]['command']): Promise<void> {
  operations += 1;
  const operationId = `op-${operations}`;
  const execution = await pipeline.execute({ hqId: HQ, operationId, fingerprint: operationId, command });
  if (execution.status !== 'recorded') throw new Error(`not recorded: ${execution.status}`);
}

async function reserveTimes(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await execute(reserveOf(1));
}

async function headSeq(): Promise<number> {
  const heads = await pipeline.ledger.heads();
  return heads.find(({ partition }) => partition === PARTITION)?.seq ?? 0;
}

beforeEach(async () => {
  const [adapter] = requestedEngines();
  if (adapter === undefined) throw new Error('this run has no engine');
  pipeline = new Pipeline(adapter);
  await pipeline.start();
  await execute({ type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS });
  await execute({ type: 'configure-product', productId: 'P1', settings: NO_SETTINGS });
  await execute({ type: 'receive', items: [unitsOf(100_000)] });
});

afterEach(() => pipeline.dispose());

/** Accepts events, but fails when told to. */
class Collector implements EventPublisher<PlacedEvent> {
  readonly idle = false;
  readonly callsAtOnce = 1;
  readonly events: PlacedEvent[] = [];
  failures = 0;

  async publish(events: readonly PlacedEvent[]): Promise<void> {
    this.events.push(...events);
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('the broker is away');
    }
  }

  async close(): Promise<void> {}
}

function relayTo(publisher: EventPublisher<PlacedEvent>, cursors?: RelayCursors): Relay<PlacedEvent> {
  const { reader, writer } = pipeline.ledger.threads;
  return new Relay({
    read: allOf(new SqliteEventSource(reader)),
    publisher,
    cursors: cursors ?? new SqliteRelayCursors(writer),
    onError: () => undefined,
    delay: (ms) => delay(Math.min(ms, 5)),
  });
}

async function caughtUp(relay: Relay<PlacedEvent>): Promise<void> {
  while (relay.lag() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

function firstAppearances(events: readonly PlacedEvent[]): string[] {
  return [...new Set(events.map(({ event }) => event.id))];
}

describe('the relay', () => {
  it('publishes every event in order, again after a failure and after a restart, and skips none', async () => {
    await reserveTimes(30);
    const collector = new Collector();
    collector.failures = 3;
    const first = relayTo(collector);
    await first.start(await pipeline.ledger.heads());
    await caughtUp(first);
    await first.stop();
    await reserveTimes(20);
    const second = relayTo(collector);
    await second.start(await pipeline.ledger.heads());
    await caughtUp(second);
    await second.stop();
    const reserved = collector.events.filter(({ event }) => event.type === 'stock.reserved');
    const ids = firstAppearances(reserved);
    expect(ids).toHaveLength(50);
    expect(ids).toEqual([...ids].sort((one, other) => Number(one.split('_')[2]) - Number(other.split('_')[2])));
  });

  it('moves its cursor only after the publisher has accepted', async () => {
    const collector = new Collector();
    collector.failures = Number.MAX_SAFE_INTEGER;
    const relay = relayTo(collector);
    await relay.start(await pipeline.ledger.heads());
    while (collector.events.length === 0) await delay(5);
    await relay.stop();
    expect(relay.publishedSeq(PARTITION)).toBe(0);
    expect(collector.events.length).toBeGreaterThan(0);
  });

  it('passes an entry that has more events than one publication takes', async () => {
    const items = Array.from({ length: 400 }, (_, index) => ({ storeId: 'S1', productId: `Q${index}`, quantity: 5 }));
    for (const { productId } of items)
      await execute({ type: 'configure-product', productId, settings: { safetyStock: null, lowThreshold: 3 } });
    await execute({ type: 'receive', items });
    for (let round = 0; round < 3; round += 1)
      await execute({ type: 'issue', items: items.map((item) => ({ ...item, quantity: 1 })) });
    const collector = new Collector();
    const relay = relayTo(collector);
    await relay.start(await pipeline.ledger.heads());
    await caughtUp(relay);
    await relay.stop();
    expect(firstAppearances(collector.events).length).toBe(1 + 400 + 3 * 400 + 400);
  });
});

describe('the relay of a cluster', () => {
  /** A ledger and cursors in memory: one partition, an event per entry. */
  class Shared {
    head = { partition: 3, epoch: 1, seq: 0 };
    readonly stored = new Map<number, number>();
    readonly published: number[] = [];
    rejected = 0;

    relay(more: Partial<RelayParts<number>> = {}): Relay<number> {
      return new Relay<number>({
        read: async (_partition, after, limit) => {
          const seqs = Array.from(
            { length: Math.min(limit, 10, this.head.seq - after.seq) },
            (_, at) => after.seq + at + 1,
          );
          return { events: seqs, position: { seq: seqs.at(-1) ?? after.seq, index: WHOLE_ENTRY } };
        },
        publisher: {
          idle: false,
          callsAtOnce: 3,
          publish: async (events) => {
            this.published.push(...events);
            await delay(1);
            if (this.rejected > 0) {
              this.rejected -= 1;
              throw new Error('rejected');
            }
          },
          close: async () => undefined,
        },
        cursors: {
          load: async () => new Map(this.stored),
          save: async (cursors) => {
            for (const [partition, seq] of cursors)
              this.stored.set(partition, Math.max(seq, this.stored.get(partition) ?? 0));
          },
        },
        heads: async () => [this.head],
        onError: () => undefined,
        delay: (ms) => delay(ms / 10),
        ...more,
      });
    }
  }

  const upTo = (seq: number): number[] => Array.from({ length: seq }, (_, index) => index + 1);

  it('hears of entries that nobody announced, and goes on where it was accepted after a rejection', async () => {
    const shared = new Shared();
    shared.rejected = 4;
    const relay = shared.relay();
    await relay.start([shared.head]);
    shared.head = { ...shared.head, seq: 95 };
    while (relay.publishedSeq(3) < 95) await delay(5);
    await relay.stop();
    expect([...new Set(shared.published)]).toEqual(upTo(95));
    expect(shared.published.length).toBeGreaterThan(95);
    expect(shared.stored.get(3)).toBe(95);
  });

  it('rule 18: begins at the stored cursor when it gains a partition, and saves it when it loses it', async () => {
    const shared = new Shared();
    let owner = 'one';
    const one = shared.relay({ publishes: () => owner === 'one' });
    const other = shared.relay({ publishes: () => owner === 'other' });
    await one.start([shared.head]);
    await other.start([shared.head]);
    shared.head = { ...shared.head, seq: 40 };
    while (one.publishedSeq(3) < 40) await delay(5);
    expect(other.lag()).toBe(0);
    owner = 'other';
    while (other.publishedSeq(3) < 40) await delay(5);
    expect(shared.published).toEqual(upTo(40));
    shared.head = { ...shared.head, seq: 60 };
    while (other.publishedSeq(3) < 60) await delay(5);
    await Promise.all([one.stop(), other.stop()]);
    expect(shared.published).toEqual(upTo(60));
  });

  it('rule 17: leaves a partition alone whose ledger ends before what was published, until a new epoch', async () => {
    const shared = new Shared();
    const wentBack: number[][] = [];
    const relay = shared.relay({
      onWentBack: ({ partition, seq }, publishedSeq) => wentBack.push([partition, publishedSeq, seq]),
    });
    shared.head = { ...shared.head, seq: 30 };
    await relay.start([shared.head]);
    while (relay.publishedSeq(3) < 30) await delay(5);
    shared.stored.set(3, 20);
    shared.head = { ...shared.head, seq: 25 };
    while (wentBack.length === 0) await delay(5);
    shared.head = { ...shared.head, seq: 40 };
    await delay(600);
    expect(wentBack).toEqual([[3, 30, 25]]);
    expect(shared.published).toEqual(upTo(30));
    shared.stored.set(3, 20);
    shared.head = { ...shared.head, epoch: 2 };
    while (relay.publishedSeq(3) < 40) await delay(5);
    await relay.stop();
    expect(shared.published).toEqual([...upTo(30), ...upTo(40).slice(20)]);
  });

  it('rule 17: goes on where the ledger ended, when the cursor that it finds is beyond that', async () => {
    const shared = new Shared();
    let times = 0;
    const relay = shared.relay({ onWentBack: () => (times += 1) });
    shared.head = { ...shared.head, seq: 30 };
    await relay.start([shared.head]);
    while (relay.publishedSeq(3) < 30) await delay(5);
    shared.stored.set(3, 30);
    shared.head = { ...shared.head, seq: 25 };
    while (times === 0) await delay(5);
    shared.head = { ...shared.head, epoch: 2, seq: 28 };
    while (relay.publishedSeq(3) < 28) await delay(5);
    await relay.stop();
    expect(times).toBe(1);
    expect(shared.published).toEqual([...upTo(30), 26, 27, 28]);
  });
});

describe('pages and streams', () => {
  function feedOn(bus: LocalEventBus): LocalEventFeed {
    const source = new SqliteEventSource(pipeline.ledger.threads.reader);
    return new LocalEventFeed({ source, bus, recordedSeqs: (partitions) => partitions.map(() => recorded) });
  }

  let recorded = 0;

  it('pages through all events, in pages of any size, without gap or repeat', async () => {
    await reserveTimes(25);
    const feed = feedOn(new LocalEventBus());
    for (const limit of [1, 7, 500]) {
      const ids: string[] = [];
      let cursor: string | null = null;
      for (;;) {
        const page: Awaited<ReturnType<typeof feed.page>> = await feed.page({ hqId: HQ }, cursor, limit);
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
        if (page.items.length === 0) break;
      }
      expect(ids).toHaveLength(26);
      expect(new Set(ids).size).toBe(26);
    }
    const none = await feed.page({ hqId: HQ, type: 'stock.low' }, null, 10);
    expect(none.items).toEqual([]);
  });

  it('refuses a cursor that it did not give', async () => {
    for (const text of [
      '',
      'x',
      'bm9wZQ',
      Buffer.from('99:1').toString('base64url'),
      Buffer.from('1:-1').toString('base64url'),
    ]) {
      expect(() => EventCursor.parse(text)).toThrow(InvalidCursor);
    }
    const cursor = EventCursor.parse(new EventCursor().toString());
    expect(cursor.of(3)).toEqual(new EventCursor().of(3));
  });

  it('goes over from the ledger to the bus, and back when its reader is slow, and misses nothing', async () => {
    const bus = new LocalEventBus();
    const relay = relayTo(bus);
    await relay.start(await pipeline.ledger.heads());
    recorded = await headSeq();
    const abort = new AbortController();
    const seen: string[] = [];
    const wanted = 4_000;
    const reading = (async () => {
      for await (const { event } of feedOn(bus).follow({ hqId: HQ, type: 'stock.reserved' }, null, abort.signal)) {
        seen.push(event.id);
        if (seen.length === 10) await new Promise((resolve) => setTimeout(resolve, 300));
        if (seen.length === wanted) abort.abort();
      }
    })();
    for (let sent = 0; sent < wanted; sent += 200) {
      await Promise.all(Array.from({ length: 200 }, () => execute(reserveOf(1))));
      relay.recorded(PARTITION, await headSeq());
    }
    await reading;
    await relay.stop();
    expect(new Set(seen).size).toBe(wanted);
    expect(bus.subscribers).toBe(0);
  });
});
