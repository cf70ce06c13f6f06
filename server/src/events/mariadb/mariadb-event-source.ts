import { LedgerUnavailable } from '../../ledger/ledger.ts';
import type { MariadbAccess } from '../../ledger/mariadb/mariadb-pool.ts';
import { ThreadClient } from '../../threads/thread-client.ts';
import type { EventFilter } from '../event-feed.ts';
import type { EventBatch, EventPosition, EventSource } from '../event-source.ts';

/** Derives events in a thread of its own, with its own connections (`event-thread.ts`). */
export class MariadbEventSource implements EventSource {
  readonly #thread: ThreadClient;

  constructor(access: MariadbAccess) {
    this.#thread = new ThreadClient(new URL('./event-thread.ts', import.meta.url), { access });
  }

  /** @throws LedgerUnavailable */
  async read(partition: number, after: EventPosition, filter: EventFilter, limit: number): Promise<EventBatch> {
    try {
      return await this.#thread.call<EventBatch>('events', partition, after, filter, limit);
    } catch (error) {
      // An error crosses the thread without its class.
      const { name, message } = error as Error;
      throw name === 'LedgerUnavailable' ? new LedgerUnavailable(message) : error;
    }
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
