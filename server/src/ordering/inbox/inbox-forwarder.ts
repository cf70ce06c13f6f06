import { setTimeout as delay } from 'node:timers/promises';
import { fitting } from '../../events/broker-batch.ts';
import type { EventKeys } from '../../events/encryption/event-keys.ts';
import type { DeadLetters, NewLetter } from '../letters/dead-letters.ts';
import { type ConsumedMessage, orderIdOf, type ReadMessage } from '../messages/message.ts';
import type { Inbox, InboxEvent } from './inbox.ts';

const FORWARD_MAX = 256;
/** What another node took in is found after this. */
const POLL_MS = 100;
const RETRY_MS = 500;
/** Of a message that never was in one of the broker's. */
const NO_PARTITION = -1;

/** As it goes over the wire. */
export type ForwardedMessage = ConsumedMessage & { key: string; value: Uint8Array };

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
  /** As other services encrypt what they send; null: it goes on in plain. */
  encrypt: EventKeys['encrypt'] | null;
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
    const events = waiting.slice(0, fitting({ messages: waiting, bytesOf: ({ text }) => Buffer.byteLength(text) }));
    const messages: ForwardedMessage[] = [];
    for (const event of events) {
      const message = await this.#sealed(event);
      if (message !== null) messages.push(message);
    }
    if (messages.length > 0) await this.#send(messages);
    await inbox.store.remove(events.map(({ id }) => id));
    return events.length < waiting.length || waiting.length === FORWARD_MAX;
  }

  /** Null: it can be read no more, so nobody can say whom to encrypt it for, and it is parked. */
  async #sealed(event: InboxEvent): Promise<ForwardedMessage | null> {
    const { encrypt, readMessage } = this.#parts;
    const message = messageOf(event);
    if (encrypt === null) return message;
    const read = readMessage(message);
    if (!read.ok) {
      await this.#park(message, { code: read.code, reason: read.reason });
      return null;
    }
    const { body, eventId, topic } = read.message;
    return { ...message, ...encrypt({ hqId: body.hqId, topic, eventId, value: message.value }) };
  }

  /** Where one is too large they are sent one by one, and that one is parked. */
  async #send(messages: readonly ForwardedMessage[]): Promise<void> {
    if ((await this.#parts.broker.send(messages)) === 'taken') return;
    const [only] = messages;
    if (messages.length === 1 && only !== undefined) {
      const reason = `the broker takes no message of ${only.value.byteLength} bytes for this topic`;
      return this.#park(only, { code: 'TOO_LARGE', reason });
    }
    for (const message of messages) await this.#send([message]);
  }

  async #park(message: ForwardedMessage, why: Pick<NewLetter, 'code' | 'reason'>): Promise<void> {
    const read = this.#parts.readMessage(message);
    const { hqId } = read.ok ? read.message.body : read;
    const orderId = read.ok ? orderIdOf(read.message.body) : read.orderId;
    const { eventId } = read.ok ? read.message : read;
    await this.#parts.deadLetters.park({ message, key: null, hqId, orderId, eventId, ...why, attempts: 1 });
  }
}

function messageOf({ id, topic, key, text, at }: InboxEvent): ForwardedMessage {
  return { topic, partition: NO_PARTITION, offset: BigInt(id), key, headers: new Map(), value: Buffer.from(text), at };
}
