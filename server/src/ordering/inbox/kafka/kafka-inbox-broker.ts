import { compatibilityPartitioner, Producer } from '@platformatic/kafka';
import { reasonOf } from '../../../events/kafka/kafka-topics.ts';
import { isTooLarge, isUnknownTopic } from '../../../events/kafka/send-errors.ts';
import type { TopicNames } from '../../../events/topics.ts';
import type { ForwardedMessage, InboxBroker } from '../inbox-forwarder.ts';

const REQUEST_MS_MAX = 10_000;
/** Of a send by the client itself; past it the forwarder says that Kafka is away, and sends again. */
const CLIENT_RETRIES = 3;
const CLIENT_RETRY_MS = 200;

export interface KafkaInboxBrokerParts {
  /** `host:port` each. */
  brokers: readonly string[];
  names: TopicNames;
  onMissingTopic: () => void;
}

const utf8 = (text: string | undefined) => Buffer.from(text ?? '');

/** One send under way, as of every lane of the relay: only so does a key keep its order when a broker dies. */
export class KafkaInboxBroker implements InboxBroker {
  readonly #parts: KafkaInboxBrokerParts;
  readonly #producer: Producer<string, Buffer, string, string>;

  constructor(parts: KafkaInboxBrokerParts) {
    this.#parts = parts;
    this.#producer = new Producer({
      clientId: 'holdfast-inbox',
      bootstrapBrokers: [...parts.brokers],
      idempotent: true,
      // As Java's: other producers put an order into the same partition.
      partitioner: compatibilityPartitioner,
      serializers: { key: utf8, value: (value) => value, headerKey: utf8, headerValue: utf8 },
      retries: CLIENT_RETRIES,
      retryDelay: CLIENT_RETRY_MS,
      requestTimeout: REQUEST_MS_MAX,
    });
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
      throw new Error(`Kafka (${this.#parts.brokers.join(', ')}) does not take it: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#producer.close(true).catch(() => undefined);
  }
}
