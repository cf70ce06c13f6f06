import type { Producer } from '@platformatic/kafka';
import { answeringProducer } from '../../../events/kafka/answering-producer.ts';
import type { KafkaAccess } from '../../../events/kafka/kafka-access.ts';
import { isTooLarge, isUnknownTopic, reasonOf } from '../../../events/kafka/kafka-errors.ts';
import type { TopicNames } from '../../../events/topics.ts';
import type { ForwardedMessage, InboxBroker } from '../inbox-forwarder.ts';

export interface KafkaInboxBrokerParts {
  kafka: KafkaAccess;
  names: TopicNames;
  onMissingTopic: () => void;
}

export class KafkaInboxBroker implements InboxBroker {
  readonly #parts: KafkaInboxBrokerParts;
  readonly #producer: Producer<string, Buffer, string, string>;

  constructor(parts: KafkaInboxBrokerParts) {
    this.#parts = parts;
    this.#producer = answeringProducer('holdfast-inbox', parts.kafka);
  }

  async send(messages: readonly ForwardedMessage[]): Promise<'taken' | 'too-large'> {
    try {
      await this.#producer.send({
        messages: messages.map(({ topic, key, value, headers }) => ({
          topic: this.#parts.names.of(topic),
          key,
          value: Buffer.from(value),
          headers: new Map(headers),
        })),
      });
      return 'taken';
    } catch (error) {
      if (isTooLarge(error as Error)) return 'too-large';
      if (isUnknownTopic(error as Error)) this.#parts.onMissingTopic();
      throw new Error(`Kafka (${this.#parts.kafka.brokers.join(', ')}) does not take it: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#producer.close(true).catch(() => undefined);
  }
}
