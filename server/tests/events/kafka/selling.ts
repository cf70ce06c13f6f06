/** A ledger with entries of several HQs, and what of it must be on the wire. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { StockEvent } from '../../../src/events/event-feed.ts';
import { eventsOf } from '../../../src/events/events-of.ts';
import type { Relay } from '../../../src/events/relay.ts';
import type { Command } from '../../../src/stock/commands.ts';
import { newReservationId, partitionOf } from '../../../src/stock/identifiers.ts';
import { requestedEngines } from '../../conformance/engine-adapters.ts';
import { Pipeline } from '../../conformance/pipeline.ts';
import { eventOf, type ReadMessage } from './topic-reader.ts';

const HQS = ['HQ001', 'HQ002', 'HQ003'] as const;
const PRODUCTS = 10;
const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const IN_FLIGHT = 100;

export class Selling {
  readonly pipeline: Pipeline;
  #sold = 0;

  private constructor(pipeline: Pipeline) {
    this.pipeline = pipeline;
  }

  static async open(): Promise<Selling> {
    const [adapter] = requestedEngines();
    if (adapter === undefined) throw new Error('this run has no engine');
    const selling = new Selling(new Pipeline(adapter, { synchronous: 'OFF' }));
    await selling.pipeline.start();
    const products = Array.from({ length: PRODUCTS }, (_, index) => `P${index}`);
    for (const hqId of HQS) {
      await selling.execute(hqId, { type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS });
      for (const productId of products)
        await selling.execute(hqId, { type: 'configure-product', productId, settings: NO_SETTINGS });
      const items = products.map((productId) => ({ storeId: 'S1', productId, quantity: 1_000_000 }));
      await selling.execute(hqId, { type: 'receive', items });
    }
    return selling;
  }

  async execute(hqId: string, command: Command): Promise<void> {
    this.#sold += 1;
    const operationId = `op-${this.#sold}`;
    const execution = await this.pipeline.execute({ hqId, operationId, fingerprint: operationId, command });
    if (execution.status !== 'recorded') throw new Error(`not recorded: ${execution.status}`);
  }

  /** Issues of few products, so that each key has many events; every fifth a reservation with a key of its own. */
  async sell(count: number): Promise<void> {
    const sale = (): Promise<void> => {
      const hqId = HQS[this.#sold % HQS.length] as string;
      const items = [{ storeId: 'S1', productId: `P${(this.#sold * 7) % PRODUCTS}`, quantity: 1 }];
      if (this.#sold % 5 !== 0) return this.execute(hqId, { type: 'issue', items });
      const reservationId = newReservationId(partitionOf(hqId));
      const rest = { storeId: 'S1', transactionId: `T${this.#sold}`, ttlMs: 60_000, items };
      return this.execute(hqId, { type: 'reserve', reservationId, ...rest });
    };
    for (let sold = 0; sold < count; sold += IN_FLIGHT) {
      await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count - sold) }, sale));
    }
  }

  /** Tells the relay what was recorded. */
  async announceTo(relay: Relay<unknown>): Promise<void> {
    for (const { partition, seq } of await this.pipeline.ledger.heads()) relay.recorded(partition, seq);
  }

  /** Every event of every entry, in the order of the ledger. */
  async events(): Promise<StockEvent[]> {
    const all = await Promise.all(HQS.map((hqId) => this.pipeline.entries(hqId)));
    return all.flat().flatMap((entry) => eventsOf(entry));
  }
}

export async function caughtUp(relay: Relay<unknown>, timeoutMs = 45_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (relay.lag() > 0) {
    if (performance.now() > end) throw new Error(`${relay.lag()} entries are not published after ${timeoutMs} ms`);
    await delay(10);
  }
}

/** Nothing is missing, nothing is there that no entry says, and first appearances are in order for each key. */
export function expectPublished(messages: readonly ReadMessage[], events: readonly StockEvent[]): void {
  expect(firstAppearances(messages.map(eventOf))).toEqual(firstAppearances(events));
}

/** Each value is its event to the byte, under the event's key. */
export function expectAsRecorded(messages: readonly ReadMessage[], events: readonly StockEvent[]): void {
  const texts = new Map(events.map((event) => [event.id, JSON.stringify(event)]));
  for (const message of messages) {
    const { id, partitionkey } = eventOf(message);
    expect(message.key).toBe(partitionkey);
    expect(message.value).toBe(texts.get(id));
  }
}

/** Ids by topic and key. */
function firstAppearances(events: readonly StockEvent[]): Record<string, string[]> {
  const ids = new Map<string, Set<string>>();
  for (const { type, partitionkey, id } of events) {
    const key = `${type} ${partitionkey}`;
    const known = ids.get(key) ?? new Set();
    ids.set(key, known.add(id));
  }
  return Object.fromEntries([...ids].sort().map(([key, found]) => [key, [...found]]));
}
