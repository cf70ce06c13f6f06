import { compatibilityPartitioner, Producer } from '@platformatic/kafka';
import { connectionOf, hearingErrors, type KafkaAccess } from './kafka-access.ts';

const REQUEST_MS_MAX = 10_000;
/** Of a send by the client itself; past it Kafka is away, and whoever sends says so and sends again. */
const CLIENT_RETRIES = 3;
const CLIENT_RETRY_MS = 200;

const utf8 = (text: string | undefined) => Buffer.from(text ?? '');

/**
 * For few messages, one send after the other: only so does a key keep its order when a broker dies. A send fails soon
 * where Kafka is away; that of a `ProducerLane` never does.
 */
export function answeringProducer(clientId: string, kafka: KafkaAccess): Producer<string, Buffer, string, string> {
  return hearingErrors(
    new Producer<string, Buffer, string, string>({
      clientId,
      ...connectionOf(kafka),
      idempotent: true,
      // As Java's: whoever else writes these topics puts a key into the same partition.
      partitioner: compatibilityPartitioner,
      serializers: {
        key: (key) => (key === undefined ? undefined : Buffer.from(key)),
        value: (value) => value,
        headerKey: utf8,
        headerValue: utf8,
      },
      retries: CLIENT_RETRIES,
      retryDelay: CLIENT_RETRY_MS,
      requestTimeout: REQUEST_MS_MAX,
    }),
  );
}
