/** Events that callers without Kafka hand in: durable before they are told so, gone once they are handled or forwarded. */
import type { ConsumedTopic } from '../../events/topics.ts';

/** Events that wait, about (each process counts once a second): beyond it nothing more is taken in. */
const WAITING_MAX = 100_000;
/** Of events that wait for their commit: while the database does not answer they are in memory. */
const UNSTORED_LENGTH_MAX = 64 * 1024 * 1024;
const COUNT_EVERY_MS = 1_000;
/** Events of one commit. */
const GROUP_MAX = 256;

export interface NewInboxEvent {
  topic: ConsumedTopic;
  /** What its order is kept by: the caller's, else the order's or product's id. */
  key: string;
  /** The event in either envelope, as JSON text. */
  text: string;
  /** When it came; epoch milliseconds. */
  at: number;
}

export interface InboxEvent extends NewInboxEvent {
  /** Rises with the events of one caller; none is ever given twice. */
  id: number;
}

export interface InboxQuery {
  /** Without: of every topic. */
  topic?: ConsumedTopic;
  afterId: number;
  limit: number;
}

/** The table beside the ledger. */
export interface InboxStore {
  /**
   * All of them durable, or none.
   * @throws InboxUnavailable nothing was stored; LedgerUnavailable: it is not known whether it was
   */
  insert(events: readonly NewInboxEvent[]): Promise<void>;
  /** In the order of their ids. */
  read(query: InboxQuery): Promise<InboxEvent[]>;
  /** Those that are gone already are passed over. */
  remove(ids: readonly number[]): Promise<void>;
  counts(): Promise<Map<ConsumedTopic, number>>;
}

/** The database did not take it, for certain: the same may succeed later. */
export class InboxUnavailable extends Error {
  constructor(reason: string) {
    super(`the event cannot be stored now: ${reason}`);
    this.name = 'InboxUnavailable';
  }
}

/** So many wait already that nothing more is taken in. */
export class InboxFull extends Error {
  constructor() {
    super(`${WAITING_MAX} events wait to be handled; hand this one in again later`);
    this.name = 'InboxFull';
  }
}

export interface InboxParts {
  store: InboxStore;
  /** The first failure after a success: somebody has to look after the database. */
  onFailed: (error: Error) => void;
  /** Events that were refused because the database did not take them. */
  failures: { inc(count: number): void };
  waitingMax?: number;
  unstoredLengthMax?: number;
}

interface Waiter {
  event: NewInboxEvent;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** The way in of one process. Callers that come together share a commit, as those of the ledger do. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #listeners = new Set<() => void>();
  #waiters: Waiter[] = [];
  /** Characters of the events of `#waiters`, and of those that are being stored. */
  #unstored = 0;
  #storing: Promise<void> | null = null;
  #failing = false;
  /** Events in the table at the last count, and those that were put in since. */
  #waiting = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  get store(): InboxStore {
    return this.#parts.store;
  }

  /**
   * Resolves once the event is durable.
   * @throws InboxFull, InboxUnavailable: it was not stored; LedgerUnavailable: it is not known whether it was
   */
  async put(event: NewInboxEvent): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { waitingMax = WAITING_MAX, unstoredLengthMax = UNSTORED_LENGTH_MAX } = this.#parts;
    if (this.#waiters.length >= waitingMax) throw new InboxFull();
    if (this.#unstored + event.text.length > unstoredLengthMax) {
      throw new InboxUnavailable(`${this.#unstored} characters of others wait for the database already`);
    }
    this.#unstored += event.text.length;
    this.#waiters.push({ event, resolve, reject });
    this.#storing ??= this.#storeAll().finally(() => {
      this.#storing = null;
    });
    await promise.finally(() => {
      this.#unstored -= event.text.length;
    });
  }

  /** Calls back whenever events were put in by this process; answers how to end that. */
  onPut(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #storeAll(): Promise<void> {
    while (this.#waiters.length > 0) {
      const group = this.#waiters.splice(0, GROUP_MAX);
      try {
        await this.#store(group);
        this.#failing = false;
        for (const { resolve } of group) resolve();
        for (const listener of this.#listeners) listener();
      } catch (error) {
        if (!(error instanceof InboxFull)) this.#failed(error as Error, group.length);
        for (const { reject } of group) reject(error as Error);
      }
    }
  }

  async #store(group: readonly Waiter[]): Promise<void> {
    await this.#count();
    if (this.#waiting >= (this.#parts.waitingMax ?? WAITING_MAX)) throw new InboxFull();
    await this.store.insert(group.map(({ event }) => event));
    this.#waiting += group.length;
  }

  async #count(): Promise<void> {
    const now = performance.now();
    if (now - this.#countedAt <= COUNT_EVERY_MS) return;
    const counts = await this.store.counts().catch((error: Error) => {
      throw new InboxUnavailable(error.message);
    });
    this.#waiting = [...counts.values()].reduce((sum, count) => sum + count, 0);
    this.#countedAt = now;
  }

  #failed(error: Error, count: number): void {
    this.#parts.failures.inc(count);
    if (!this.#failing) this.#parts.onFailed(error);
    this.#failing = true;
  }
}
