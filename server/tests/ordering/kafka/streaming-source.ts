/**
 * The planted bug: the client as its own page says, one stream for the life of the member. Its buffer still holds
 * messages of partitions that were taken away, and it joins again while they are worked on. What is written against
 * `KafkaMessageSource` must fail with it.
 */
import { Consumer } from '@platformatic/kafka';
import type { ConsumedTopic, TopicNames } from '../../../src/events/topics.ts';
import type { AssignedPartition, MessageSink, MessageSource } from '../../../src/ordering/consuming/message-source.ts';

const COMMIT_MS = 150;

interface StreamingSourceParts {
  brokers: readonly string[];
  names: TopicNames;
  topics: readonly ConsumedTopic[];
  groupId: string;
}

export class StreamingSource implements Pick<MessageSource, 'start' | 'stop'> {
  readonly #parts: StreamingSourceParts;
  readonly #consumer: Consumer;
  readonly #held = new Map<string, { topic: string; partition: number; assigned: AssignedPartition }>();
  #commits: NodeJS.Timeout | undefined;

  constructor(parts: StreamingSourceParts) {
    this.#parts = parts;
    this.#consumer = new Consumer({
      clientId: 'tests',
      groupId: parts.groupId,
      bootstrapBrokers: [...parts.brokers],
      autocommit: false,
      sessionTimeout: 10_000,
      heartbeatInterval: 1_000,
      maxWaitTime: 100,
      retries: 200,
      retryDelay: 500,
    });
  }

  async start(sink: MessageSink): Promise<void> {
    const { topics, names } = this.#parts;
    const topicOf = new Map(topics.map((topic) => [names.of(topic), topic]));
    const stream = await this.#consumer.consume({
      topics: [...topicOf.keys()],
      mode: 'committed',
      fallbackMode: 'earliest',
      maxBytes: 256 * 1024,
    });
    stream.on('error', () => undefined);
    this.#commits = setInterval(() => this.#commit(), COMMIT_MS);
    void (async () => {
      for await (const { topic, partition, offset, value, timestamp } of stream) {
        const key = `${topic}/${partition}`;
        const of = topicOf.get(topic) as ConsumedTopic;
        const held = this.#held.get(key) ?? { topic, partition, assigned: sink.assign(of, partition) };
        this.#held.set(key, held);
        const headers = new Map<string, string>();
        await held.assigned.take([{ topic: of, partition, offset, key: null, headers, value, at: Number(timestamp) }]);
      }
    })().catch(() => undefined);
  }

  async stop(): Promise<void> {
    clearInterval(this.#commits);
    await Promise.all([...this.#held.values()].map(({ assigned }) => assigned.revoke()));
    await this.#commit();
    await this.#consumer.close(true).catch(() => undefined);
  }

  async #commit(): Promise<void> {
    const owned = this.#consumer.assignments ?? [];
    const offsets = [...this.#held.values()].flatMap(({ topic, partition, assigned: { committable } }) => {
      const own = owned.some((each) => each.topic === topic && each.partitions.includes(partition));
      return committable === null || !own ? [] : [{ topic, partition, offset: committable, leaderEpoch: -1 }];
    });
    if (offsets.length > 0) await this.#consumer.commit({ offsets }).catch(() => undefined);
  }
}
