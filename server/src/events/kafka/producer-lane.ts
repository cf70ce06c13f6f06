import { setTimeout as sleep } from 'node:timers/promises';
import { BATCH_BYTES, fitting } from '../broker-batch.ts';
import { BulkProducer } from './bulk-producer.ts';
import { connectionOf, hearingErrors, type KafkaAccess } from './kafka-access.ts';
import { isTooLarge, isUnknownTopic, reasonOf } from './kafka-errors.ts';
import { partitionOfKey } from './key-partition.ts';

const MESSAGES_PER_SEND = 1_000;
const BYTES_PER_SEND_MIN = 16 * 1024;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 2_000;
/** The client keeps every error of a send that it repeats; past this many it is sent anew. */
const CLIENT_RETRIES = 1_000;
const REQUEST_MS_MAX = 10_000;

export interface LaneMessage {
  topic: string;
  key: string;
  value: Buffer;
  /** Encoded already: most are those of every message. */
  headers: Map<Buffer, Buffer>;
}

export interface LaneParts {
  kafka: KafkaAccess;
  /** A send failed and is repeated; told once for each reason. */
  onError: (reason: string) => void;
  onMissingTopic: () => void;
}

/** Messages of one call to the publisher, of which so many are not accepted yet. */
export interface LaneCall {
  left: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * One idempotent producer with one send under way: only so are messages of one key neither lost nor reordered when a
 * broker dies (with four sends under way 63 of 500 000 came twice). An error says nothing about whether the messages
 * were taken, so they are sent again, for ever.
 */
export class ProducerLane {
  readonly #parts: LaneParts;
  readonly #producer: BulkProducer;
  readonly #ended = new AbortController();
  #messages: LaneMessage[] = [];
  /** Of each message. */
  #calls: LaneCall[] = [];
  #next = 0;
  #running = false;
  #bytesPerSend = BATCH_BYTES;
  #sending: { since: number; reason: string | null } | null = null;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#producer = hearingErrors(
      new BulkProducer({
        clientId: 'holdfast-relay',
        ...connectionOf(parts.kafka),
        idempotent: true,
        // As Java's: whoever else writes these topics puts a key into the same partition.
        partitioner: partitionOfKey,
        serializers: { key: asBytes, value: asIs, headerKey: asIs, headerValue: asIs },
        retries: CLIENT_RETRIES,
        retryDelay: (_client, _operation, attempt, _retries, error) => this.#repeated(attempt, error),
        requestTimeout: REQUEST_MS_MAX,
      }),
    );
  }

  /** Since when the messages are on their way that are (by `performance.now()`), and why they were last refused. */
  get sending(): { since: number; reason: string | null } | null {
    return this.#sending;
  }

  push(message: LaneMessage, call: LaneCall): void {
    this.#messages.push(message);
    this.#calls.push(call);
    if (this.#running) return;
    this.#running = true;
    // In the next turn, so that all messages of a call are sent together.
    setImmediate(() => void this.#run());
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#rejectAll();
    await this.#producer.close(true).catch(() => undefined);
  }

  #rejectAll(): void {
    const error = new Error('the publisher is closed; what it had not published yet is published at the next start');
    for (const call of this.#calls.slice(this.#next)) call.reject(error);
    this.#messages = [];
    this.#calls = [];
    this.#next = 0;
  }

  async #run(): Promise<void> {
    while (this.#next < this.#messages.length) {
      const count = this.#fitting();
      this.#sending = { since: performance.now(), reason: null };
      await this.#send(this.#messages.slice(this.#next, this.#next + count));
      if (this.#ended.signal.aborted) return;
      const calls = this.#calls.slice(this.#next, this.#next + count);
      this.#forget(count);
      for (const call of calls) {
        call.left -= 1;
        if (call.left === 0) call.resolve();
      }
    }
    this.#sending = null;
    this.#running = false;
  }

  #forget(count: number): void {
    this.#next += count;
    if (this.#next < this.#messages.length && this.#next < MESSAGES_PER_SEND) return;
    this.#messages = this.#messages.slice(this.#next);
    this.#calls = this.#calls.slice(this.#next);
    this.#next = 0;
  }

  #fitting(): number {
    return fitting({
      messages: this.#messages,
      from: this.#next,
      countMax: MESSAGES_PER_SEND,
      bytesMax: this.#bytesPerSend,
      // Of a text its characters, which are known; what is too much after all is sent in halves.
      bytesOf: ({ value }) => value.length,
    });
  }

  /** Resolves once they are accepted, or the lane is closed. */
  async #send(messages: readonly LaneMessage[]): Promise<void> {
    for (let attempt = 1; !this.#ended.signal.aborted; attempt += 1) {
      try {
        await this.#producer.send({ messages: messages as LaneMessage[] });
        return;
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        const pauseMs = this.#repeated(attempt, error as Error);
        if (messages.length > 1 && isTooLarge(error as Error)) return this.#sendHalves(messages);
        await sleep(pauseMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
      }
    }
  }

  /** The topic takes less at once than Kafka's default. */
  async #sendHalves(messages: readonly LaneMessage[]): Promise<void> {
    this.#bytesPerSend = Math.max(this.#bytesPerSend / 2, BYTES_PER_SEND_MIN);
    const middle = messages.length >> 1;
    await this.#send(messages.slice(0, middle));
    await this.#send(messages.slice(middle));
  }

  /** Answers how long to wait before the messages are sent again. */
  #repeated(attempt: number, error: Error): number {
    const reason = reasonOf(error);
    if (this.#sending !== null && this.#sending.reason !== reason) {
      this.#sending.reason = reason;
      this.#parts.onError(reason);
    }
    if (isUnknownTopic(error)) this.#parts.onMissingTopic();
    return Math.min(RETRY_MS_MIN * 2 ** Math.min(attempt - 1, 10), RETRY_MS_MAX);
  }
}

function asBytes(key: string | undefined): Buffer | undefined {
  return key === undefined ? undefined : Buffer.from(key);
}

function asIs(bytes: Buffer | undefined): Buffer | undefined {
  return bytes;
}
