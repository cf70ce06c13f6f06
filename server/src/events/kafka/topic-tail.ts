import { randomUUID } from 'node:crypto';
import { Consumer, FetchIsolationLevels, ListOffsetTimestamps, type Message } from '@platformatic/kafka';
import { connectionOf, hearingErrors, type KafkaAccess } from './kafka-access.ts';
import { reasonOf } from './kafka-errors.ts';

const FETCH_MS_MAX = 500;
const CLOSE_MS_MAX = 2_000;
/** What a date can be; a producer may say anything. */
const TIME_MAX = 8_640_000_000_000_000;

export interface TailedMessage {
  partition: number;
  offset: bigint;
  key: string | null;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  value: Buffer | null;
  /** Epoch milliseconds. */
  at: number;
}

export interface TopicTailParts {
  kafka: KafkaAccess & { groupId: string };
  /** The broker's name of it. */
  topic: string;
  /** Epoch milliseconds; null: from now on. */
  since: number | null;
}

type Bytes = Buffer | undefined;

/** Looks on at a topic: it takes nothing from those that work on it, and leaves nothing behind at the broker. */
export class TopicTail {
  readonly #parts: TopicTailParts;
  /** By partition: what comes next. Empty until the broker was asked. */
  readonly #next = new Map<number, bigint>();

  constructor(parts: TopicTailParts) {
    this.#parts = parts;
  }

  /**
   * What is sent to the topic, as it comes; called again, it goes on after the last one that it gave.
   * @throws Error that says why the broker gives no more, which a later call may get over
   */
  async *follow(signal: AbortSignal, onConnected: () => void): AsyncGenerator<TailedMessage> {
    const { kafka, topic } = this.#parts;
    const consumer = hearingErrors(
      new Consumer<Bytes, Bytes, Bytes, Bytes>({
        clientId: 'holdfast-tail',
        // A group of its own, whose name begins as ours does: so may the rights that somebody has.
        groupId: `${kafka.groupId}-tail-${randomUUID()}`,
        ...connectionOf(kafka),
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
        maxWaitTime: FETCH_MS_MAX,
        autocommit: false,
      }),
    );
    try {
      await this.#find(consumer);
      const offsets = [...this.#next].map(([partition, offset]) => ({ topic, partition, offset }));
      const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets });
      signal.addEventListener('abort', () => stream.destroy(), { once: true });
      if (signal.aborted) return;
      onConnected();
      for await (const message of stream) {
        this.#next.set(message.partition, message.offset + 1n);
        yield tailed(message);
      }
    } catch (error) {
      throw new Error(reasonOf(error as Error), { cause: error });
    } finally {
      await closed(consumer);
    }
  }

  /** Where to begin, asked once. */
  async #find(consumer: Consumer<Bytes, Bytes, Bytes, Bytes>): Promise<void> {
    if (this.#next.size > 0) return;
    const { topic, since } = this.#parts;
    const at = async (timestamp: bigint) =>
      (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic) as bigint[];
    const ends = await at(ListOffsetTimestamps.LATEST);
    const begins = since === null ? ends : await at(BigInt(since));
    // Where nothing is so young, the broker answers -1.
    for (const [partition, end] of ends.entries()) {
      const begin = begins[partition] ?? end;
      this.#next.set(partition, begin < 0n ? end : begin);
    }
  }
}

function tailed({ partition, offset, key, value, headers, timestamp }: Message<Bytes, Bytes, Bytes, Bytes>) {
  return {
    partition,
    offset,
    key: key?.toString() ?? null,
    headers: new Map([...headers].map(([name, of]) => [String(name).toLowerCase(), String(of ?? '')])),
    value: value ?? null,
    at: Math.min(Math.max(Number(timestamp), 0), TIME_MAX),
  };
}

/** A broker that is away is not waited for. */
async function closed(consumer: Consumer<Bytes, Bytes, Bytes, Bytes>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CLOSE_MS_MAX);
  await Promise.race([consumer.close(true).catch(() => undefined), late]);
  clearTimeout(timer);
}
