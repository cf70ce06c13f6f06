import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka';
import type { ConsumedTopic } from '../../../events/topics.ts';
import type { ConsumedMessage } from '../../messages/message.ts';

const IS_TRANSACTIONAL = 0b1_0000;
/** A batch that says how a transaction ended. */
const IS_CONTROL = 0b10_0000;
/** The batch's time is when the broker took it; else its messages have the producer's. */
const IS_BROKERS_TIME = 0b1000;
/** What a `Date` can be. */
const TIME_MAX = 8_640_000_000_000_000n;

/** A transaction that was taken back, and where the first of its messages in this partition is. */
export interface AbortedTransaction {
  producerId: bigint;
  firstOffset: bigint;
}

/**
 * Messages of batches as a broker sends them: a batch is sent whole, also when only its end was asked for, and so are
 * those of transactions that were taken back, beside the list of these.
 */
export function messagesOf(
  batches: readonly RecordsBatch[],
  aborted: readonly AbortedTransaction[],
  { topic, partition, position }: { topic: ConsumedTopic; partition: number; position: bigint },
): ConsumedMessage[] {
  return committed(batches, aborted)
    .flatMap((batch) =>
      batch.records.map((record) => ({
        topic,
        partition,
        offset: batch.firstOffset + BigInt(record.offsetDelta),
        key: record.key?.toString() ?? null,
        headers: headersOf(record),
        value: record.value,
        at: timeOf(batch, record),
      })),
    )
    .filter(({ offset }) => offset >= position);
}

/** Of one producer, a transaction begins once the one before has ended. */
function committed(batches: readonly RecordsBatch[], aborted: readonly AbortedTransaction[]): RecordsBatch[] {
  const toCome = [...aborted].sort((one, other) => Number(one.firstOffset - other.firstOffset));
  const open = new Set<bigint>();
  return batches.filter(({ attributes, producerId, firstOffset, lastOffsetDelta }) => {
    const lastOffset = firstOffset + BigInt(lastOffsetDelta);
    while (toCome[0] !== undefined && toCome[0].firstOffset <= lastOffset) {
      open.add((toCome.shift() as AbortedTransaction).producerId);
    }
    if (attributes & IS_CONTROL) {
      open.delete(producerId);
      return false;
    }
    return !(attributes & IS_TRANSACTIONAL && open.has(producerId));
  });
}

/** Epoch milliseconds; what a producer says beyond every date is the nearest one. */
function timeOf({ attributes, maxTimestamp, firstTimestamp }: RecordsBatch, { timestampDelta }: KafkaRecord): number {
  const time = attributes & IS_BROKERS_TIME ? maxTimestamp : firstTimestamp + timestampDelta;
  return time < 0n ? 0 : Number(time > TIME_MAX ? TIME_MAX : time);
}

function headersOf({ headers }: KafkaRecord): ReadonlyMap<string, string> {
  return new Map(headers.map(([name, value]) => [name?.toString().toLowerCase() ?? '', value?.toString() ?? '']));
}
