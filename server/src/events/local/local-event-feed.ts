/**
 * Pages and live streams of events. A stream begins in the ledger and goes over to the bus when it has caught up;
 * when its reader is slower than the bus, its queue is dropped and it goes back to the ledger, where nothing is lost.
 */
import { partitionOf } from '../../stock/identifiers.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { MaybePromise } from '../../stock/stock-engine.ts';
import { EventCursor } from '../event-cursor.ts';
import type { EventAt, EventFeed, EventFilter, StockEvent } from '../event-feed.ts';
import { type EventBatch, type EventSource, isAfter, matches, type PlacedEvent, WHOLE_ENTRY } from '../event-source.ts';
import type { LocalEventBus } from './local-event-bus.ts';

const STREAM_QUEUE_MAX = 1_000;
const EVENTS_PER_READ = 500;

export interface LocalEventFeedParts {
  source: EventSource;
  bus: LocalEventBus;
  /** Recorded `seq` of each of these partitions: where "from now on" begins. */
  recordedSeqs: (partitions: readonly number[]) => MaybePromise<number[]>;
}

export class LocalEventFeed implements EventFeed {
  readonly #parts: LocalEventFeedParts;

  constructor(parts: LocalEventFeedParts) {
    this.#parts = parts;
  }

  async page(
    filter: EventFilter,
    cursor: string | null,
    limit: number,
  ): Promise<{ items: StockEvent[]; nextCursor: string }> {
    const position = cursor === null ? new EventCursor() : EventCursor.parse(cursor);
    const items: StockEvent[] = [];
    for (const partition of partitionsOf(filter)) {
      let batch: EventBatch;
      do {
        batch = await this.#read(partition, position, filter, limit - items.length);
        items.push(...batch.events.map(({ event }) => event));
      } while (!batch.atEnd && items.length < limit);
      if (items.length >= limit) break;
    }
    return { items, nextCursor: position.toString() };
  }

  async #read(partition: number, position: EventCursor, filter: EventFilter, limit: number): Promise<EventBatch> {
    const batch = await this.#parts.source.read(partition, position.of(partition), filter, limit);
    position.move(partition, batch.position);
    return batch;
  }

  async *follow(filter: EventFilter, cursor: string | null, signal: AbortSignal): AsyncIterable<EventAt> {
    const position = cursor === null ? await this.#now(filter) : EventCursor.parse(cursor);
    const queue = new StreamQueue(filter);
    const unsubscribe = this.#parts.bus.subscribe((events) => queue.push(events));
    const onAbort = () => queue.wake();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        queue.reset();
        yield* this.#catchUp(filter, position, signal);
        yield* this.#live(queue, position, signal);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      unsubscribe();
    }
  }

  async #now(filter: EventFilter): Promise<EventCursor> {
    const position = new EventCursor();
    const partitions = partitionsOf(filter);
    const seqs = await this.#parts.recordedSeqs(partitions);
    for (const [index, partition] of partitions.entries()) {
      position.move(partition, { seq: seqs[index] as number, index: WHOLE_ENTRY });
    }
    return position;
  }

  async *#catchUp(filter: EventFilter, position: EventCursor, signal: AbortSignal): AsyncIterable<EventAt> {
    for (const partition of partitionsOf(filter)) {
      let batch: EventBatch;
      do {
        const { source } = this.#parts;
        batch = await source.read(partition, position.of(partition), filter, EVENTS_PER_READ);
        for (const placed of batch.events) {
          position.move(partition, placed);
          yield { event: placed.event, cursor: position.toString() };
          if (signal.aborted) return;
        }
        position.move(partition, batch.position);
      } while (!batch.atEnd);
    }
  }

  /** Until the queue overflows or the stream ends. What was caught up already is passed over. */
  async *#live(queue: StreamQueue, position: EventCursor, signal: AbortSignal): AsyncIterable<EventAt> {
    while (!signal.aborted && !queue.overflowed) {
      const placed = queue.take();
      if (placed === undefined) {
        await queue.filled();
        continue;
      }
      if (!isAfter(placed, position.of(placed.partition))) continue;
      position.move(placed.partition, placed);
      yield { event: placed.event, cursor: position.toString() };
    }
  }
}

/** What the bus has for one stream: matching events, bounded. */
class StreamQueue {
  readonly #filter: EventFilter;
  #events: PlacedEvent[] = [];
  #wake: (() => void) | null = null;
  overflowed = false;

  constructor(filter: EventFilter) {
    this.#filter = filter;
  }

  push(events: readonly PlacedEvent[]): void {
    if (this.overflowed) return;
    for (const placed of events) if (matches(this.#filter, placed.event)) this.#events.push(placed);
    if (this.#events.length > STREAM_QUEUE_MAX) {
      this.overflowed = true;
      this.#events = [];
    }
    if (this.overflowed || this.#events.length > 0) this.wake();
  }

  take(): PlacedEvent | undefined {
    return this.#events.shift();
  }

  reset(): void {
    this.#events = [];
    this.overflowed = false;
  }

  async filled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function partitionsOf(filter: EventFilter): number[] {
  return filter.hqId === null
    ? Array.from({ length: PARTITION_COUNT }, (_, index) => index)
    : [partitionOf(filter.hqId)];
}
