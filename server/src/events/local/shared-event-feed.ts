import { setTimeout as delay } from 'node:timers/promises';
import type { EventAt, EventFeed, EventFilter, StockEvent } from '../event-feed.ts';
import { allOf, type EventSource, type PlacedEvent } from '../event-source.ts';
import { type RecordedSeq, Relay } from '../relay.ts';
import { LocalEventBus } from './local-event-bus.ts';
import { LocalEventFeed } from './local-event-feed.ts';

export interface SharedEventFeedParts {
  source: EventSource;
  /** Of all partitions, from the ledger's primary. */
  heads: () => Promise<readonly RecordedSeq[]>;
  onError: (error: Error) => void;
}

/**
 * The event feed of a node whose ledger others record into as well. A relay of its own, without lasting cursors, brings
 * what is recorded to the node's bus, once for all of its streams, and nothing while nobody streams. It hears of new
 * entries through `recorded`, and asks the ledger in case an announcement was lost.
 */
export class SharedEventFeed implements EventFeed {
  readonly #parts: SharedEventFeedParts;
  readonly #bus = new LocalEventBus();
  readonly #feed: LocalEventFeed;
  #relay: Relay<PlacedEvent> | null = null;

  constructor(parts: SharedEventFeedParts) {
    this.#parts = parts;
    const { source, heads } = parts;
    this.#feed = new LocalEventFeed({
      source,
      bus: this.#bus,
      recordedSeqs: async (partitions) => {
        const seqs = new Map((await heads()).map(({ partition, seq }) => [partition, seq]));
        return partitions.map((partition) => seqs.get(partition) ?? 0);
      },
    });
  }

  async start(): Promise<void> {
    const { source, heads, onError } = this.#parts;
    const begin = await heads();
    const seqs = new Map(begin.map(({ partition, seq }) => [partition, seq]));
    this.#relay = new Relay({
      read: allOf(source),
      publisher: this.#bus,
      cursors: { load: async () => seqs, save: async () => undefined },
      heads,
      onError,
      delay: (ms) => delay(ms),
    });
    await this.#relay.start(begin);
  }

  /** How many follow events here. */
  get streams(): number {
    return this.#bus.subscribers;
  }

  /** Entries up to `seq` are in the ledger. */
  recorded(partition: number, seq: number): void {
    this.#relay?.recorded(partition, seq);
  }

  page(
    filter: EventFilter,
    cursor: string | null,
    limit: number,
  ): Promise<{ items: StockEvent[]; nextCursor: string }> {
    return this.#feed.page(filter, cursor, limit);
  }

  follow(filter: EventFilter, cursor: string | null, signal: AbortSignal): AsyncIterable<EventAt> {
    return this.#feed.follow(filter, cursor, signal);
  }

  async close(): Promise<void> {
    await this.#relay?.stop();
    await this.#bus.close();
  }
}
