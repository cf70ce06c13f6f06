import { LedgerUnavailable } from '../../../ledger/ledger.ts';
import type { LedgerThreads } from '../../../ledger/sqlite/sqlite-ledger.ts';
import type { ThreadClient } from '../../../threads/thread-client.ts';
import { type InboxEvent, type InboxQuery, type InboxStore, InboxUnavailable, type NewInboxEvent } from '../inbox.ts';
import type { TopicCount } from './inbox-handlers.ts';

/** The inbox in the ledger's file: written by the thread that records, read by the one that reads. */
export class SqliteInboxStore implements InboxStore {
  readonly #threads: LedgerThreads;

  constructor(threads: LedgerThreads) {
    this.#threads = threads;
  }

  insert(events: readonly NewInboxEvent[]): Promise<void> {
    return call(this.#threads.writer, 'putIntoInbox', events);
  }

  read(query: InboxQuery): Promise<InboxEvent[]> {
    return call(this.#threads.reader, 'readInbox', query);
  }

  remove(ids: readonly number[]): Promise<void> {
    return call(this.#threads.writer, 'removeFromInbox', ids);
  }

  async counts(): ReturnType<InboxStore['counts']> {
    const rows = await call<TopicCount[]>(this.#threads.reader, 'countInbox');
    return new Map(rows.map(({ topic, count }) => [topic, count]));
  }
}

async function call<T>(thread: ThreadClient, method: string, ...args: unknown[]): Promise<T> {
  try {
    return await thread.call<T>(method, ...args);
  } catch (error) {
    // An error crosses the thread without its class.
    const { name, message } = error as Error;
    throw name === 'InboxUnavailable' ? new InboxUnavailable(message) : new LedgerUnavailable(message, error);
  }
}
