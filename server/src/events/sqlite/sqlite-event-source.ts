import type { ThreadClient } from '../../threads/thread-client.ts';
import type { EventFilter } from '../event-feed.ts';
import type { EventBatch, EventPosition, EventSource } from '../event-source.ts';

/** Derives events in the thread that reads the ledger (`ledger-reader-thread.ts`). */
export class SqliteEventSource implements EventSource {
  readonly #reader: ThreadClient;

  constructor(reader: ThreadClient) {
    this.#reader = reader;
  }

  read(partition: number, after: EventPosition, filter: EventFilter, limit: number): Promise<EventBatch> {
    return this.#reader.call('events', partition, after, filter, limit);
  }
}
