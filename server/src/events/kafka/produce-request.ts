/**
 * A Produce request, versions 9 to 11, with uncompressed batches of records (format 2) in one buffer: the same to the
 * byte as what the client makes of the same messages, which takes a dozen small buffers and 2.4 µs for each of them, where
 * this takes 0.8 µs.
 *
 * Sources: https://kafka.apache.org/protocol, https://kafka.apache.org/documentation/#recordbatch
 */
import { type CreateRecordsBatchOptions, crc32c, type MessageRecord, Writer } from '@platformatic/kafka';
import { bytesOfBytes, bytesOfCount, WireBytes } from './wire-bytes.ts';

const FORMAT = 2;
/** Of a batch: up to its first record. */
const HEAD_BYTES = 61;
/** The length of a batch is that of what follows it. */
const LENGTH_ENDS = 12;
const CHECKSUM_BYTES = 4;
/** After a producer's last sequence comes 0. */
const SEQUENCES = 2 ** 31;
/** What is said of a request, a topic or a batch, names aside. */
const FRAME_BYTES_MAX = 16;

export type ProducedBy = Pick<CreateRecordsBatchOptions, 'producerId' | 'producerEpoch' | 'sequences'>;

interface Batch {
  records: MessageRecord[];
  /** Of each record, which says it first. */
  lengths: number[];
  bytes: number;
}

/** By topic, then by partition. */
type Batches = Map<string, Map<number, Batch>>;

/** @param messages each with its partition, and none with a time: it is now */
export function produceRequest(
  acks: number,
  timeoutMs: number,
  messages: readonly MessageRecord[],
  producedBy: ProducedBy,
): Buffer {
  const topics = batchesOf(messages);
  const request = new WireBytes(bytesMaxOf(topics));
  request.unsigned(0); // no transaction
  request.int16(acks);
  request.int32(timeoutMs);
  request.unsigned(topics.size + 1);
  for (const [topic, partitions] of topics) {
    request.text(topic);
    request.unsigned(partitions.size + 1);
    for (const [partition, batch] of partitions) {
      request.int32(partition);
      request.unsigned(batch.bytes + 1);
      const sequence = producedBy.sequences.getWithDefault(`${topic}:${partition}`, 0) % SEQUENCES;
      writeBatch(request, batch, { ...producedBy, sequence });
      request.unsigned(0); // no tags, here and below
    }
    request.unsigned(0);
  }
  request.unsigned(0);
  return request.written();
}

function batchesOf(messages: readonly MessageRecord[]): Batches {
  const topics: Batches = new Map();
  for (const message of messages) {
    const batch = batchOf(topics, message);
    const length = lengthOf(message, batch.records.length);
    batch.records.push(message);
    batch.lengths.push(length);
    batch.bytes += bytesOfCount(length) + length;
  }
  return topics;
}

function batchOf(topics: Batches, { topic, partition = 0 }: MessageRecord): Batch {
  let partitions = topics.get(topic);
  if (partitions === undefined) {
    partitions = new Map();
    topics.set(topic, partitions);
  }
  let batch = partitions.get(partition);
  if (batch === undefined) {
    batch = { records: [], lengths: [], bytes: HEAD_BYTES };
    partitions.set(partition, batch);
  }
  return batch;
}

/** The two bytes are its attributes and the time since the batch's, which are 0. */
function lengthOf({ key, value, headers = NONE }: MessageRecord, offset: number): number {
  let length = 2 + bytesOfCount(offset) + bytesOfBytes(key) + bytesOfBytes(value) + bytesOfCount(headers.size);
  for (const [name, of] of headers) length += bytesOfBytes(name) + bytesOfBytes(of);
  return length;
}

const NONE = new Map<Buffer, Buffer>();

function bytesMaxOf(topics: Batches): number {
  let bytes = FRAME_BYTES_MAX;
  for (const [topic, partitions] of topics) {
    bytes += FRAME_BYTES_MAX + Buffer.byteLength(topic);
    for (const batch of partitions.values()) bytes += FRAME_BYTES_MAX + batch.bytes;
  }
  return bytes;
}

function writeBatch(
  request: WireBytes,
  { records, lengths, bytes }: Batch,
  { producerId, producerEpoch, sequence }: Omit<ProducedBy, 'sequences'> & { sequence: number },
): void {
  const now = BigInt(Date.now());
  request.int64(0n); // the broker says which offset is the first
  request.int32(bytes - LENGTH_ENDS);
  request.int32(0); // the leader's epoch, which brokers ask each other for
  request.int8(FORMAT);
  const checksumAt = request.at;
  request.at += CHECKSUM_BYTES;
  request.int16(0); // not compressed
  request.int32(records.length - 1);
  request.int64(now);
  request.int64(now);
  request.int64(producerId);
  request.int16(producerEpoch);
  request.int32(sequence);
  request.int32(records.length);
  for (let offset = 0; offset < records.length; offset += 1) {
    request.count(lengths[offset] as number);
    writeRecord(request, records[offset] as MessageRecord, offset);
  }
  const checked = request.buffer.subarray(checksumAt + CHECKSUM_BYTES, request.at);
  // Bytes as they are would be copied before they are counted: 14 µs for 40 KB instead of 7.
  request.buffer.writeUInt32BE(crc32c(Writer.create().append(checked).dynamicBuffer), checksumAt);
}

function writeRecord(request: WireBytes, { key, value, headers = NONE }: MessageRecord, offset: number): void {
  request.unsigned(0);
  request.unsigned(0);
  request.count(offset);
  request.bytes(key);
  request.bytes(value);
  request.count(headers.size);
  for (const [name, of] of headers) {
    request.bytes(name);
    request.bytes(of);
  }
}
