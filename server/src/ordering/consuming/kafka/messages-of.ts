import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka';
import type { ConsumedTopic } from '../../../events/topics.ts';
import type { ConsumedMessage } from '../../messages/message.ts';

/** A batch that says how a transaction ended. */
const IS_CONTROL = 0b10_0000;
/** The batch's time is when the broker took it; else its messages have the producer's. */
const IS_BROKERS_TIME = 0b1000;

/** Messages of batches as a broker sends them: a batch is sent whole, also when only its end was asked for. */
export function messagesOf(
  batches: readonly RecordsBatch[],
  { topic, partition, position }: { topic: ConsumedTopic; partition: number; position: bigint },
): ConsumedMessage[] {
  return batches
    .filter(({ attributes }) => (attributes & IS_CONTROL) === 0)
    .flatMap((batch) =>
      batch.records.map((record) => ({
        topic,
        partition,
        offset: batch.firstOffset + BigInt(record.offsetDelta),
        key: record.key?.toString() ?? null,
        headers: headersOf(record),
        value: record.value,
        at: Number(
          batch.attributes & IS_BROKERS_TIME ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta,
        ),
      })),
    )
    .filter(({ offset }) => offset >= position);
}

function headersOf({ headers }: KafkaRecord): ReadonlyMap<string, string> {
  return new Map(headers.map(([name, value]) => [name?.toString().toLowerCase() ?? '', value?.toString() ?? '']));
}
