import { setTimeout as delay } from 'node:timers/promises';
import { CONSUMED_TOPICS, type ConsumedTopic } from '../../events/topics.ts';
import type { AssignedPartition, MessageSink, MessageSource } from '../consuming/message-source.ts';
import type { ConsumedMessage } from '../messages/message.ts';
import type { Inbox, InboxEvent } from './inbox.ts';

/** The inbox of this installation has one partition of every topic. */
const PARTITION = 0;
const READ_MAX = 256;
/** What was put in by this process is taken at once; this is for what it did not hear of. */
const POLL_MS = 5_000;
const COMMIT_MS = 50;
const RETRY_MS = 500;

export interface InboxSourceParts {
  inbox: Inbox;
  onError: (error: Error) => void;
}

/**
 * The events of the inbox to the consumer of the same process. A row leaves once the event has its effect or is
 * parked; after a crash all that are left come again, from the first.
 */
export class InboxSource implements MessageSource {
  readonly #parts: InboxSourceParts;
  readonly #stopping = new AbortController();
  #topics: TopicPump[] = [];
  #running: Promise<unknown> | null = null;

  constructor(parts: InboxSourceParts) {
    this.#parts = parts;
  }

  async start(sink: MessageSink): Promise<void> {
    const { signal } = this.#stopping;
    this.#topics = CONSUMED_TOPICS.map((topic) => new TopicPump(this.#parts, topic, sink.assign(topic, PARTITION)));
    this.#running = Promise.all(this.#topics.map((pump) => pump.run(signal)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#topics.map((pump) => pump.revoke()));
    await this.#running;
  }

  degraded(): string | null {
    return this.#topics.find(({ trouble }) => trouble !== null)?.trouble ?? null;
  }

  async lag(): Promise<Map<ConsumedTopic, number>> {
    const counts = await this.#parts.inbox.store.counts();
    return new Map(this.#topics.map(({ topic, taken }) => [topic, Math.max(0, (counts.get(topic) ?? 0) - taken)]));
  }
}

/** The rows of one topic: what waits in it holds up no other. */
class TopicPump {
  readonly topic: ConsumedTopic;
  readonly #parts: InboxSourceParts;
  readonly #partition: AssignedPartition;
  /** Taken and not committed, rising. */
  #taken: number[] = [];
  #lastId = 0;
  #wake: () => void = () => undefined;
  #readTrouble: string | null = null;
  #commitTrouble: string | null = null;

  constructor(parts: InboxSourceParts, topic: ConsumedTopic, partition: AssignedPartition) {
    this.#parts = parts;
    this.topic = topic;
    this.#partition = partition;
  }

  get taken(): number {
    return this.#taken.length;
  }

  get trouble(): string | null {
    return this.#readTrouble ?? this.#commitTrouble;
  }

  async run(signal: AbortSignal): Promise<void> {
    const endListening = this.#parts.inbox.onPut(() => this.#wake());
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    await Promise.all([this.#takeAll(signal), this.#commitAll(signal)]);
    endListening();
  }

  /** What is under way is finished, and leaves. */
  async revoke(): Promise<void> {
    await this.#partition.revoke();
    await this.#commit();
  }

  async #takeAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = this.#nextWake(signal);
      const more = await this.#takeSome().catch((error: Error) => {
        this.#readTrouble ??= this.#told(error, 'read');
        return false;
      });
      if (!more) await woken;
    }
  }

  /** Asked for before the rows are read, so that none is overlooked that comes meanwhile. */
  #nextWake(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, POLL_MS);
    this.#wake = () => {
      clearTimeout(timer);
      resolve();
    };
    if (signal.aborted) this.#wake();
    return promise;
  }

  /** @returns whether there may be more */
  async #takeSome(): Promise<boolean> {
    const { topic } = this;
    const rows = await this.#parts.inbox.store.read({ topic, afterId: this.#lastId, limit: READ_MAX });
    this.#readTrouble = null;
    const last = rows.at(-1);
    if (last === undefined) return false;
    this.#lastId = last.id;
    this.#taken.push(...rows.map(({ id }) => id));
    await this.#partition.take(rows.map(messageOf));
    return rows.length === READ_MAX;
  }

  async #commitAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pauseMs = this.#commitTrouble === null ? COMMIT_MS : RETRY_MS;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      await this.#commit();
    }
  }

  async #commit(): Promise<void> {
    const { committable } = this.#partition;
    if (committable === null) return;
    const handled = this.#taken.filter((id) => BigInt(id) < committable);
    if (handled.length === 0) return;
    try {
      await this.#parts.inbox.store.remove(handled);
      this.#taken = this.#taken.filter((id) => BigInt(id) >= committable);
      this.#commitTrouble = null;
    } catch (error) {
      this.#commitTrouble ??= this.#told(error as Error, 'cleared');
    }
  }

  /** Told once, until it is over. */
  #told(error: Error, what: string): string {
    if (this.trouble === null) this.#parts.onError(error);
    return `the inbox cannot be ${what}: ${error.message}; its events wait`;
  }
}

function messageOf({ id, topic, key, text, at }: InboxEvent): ConsumedMessage {
  return { topic, partition: PARTITION, offset: BigInt(id), key, headers: new Map(), value: Buffer.from(text), at };
}
