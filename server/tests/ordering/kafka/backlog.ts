/** Topics full of messages. */
import { Admin, type MessageToProduce, Producer } from '@platformatic/kafka';
import type { ConsumedTopic, TopicNames } from '../../../src/events/topics.ts';
import type { ConsumedMessage } from '../../../src/ordering/messages/message.ts';

export const TOPICS: readonly ConsumedTopic[] = ['order.placed', 'order.completed'];

const SEND_COUNT = 100;

/** So that none is missing. */
export const OTHER_TOPICS: readonly ConsumedTopic[] = ['order.confirmed', 'order.cancelled', 'sku.created'];

/** Most take a few milliseconds, some so long that a rebalance would overtake them. */
export function usualHandleMs({ offset }: ConsumedMessage): number {
  return offset % 97n === 0n ? 400 : 2 + Number(offset % 10n);
}

interface BacklogOptions {
  bootstrapServers: string;
  names: TopicNames;
  topics?: readonly ConsumedTopic[];
  partitions: number;
  /** In all. */
  messages: number;
  fillerBytes?: number;
}

/** Fills partitions equally. @returns how many messages each `topic/partition` was given */
export async function fillTopics(options: BacklogOptions): Promise<Map<string, number>> {
  const { bootstrapServers, names, topics = TOPICS, partitions, messages, fillerBytes = 200 } = options;
  const producer = new Producer({ clientId: 'tests', bootstrapBrokers: [bootstrapServers], idempotent: true });
  const places = topics.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  );
  const each = Math.ceil(messages / places.length);
  for (let from = 0; from < each; from += SEND_COUNT) {
    const count = Math.min(SEND_COUNT, each - from);
    const batch: MessageToProduce[] = places.flatMap(({ topic, partition }) =>
      Array.from({ length: count }, (_, index) => ({
        topic: names.of(topic),
        partition,
        key: Buffer.from(`ORD-${partition}-${from + index}`),
        value: Buffer.from(`{"eventId":"evt-${partition}-${from + index}","filler":"${'x'.repeat(fillerBytes)}"}`),
      })),
    );
    await producer.send({ messages: batch });
  }
  await producer.close();
  return new Map(places.map(({ topic, partition }) => [`${topic}/${partition}`, each]));
}

export async function createTopics(options: Omit<BacklogOptions, 'messages' | 'fillerBytes'>): Promise<void> {
  const { bootstrapServers, names, topics = TOPICS, partitions } = options;
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [bootstrapServers] });
  await admin.createTopics({ topics: topics.map((topic) => names.of(topic)), partitions, replicas: 1 });
  await admin.close();
}

/** How far the group has committed, by `topic/partition`. */
export async function committedOf(
  { bootstrapServers, names, topics = TOPICS }: Pick<BacklogOptions, 'bootstrapServers' | 'names' | 'topics'>,
  groupId: string,
): Promise<Map<string, number>> {
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [bootstrapServers] });
  const groups = await admin.listConsumerGroupOffsets({ groups: [groupId] });
  await admin.close();
  const topicOf = new Map(topics.map((topic) => [names.of(topic), topic]));
  return new Map(
    groups.flatMap(({ topics: found }) =>
      found.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, committedOffset }): [string, number] => [
          `${topicOf.get(name)}/${partitionIndex}`,
          Number(committedOffset),
        ]),
      ),
    ),
  );
}
