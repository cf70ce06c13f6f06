import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumedTopic } from '../../events/topics.ts';
import type { DeadLetters } from '../letters/dead-letters.ts';
import type { ConsumedMessage, ReadMessage } from '../messages/message.ts';
import type { Inbox, InboxEvent } from './inbox.ts';

const FORWARD_MAX = 256;
/** A broker takes 1 MiB for one batch of a partition unless it is told otherwise. */
const SEND_LENGTH_MAX = 512 * 1024;
/** What another node took in is found after this. */
const POLL_MS = 100;
const RETRY_MS = 500;
/** Of a message that never was in one of the broker's. */
const NO_PARTITION = -1;

export interface ForwardedMessage {
  topic: ConsumedTopic;
  key: string;
  text: string;
}

/** A message as it goes over the wire: encrypted, with the headers that say so. */
export type SealMessage = (message: ForwardedMessage) => { headers: ReadonlyMap<string, string>; value: Uint8Array };

/** Where the inbox of a cluster is emptied into. */
export interface InboxBroker {
  /**
   * Resolves once it has them all, in this order per key; `too-large` when it will never take one of them (then some
   * may have been taken).
   * @throws Error why they were not taken: they are to be sent again
   */
  send(messages: readonly ForwardedMessage[]): Promise<'taken' | 'too-large'>;
}

export interface InboxForwarderParts {
  inbox: Inbox;
  broker: InboxBroker;
  /** Whether this node is the one that forwards. */
  forwards: () => boolean;
  deadLetters: Pick<DeadLetters, 'park'>;
  readMessage: ReadMessage;
  /** The first failure after a success. */
  onError: (error: Error) => void;
}

/**
 * Empties the inbox of a cluster into Kafka, in the order in which it was filled. While Kafka is away the events
 * wait in the ledger's database. One that was sent and not removed is sent again, and is a replay for whoever handles it.
 */
export class InboxForwarder {
  readonly #parts: InboxForwarderParts;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #wake: () => void = () => undefined;
  #endListening: () => void = () => undefined;
  #trouble: string | null = null;

  constructor(parts: InboxForwarderParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#endListening = this.#parts.inbox.onPut(() => this.#wake());
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#endListening();
    this.#wake();
    await this.#running;
  }

  /** What a person reads while events wait; null: they are sent as they come. */
  degraded(): string | null {
    return this.#trouble;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const woken = this.#nextWake();
      try {
        const more = this.#parts.forwards() && (await this.#forwardSome());
        this.#trouble = null;
        if (!more && !signal.aborted) await woken;
      } catch (error) {
        if (this.#trouble === null) this.#parts.onError(error as Error);
        this.#trouble = `the inbox is not forwarded: ${(error as Error).message}; its events wait in the database`;
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #nextWake(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, POLL_MS);
    this.#wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  /** @returns whether there may be more */
  async #forwardSome(): Promise<boolean> {
    const { inbox } = this.#parts;
    const waiting = await inbox.store.read({ afterId: 0, limit: FORWARD_MAX });
    if (waiting.length === 0) return false;
    const events = waiting.slice(0, fitting(waiting));
    await this.#send(events);
    await inbox.store.remove(events.map(({ id }) => id));
    return events.length < waiting.length || waiting.length === FORWARD_MAX;
  }

  /** Where one is too large they are sent one by one, and that one is parked. */
  async #send(events: readonly InboxEvent[]): Promise<void> {
    if ((await this.#parts.broker.send(events)) === 'taken') return;
    const [only] = events;
    if (events.length === 1 && only !== undefined) return this.#park(only);
    for (const event of events) await this.#send([event]);
  }

  async #park(event: InboxEvent): Promise<void> {
    const message = messageOf(event);
    const read = this.#parts.readMessage(message);
    const ids = read.ok ? idsOf(read.message.body) : read;
    await this.#parts.deadLetters.park({
      message,
      key: null,
      hqId: ids.hqId,
      orderId: ids.orderId,
      eventId: read.ok ? read.message.eventId : read.eventId,
      code: 'TOO_LARGE',
      reason: `the broker takes no message of ${message.value?.length ?? 0} bytes for this topic`,
      attempts: 1,
    });
  }
}

/** How many of the first go together; one at least, however large. */
function fitting(events: readonly InboxEvent[]): number {
  let length = 0;
  const beyond = events.findIndex(({ text }) => {
    length += text.length;
    return length > SEND_LENGTH_MAX;
  });
  return beyond < 0 ? events.length : Math.max(1, beyond);
}

function idsOf(body: { hqId: string; orderId?: string }): { hqId: string; orderId: string | null } {
  return { hqId: body.hqId, orderId: body.orderId ?? null };
}

function messageOf({ id, topic, key, text, at }: InboxEvent): ConsumedMessage {
  return { topic, partition: NO_PARTITION, offset: BigInt(id), key, headers: new Map(), value: Buffer.from(text), at };
}
