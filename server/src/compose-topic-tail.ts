/** What `holdfast events tail` looks on at, of what other services send. */
import type { KafkaAccess } from './events/kafka/kafka-access.ts';
import { TopicTail } from './events/kafka/topic-tail.ts';
import { type ConsumedTopic, TopicNames, type TopicSettings } from './events/topics.ts';
import type { ConsumedMessage } from './ordering/messages/message.ts';

export interface TopicTailSettings {
  kafka: KafkaAccess & { groupId: string };
  topics: TopicSettings;
  topic: ConsumedTopic;
  /** Epoch milliseconds; null: from now on. */
  since: number | null;
}

export interface OpenedTopicTail {
  /** The broker's name of the topic. */
  name: string;
  /** See `TopicTail.follow`. */
  follow(signal: AbortSignal, onConnected: () => void): AsyncGenerator<ConsumedMessage>;
}

/** @throws WrongTopicSettings */
export function openTopicTail({ kafka, topics, topic, since }: TopicTailSettings): OpenedTopicTail {
  const name = new TopicNames(topics).of(topic);
  const tail = new TopicTail({ kafka, topic: name, since });
  return {
    name,
    async *follow(signal, onConnected) {
      for await (const message of tail.follow(signal, onConnected)) yield { ...message, topic };
    },
  };
}
