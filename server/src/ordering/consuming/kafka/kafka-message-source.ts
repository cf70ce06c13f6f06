import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, ListOffsetTimestamps } from '@platformatic/kafka';
import { connectionOf, hearingErrors, type KafkaAccess } from '../../../events/kafka/kafka-access.ts';
import { reasonOf } from '../../../events/kafka/kafka-errors.ts';
import { CONSUMED_TOPICS, type ConsumedTopic, type TopicNames } from '../../../events/topics.ts';
import type { MessageSink, MessageSource } from '../message-source.ts';
import { type Generation, GroupMember } from './group-member.ts';
import { HeldPartitions, type HeldPartitionsParts } from './held-partitions.ts';

/** No answer for so long: Kafka is away. */
const AWAY_MS = 2_000;
const LOOK_MS = 5_000;
const LOOK_MS_WHILE_MISSING = 1_000;
const AGAIN_MS_MIN = 250;
const AGAIN_MS_MAX = 5_000;
const REQUEST_MS_MAX = 5_000;
const LAG_KEPT_MS = 2_000;

export interface KafkaMessageSourceParts {
  kafka: KafkaAccess;
  names: TopicNames;
  /** Processes with the same one share the partitions. */
  groupId: string;
  clientId: string;
  log: { info(message: string): void; warn(message: string): void };
}

/** How many partitions each topic has that is there, by the broker's name. */
type TopicsThere = ReadonlyMap<string, number>;

/**
 * Order events from Kafka. A partition is read by one member of the group at a time: what is taken away is given back
 * before the group goes on without it. Whatever fails, the member is made anew; what was not committed comes again.
 */
export class KafkaMessageSource implements MessageSource {
  readonly #parts: KafkaMessageSourceParts;
  readonly #admin: Admin;
  readonly #topicOf: ReadonlyMap<string, ConsumedTopic>;
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #there: TopicsThere = new Map();
  /** Since when nothing is answered (by `performance.now()`), and why. */
  #noAnswer: { since: number; reason: string } | null = null;
  /** Why the member that was last made came to its end. */
  #failure: string | null = null;
  #lag: { read: Promise<Map<ConsumedTopic, number>>; endedAt: number } | null = null;

  constructor(parts: KafkaMessageSourceParts) {
    this.#parts = parts;
    this.#topicOf = new Map(CONSUMED_TOPICS.map((topic) => [parts.names.of(topic), topic]));
    this.#admin = hearingErrors(
      new Admin({
        clientId: parts.clientId,
        ...connectionOf(parts.kafka),
        retries: 0,
        connectTimeout: REQUEST_MS_MAX,
        requestTimeout: REQUEST_MS_MAX,
        autocreateTopics: false,
      }),
    );
  }

  /** Resolves at once: messages come as soon as Kafka and a topic are there. */
  async start(sink: MessageSink): Promise<void> {
    this.#running = this.#run(sink);
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    await this.#admin.close().catch(() => undefined);
  }

  degraded(): string | null {
    const { brokers } = this.#parts.kafka;
    const away = this.#noAnswer !== null && performance.now() - this.#noAnswer.since > AWAY_MS;
    if (away) return `Kafka (${brokers.join(', ')}) gives no order events: ${this.#noAnswer?.reason}; they wait there`;
    if (this.#failure !== null) return `no order events are read from Kafka (${brokers.join(', ')}): ${this.#failure}`;
    if (this.#ended.signal.aborted || this.#noAnswer !== null) return null;
    const missing = [...this.#topicOf.keys()].filter((name) => !this.#there.has(name));
    if (missing.length === 0) return null;
    return `Kafka (${brokers.join(', ')}) has no topic ${missing.join(', ')}, or does not show it to us: create it, or let us read it`;
  }

  /**
   * As it was at most `LAG_KEPT_MS` ago, for it costs the broker five requests; who asks meanwhile gets the same.
   * @throws when Kafka does not answer
   */
  lag(): Promise<Map<ConsumedTopic, number>> {
    if (this.#lag !== null && performance.now() - this.#lag.endedAt < LAG_KEPT_MS) return this.#lag.read;
    const lag = { read: this.#readLag(), endedAt: Number.POSITIVE_INFINITY };
    const ended = () => {
      lag.endedAt = performance.now();
    };
    lag.read.then(ended, ended);
    this.#lag = lag;
    return lag.read;
  }

  async #readLag(): Promise<Map<ConsumedTopic, number>> {
    const names = [...(await this.#look())];
    if (names.length === 0) return new Map();
    const at = (timestamp: bigint) =>
      this.#admin.listOffsets({
        topics: names.map(([name, count]) => ({
          name,
          partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
        })),
      });
    const [ends, firsts, groups] = await Promise.all([
      at(ListOffsetTimestamps.LATEST),
      at(ListOffsetTimestamps.EARLIEST),
      this.#admin.listConsumerGroupOffsets({ groups: [this.#parts.groupId] }),
    ]);
    const placeOf = new Map<string, bigint>();
    for (const { name, partitions } of firsts) {
      for (const { partitionIndex, offset } of partitions) placeOf.set(`${name}/${partitionIndex}`, offset);
    }
    for (const { name, partitions } of groups.flatMap(({ topics }) => topics)) {
      for (const { partitionIndex, committedOffset } of partitions) {
        const key = `${name}/${partitionIndex}`;
        if (committedOffset > (placeOf.get(key) ?? 0n)) placeOf.set(key, committedOffset);
      }
    }
    return new Map(
      ends.map(({ name, partitions }) => {
        const waiting = partitions.map(({ partitionIndex, offset }) =>
          Number(offset - (placeOf.get(`${name}/${partitionIndex}`) ?? offset)),
        );
        return [this.#topicOf.get(name) as ConsumedTopic, waiting.reduce((sum, each) => sum + Math.max(each, 0), 0)];
      }),
    );
  }

  async #run(sink: MessageSink): Promise<void> {
    let againMs = AGAIN_MS_MIN;
    while (!this.#ended.signal.aborted) {
      const there = await this.#look().catch(() => null);
      if (there !== null && there.size > 0) {
        const startedAt = performance.now();
        await this.#consume(there, sink);
        if (performance.now() - startedAt > AGAIN_MS_MAX) againMs = AGAIN_MS_MIN;
      }
      await this.#pause(againMs);
      againMs = Math.min(2 * againMs, this.#failure === null ? LOOK_MS_WHILE_MISSING : AGAIN_MS_MAX);
    }
  }

  /** As one member, until it fails, other topics are there, or the source is stopped. */
  async #consume(there: TopicsThere, sink: MessageSink): Promise<void> {
    const over = Promise.withResolvers<void>();
    const onFailed = (error: Error) => {
      this.#failure = reasonOf(error);
      this.#parts.log.warn(`reading order events from Kafka begins anew: ${this.#failure}`);
      over.resolve();
    };
    let held: HeldPartitions | null = null;
    const member: GroupMember = new GroupMember({
      ...this.#parts,
      topics: [...there.keys()],
      onAssigned: (generation) => {
        this.#failure = null;
        this.#parts.log.info(heldBy(generation));
        // The broker was away, and nobody else was given the partitions meanwhile.
        const handled = held?.generation === generation ? held.handled() : new Map<string, bigint>();
        held = this.#hold(member, { generation, handled, sink, onFailed });
      },
      onRevoked: async () => held?.release(),
      onFailed,
      onAnswer: () => this.#answered(),
      onNoAnswer: (reason) => this.#notAnswered(reason),
    });
    const stopped = () => over.resolve();
    this.#ended.signal.addEventListener('abort', stopped, { once: true });
    const closing = new AbortController();
    member.join().catch(onFailed);
    void this.#untilOthersAreThere(there, closing.signal).then(stopped);
    await over.promise;
    closing.abort();
    this.#ended.signal.removeEventListener('abort', stopped);
    await member.leave();
  }

  #hold(
    member: GroupMember,
    parts: Pick<HeldPartitionsParts, 'generation' | 'handled' | 'sink' | 'onFailed'>,
  ): HeldPartitions {
    return new HeldPartitions({
      ...this.#parts,
      ...parts,
      topicOf: this.#topicOf,
      commit: (of, offsets) => member.commit(of, offsets),
      onAnswer: () => this.#answered(),
      onNoAnswer: (reason) => this.#notAnswered(reason),
    });
  }

  /** The client does not notice topics that are created, nor partitions that are added. */
  async #untilOthersAreThere(known: TopicsThere, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ms = known.size < this.#topicOf.size ? LOOK_MS_WHILE_MISSING : LOOK_MS;
      await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const there = await this.#look().catch(() => known);
      const same = there.size === known.size && [...there].every(([name, count]) => known.get(name) === count);
      if (same) continue;
      this.#parts.log.info(`order events are read from ${[...there.keys()].join(', ') || 'no topic'} from now on`);
      return;
    }
  }

  async #look(): Promise<TopicsThere> {
    try {
      const all = new Set(await this.#admin.listTopics());
      const names = [...this.#topicOf.keys()].filter((name) => all.has(name));
      const { topics } = await this.#admin.metadata({ topics: names, forceUpdate: true });
      this.#there = new Map(names.map((name) => [name, topics.get(name)?.partitionsCount ?? 0]));
      this.#answered();
      return this.#there;
    } catch (error) {
      this.#notAnswered(reasonOf(error));
      throw error;
    }
  }

  #answered(): void {
    this.#noAnswer = null;
  }

  #notAnswered(reason: string): void {
    this.#noAnswer ??= { since: performance.now(), reason };
    this.#noAnswer.reason = reason;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}

function heldBy({ id, assignments }: Generation): string {
  const partitions = assignments.flatMap(({ topic, partitions: of }) => of.map((partition) => `${topic}/${partition}`));
  return `in generation ${id} of the group this node reads ${partitions.join(', ') || 'no partition'}`;
}
