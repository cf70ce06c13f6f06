/**
 * The partitions of one generation, read from where the group has committed. Each has its own place and its own room:
 * one whose messages wait (a completion before its order) does not hold up the others, in which what it waits for may
 * be. The client's stream cannot do that: it has one buffer for all partitions.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, FetchIsolationLevels, findErrorBy, ListOffsetTimestamps } from '@platformatic/kafka';
import { connectionOf, hearingErrors, type KafkaAccess } from '../../../events/kafka/kafka-access.ts';
import { reasonOf } from '../../../events/kafka/kafka-errors.ts';
import type { ConsumedTopic } from '../../../events/topics.ts';
import type { ConsumedMessage } from '../../messages/message.ts';
import type { AssignedPartition, MessageSink } from '../message-source.ts';
import { type Generation, isOutdated, type OffsetToCommit } from './group-member.ts';
import { messagesOf } from './messages-of.ts';

const COMMIT_MS = 150;
/** At the end of a generation; what is not committed then comes again. */
const LAST_COMMIT_MS_MAX = 2_000;
/** How long a broker waits for messages; so long may a partition have to wait that has room again. */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES_MAX = 2 * 1024 * 1024;
const PARTITION_BYTES_MAX = 256 * 1024;
const REQUEST_MS_MAX = 5_000;
const RETRY_MS = 250;

export interface HeldPartitionsParts {
  kafka: KafkaAccess;
  clientId: string;
  groupId: string;
  generation: Generation;
  /** By `topic/partition`: what was handled before in this very generation, though it may not be committed. */
  handled: ReadonlyMap<string, bigint>;
  /** By the broker's name. */
  topicOf: ReadonlyMap<string, ConsumedTopic>;
  sink: MessageSink;
  commit(generation: Generation, offsets: readonly OffsetToCommit[]): Promise<void>;
  log: { warn(message: string): void };
  onAnswer(): void;
  onNoAnswer(reason: string): void;
  onFailed(error: Error): void;
}

type PartitionRead = Awaited<ReturnType<Consumer['fetch']>>['responses'][number]['partitions'][number];

/** What is read of one partition. */
interface Feed {
  name: string;
  topic: ConsumedTopic;
  partition: number;
  assigned: AssignedPartition;
  /** Next to read. */
  position: bigint;
  /** Behind the last message that was given to the sink, or the place where reading began. */
  given: bigint;
  /** Handled before reading began. */
  before: bigint;
  committed: bigint;
  /** Read, and the sink has no room yet. */
  waiting: ConsumedMessage[] | null;
  giving: boolean;
}

export class HeldPartitions {
  readonly #parts: HeldPartitionsParts;
  readonly #reader: Consumer;
  readonly #ended = new AbortController();
  readonly #feeds: Feed[] = [];
  readonly #busyNodes = new Set<number>();
  readonly #commits: NodeJS.Timeout;
  #committing: Promise<void> | null = null;
  #commitProblem: string | null = null;
  #wake: () => void = () => undefined;

  constructor(parts: HeldPartitionsParts) {
    this.#parts = parts;
    this.#reader = hearingErrors(
      new Consumer({
        clientId: parts.clientId,
        groupId: parts.groupId,
        ...connectionOf(parts.kafka),
        autocreateTopics: false,
        requestTimeout: REQUEST_MS_MAX,
        connectTimeout: REQUEST_MS_MAX,
        retries: 0,
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
      }),
    );
    this.#reader.topics.trackAll(...this.#topics());
    this.#commits = setInterval(() => void this.#commitDue(), COMMIT_MS);
    void this.#run();
  }

  /** Begins nothing more; resolves once nothing is under way and what was handled is committed. */
  async release(): Promise<void> {
    this.#ended.abort();
    this.#wake();
    clearInterval(this.#commits);
    await Promise.all(this.#feeds.map(({ assigned }) => assigned.revoke()));
    const committed = (async () => {
      await this.#committing;
      await this.#commitDue();
    })();
    await Promise.race([committed, sleep(LAST_COMMIT_MS_MAX, undefined, { ref: false })]);
    await this.#reader.close(true).catch(() => undefined);
  }

  get generation(): Generation {
    return this.#parts.generation;
  }

  /** By `topic/partition`: up to where all is handled. */
  handled(): Map<string, bigint> {
    return new Map(this.#feeds.map((feed) => [`${feed.name}/${feed.partition}`, committableOf(feed)]));
  }

  #topics(): string[] {
    return this.#parts.generation.assignments.map(({ topic }) => topic);
  }

  async #run(): Promise<void> {
    if (this.#topics().length === 0) return;
    let places: Map<string, bigint[]> | null = null;
    while (places === null && !this.#ended.signal.aborted) {
      places = await this.#places().catch((error) => this.#failed(error));
    }
    if (places === null || this.#ended.signal.aborted) return;
    this.#assign(places);
    while (!this.#ended.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await this.#readIdle().then(
        () => promise,
        (error) => this.#failed(error),
      );
    }
  }

  /**
   * Where each partition goes on: behind what is handled or committed; its first message where nothing is committed, or the
   * broker has not what was (it was kept too short a time, or the topic was made anew).
   */
  async #places(): Promise<Map<string, bigint[]>> {
    const { assignments } = this.#parts.generation;
    const topics = this.#topics();
    const [committed, first, end] = await Promise.all([
      this.#reader.listCommittedOffsets({
        topics: assignments.map(({ topic, partitions }) => ({ topic, partitions: [...partitions] })),
      }),
      this.#reader.listOffsets({ topics: [...topics], timestamp: ListOffsetTimestamps.EARLIEST }),
      this.#reader.listOffsets({ topics: [...topics], timestamp: ListOffsetTimestamps.LATEST }),
    ]);
    const placeOf = (topic: string, partition: number): bigint => {
      const handled = this.#parts.handled.get(`${topic}/${partition}`) ?? -1n;
      const kept = committed.get(topic)?.[partition] ?? -1n;
      const at = kept > handled ? kept : handled;
      const from = first.get(topic)?.[partition] ?? 0n;
      const to = end.get(topic)?.[partition] ?? from;
      if (at < 0n || (at >= from && at <= to)) return at < 0n ? from : at;
      this.#parts.log.warn(
        `${topic}/${partition} was handled up to ${at}, but the broker has ${from} to ${to}: reading goes on at ${from}`,
      );
      return from;
    };
    return new Map(
      assignments.map(({ topic, partitions }) => {
        const places: bigint[] = [];
        for (const partition of partitions) places[partition] = placeOf(topic, partition);
        return [topic, places];
      }),
    );
  }

  #assign(places: ReadonlyMap<string, readonly bigint[]>): void {
    const { generation, topicOf, sink } = this.#parts;
    for (const { topic: name, partitions } of generation.assignments) {
      const topic = topicOf.get(name);
      if (topic === undefined) continue;
      for (const partition of partitions) {
        const at = places.get(name)?.[partition] as bigint;
        const assigned = sink.assign(topic, partition);
        this.#feeds.push({
          name,
          topic,
          partition,
          assigned,
          position: at,
          given: at,
          before: at,
          committed: -1n,
          waiting: null,
          giving: false,
        });
      }
    }
  }

  /** Asks every broker that is not being asked for the partitions that have room. */
  async #readIdle(): Promise<void> {
    const { topics } = await this.#reader.metadata({ topics: this.#topics() });
    const roomy = this.#feeds.filter(({ waiting }) => waiting === null);
    const byNode = Map.groupBy(roomy, ({ name, partition }) => topics.get(name)?.partitions[partition]?.leader ?? -1);
    for (const [node, feeds] of byNode) {
      if (node < 0) {
        this.#reader.clearMetadata();
        throw new Error(`${feeds.map(({ name, partition }) => `${name}/${partition}`).join(', ')} have no leader`);
      }
      if (this.#busyNodes.has(node)) continue;
      this.#busyNodes.add(node);
      void this.#read(node, feeds, (name) => topics.get(name)?.id ?? '');
    }
  }

  async #read(node: number, feeds: readonly Feed[], idOf: (name: string) => string): Promise<void> {
    const byId = Map.groupBy(feeds, ({ name }) => idOf(name));
    const topics = [...byId].map(([topicId, ofTopic]) => ({
      topicId,
      partitions: ofTopic.map(({ partition, position }) => ({
        partition,
        fetchOffset: position,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        partitionMaxBytes: PARTITION_BYTES_MAX,
      })),
    }));
    try {
      const options = { node, topics, maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES_MAX };
      const { responses } = await this.#reader.fetch(options);
      this.#parts.onAnswer();
      for (const { topicId, partitions } of responses) {
        for (const read of partitions) {
          const feed = byId.get(topicId)?.find(({ partition }) => partition === read.partitionIndex);
          if (feed !== undefined) this.#received(feed, read);
        }
      }
    } catch (error) {
      // The next generation begins where there is something to read.
      if (findErrorBy(error as Error, 'apiId', 'OFFSET_OUT_OF_RANGE') !== null) this.#parts.onFailed(error as Error);
      await this.#failed(error);
    }
    this.#busyNodes.delete(node);
    this.#wake();
  }

  #received(feed: Feed, { records, abortedTransactions }: PartitionRead): void {
    const last = records?.at(-1);
    if (this.#ended.signal.aborted || last === undefined) return;
    const messages = messagesOf(records ?? [], abortedTransactions ?? [], feed);
    feed.position = last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
    if (messages.length === 0) return;
    feed.waiting = messages;
    if (!feed.giving) void this.#give(feed);
  }

  async #give(feed: Feed): Promise<void> {
    feed.giving = true;
    try {
      while (feed.waiting !== null && !this.#ended.signal.aborted) {
        const messages = feed.waiting;
        feed.waiting = null;
        feed.given = (messages.at(-1) as ConsumedMessage).offset + 1n;
        this.#wake();
        await feed.assigned.take(messages);
      }
    } catch (error) {
      this.#parts.onFailed(error as Error);
    }
    feed.giving = false;
  }

  async #failed(error: unknown): Promise<null> {
    if (this.#ended.signal.aborted) return null;
    this.#parts.onNoAnswer(reasonOf(error));
    this.#reader.clearMetadata();
    await sleep(RETRY_MS, undefined, { signal: this.#ended.signal }).catch(() => undefined);
    return null;
  }

  #commitDue(): Promise<void> {
    this.#committing ??= this.#commit().finally(() => {
      this.#committing = null;
    });
    return this.#committing;
  }

  async #commit(): Promise<void> {
    const due = this.#feeds.map((feed) => ({ feed, offset: committableOf(feed) })).filter(isDue);
    if (due.length === 0) return;
    const offsets = due.map(({ feed: { name, partition }, offset }) => ({ topic: name, partition, offset }));
    try {
      await this.#parts.commit(this.#parts.generation, offsets);
      for (const { feed, offset } of due) feed.committed = offset;
      this.#commitProblem = null;
    } catch (error) {
      const reason = reasonOf(error);
      if (!isOutdated(error) && reason !== this.#commitProblem) {
        this.#parts.log.warn(`Kafka did not take what was handled, it is told again: ${reason}`);
      }
      this.#commitProblem = reason;
    }
  }
}

/** What is behind the last message that was given and handled is no message: a marker of a transaction. */
function committableOf({ assigned, given, position, waiting, before }: Feed): bigint {
  const handled = assigned.committable ?? before;
  return handled === given && waiting === null ? position : handled;
}

function isDue({ feed, offset }: { feed: Feed; offset: bigint }): boolean {
  return offset !== feed.committed;
}
