import { LedgerUnavailable } from '../../ledger/ledger.ts';
import type { MariadbAccess } from '../../ledger/mariadb/mariadb-pool.ts';
import { ThreadClient } from '../../threads/thread-client.ts';
import type { wireBatchOf } from '../event-batch.ts';
import type { EventFilter } from '../event-feed.ts';
import type { EventBatch, EventPosition, EventSource, WireEvent } from '../event-source.ts';
import { unpacked } from '../packed-events.ts';
import type { ReadEvents } from '../relay-line.ts';

type PackedBatch = ReturnType<typeof wireBatchOf>;

/** Derives events in a thread of its own, with its own connections (`event-thread.ts`). */
export class MariadbEventSource implements EventSource {
  readonly #thread: ThreadClient;

  constructor(access: MariadbAccess) {
    this.#thread = new ThreadClient(new URL('./event-thread.ts', import.meta.url), { access });
  }

  /** @throws LedgerUnavailable */
  read(partition: number, after: EventPosition, filter: EventFilter, limit: number): Promise<EventBatch> {
    return this.#ask('events', partition, after, filter, limit);
  }

  /**
   * All events of a partition, encoded in the thread, for a relay whose publisher only sends them.
   * @throws LedgerUnavailable
   */
  readonly readWire: ReadEvents<WireEvent> = async (partition, after, limit) => {
    const { packed, position } = await this.#ask<PackedBatch>('wireEvents', partition, after, limit);
    return { events: unpacked(packed), position };
  };

  async #ask<T>(method: string, ...args: unknown[]): Promise<T> {
    try {
      return await this.#thread.call<T>(method, ...args);
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
