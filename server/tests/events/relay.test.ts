/** The relay and the live streams, over the real ledger: nothing is skipped, order per key is kept, repeats are allowed. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventCursor } from '../../src/events/event-cursor.ts';
import { InvalidCursor } from '../../src/events/event-feed.ts';
import type { EventPublisher, RelayCursors } from '../../src/events/event-publisher.ts';
import type { PlacedEvent } from '../../src/events/event-source.ts';
import { LocalEventBus } from '../../src/events/local/local-event-bus.ts';
import { LocalEventFeed } from '../../src/events/local/local-event-feed.ts';
import { Relay } from '../../src/events/relay.ts';
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
class Collector implements EventPublisher {
  readonly idle = false;
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

function relayTo(publisher: EventPublisher, cursors?: RelayCursors): Relay {
  const { reader, writer } = pipeline.ledger.threads;
  return new Relay({
    source: new SqliteEventSource(reader),
    publisher,
    cursors: cursors ?? new SqliteRelayCursors(writer),
    onError: () => undefined,
    delay: (ms) => delay(Math.min(ms, 5)),
  });
}

async function caughtUp(relay: Relay): Promise<void> {
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
    const started = relay.start(await pipeline.ledger.heads());
    await started;
    await new Promise((resolve) => setTimeout(resolve, 50));
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

describe('pages and streams', () => {
  function feedOn(bus: LocalEventBus): LocalEventFeed {
    const source = new SqliteEventSource(pipeline.ledger.threads.reader);
    return new LocalEventFeed({ source, bus, recordedSeq: () => recorded });
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
