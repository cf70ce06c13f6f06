import { compatibilityPartitioner, Producer } from '@platformatic/kafka';
import { connectionOf, hearingErrors, type KafkaAccess } from '../../../events/kafka/kafka-access.ts';
import { isTooLarge, isUnknownTopic, reasonOf } from '../../../events/kafka/kafka-errors.ts';
import type { TopicNames } from '../../../events/topics.ts';
import type { ForwardedMessage, InboxBroker } from '../inbox-forwarder.ts';

const REQUEST_MS_MAX = 10_000;
/** Of a send by the client itself; past it the forwarder says that Kafka is away, and sends again. */
const CLIENT_RETRIES = 3;
const CLIENT_RETRY_MS = 200;

export interface KafkaInboxBrokerParts {
  kafka: KafkaAccess;
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
    this.#producer = hearingErrors(
      new Producer({
        clientId: 'holdfast-inbox',
        ...connectionOf(parts.kafka),
        idempotent: true,
        // As Java's: other producers put an order into the same partition.
        partitioner: compatibilityPartitioner,
        serializers: { key: utf8, value: (value) => value, headerKey: utf8, headerValue: utf8 },
        retries: CLIENT_RETRIES,
        retryDelay: CLIENT_RETRY_MS,
        requestTimeout: REQUEST_MS_MAX,
      }),
    );
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
