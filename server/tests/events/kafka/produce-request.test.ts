/** What a bulk producer writes, held against what the client itself makes of the same messages. */
import { type MessageRecord, NumericMap, ProduceAcks, produceV11 } from '@platformatic/kafka';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { produceRequest } from '../../../src/events/kafka/produce-request.ts';

const NOW = Date.UTC(2026, 10, 21, 9);
const TIMEOUT_MS = 5_000;
const BY = { producerId: 81_234n, producerEpoch: 3 };

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
});

const bytes = (text: string) => Buffer.from(text);

function message(more: Partial<MessageRecord> = {}): MessageRecord {
  const headers = new Map([[bytes('content-type'), bytes('application/cloudevents+json; charset=UTF-8')]]);
  return { topic: 'stock.updated', partition: 0, key: bytes('HQ001:S1:P1'), value: bytes('{"a":1}'), headers, ...more };
}

function ours(messages: MessageRecord[], sequences = new NumericMap()): Buffer {
  return produceRequest(ProduceAcks.ALL, TIMEOUT_MS, messages, { ...BY, sequences });
}

function theirs(messages: MessageRecord[], sequences = new NumericMap()): Buffer {
  // It writes the time into the messages.
  const copies = messages.map((each) => ({ ...each }));
  return produceV11.createRequest(ProduceAcks.ALL, TIMEOUT_MS, copies, { ...BY, sequences }).buffer;
}

const SIZES = [0, 1, 63, 64, 8_191, 8_192, 70_000, 1_048_576];

it.each<[string, MessageRecord[]]>([
  ['one message', [message()]],
  ['one without a key and headers', [{ topic: 't', partition: 1, value: bytes('v') }]],
  ['more headers than one', [message({ headers: new Map(SIZES.map((size) => [bytes(`h${size}`), bytes('v')])) })]],
  ['names and texts of several bytes a letter', [message({ key: bytes('상품'), value: bytes('{"이름":"사과"}') })]],
  ['values of every size', SIZES.map((size) => message({ value: Buffer.alloc(size, 7) }))],
  ['keys of every size', SIZES.slice(0, -1).map((size) => message({ key: Buffer.alloc(size, 7) }))],
  ['as many as fill their numbers with two bytes and three', Array.from({ length: 9_000 }, () => message())],
  [
    'several topics and partitions',
    Array.from({ length: 60 }, (_, index) => message({ topic: `t${index % 3}`, partition: Math.floor(index / 10) })),
  ],
])('is the same to the byte: %s', (_, messages) => {
  expect(ours(messages).equals(theirs(messages))).toBe(true);
});

it('begins each batch at the sequence of its partition', () => {
  const messages = [message({ partition: 0 }), message({ partition: 1 })];
  const sequences = new NumericMap([
    ['stock.updated:0', 7],
    ['stock.updated:1', 2 ** 31 - 1],
  ]);
  expect(ours(messages, sequences).equals(theirs(messages, sequences))).toBe(true);
  expect(ours(messages, sequences).equals(ours(messages))).toBe(false);
});

it('goes on at 0 after the last sequence, as the broker counts', () => {
  const at = (sequence: number) => new NumericMap([['stock.updated:0', sequence]]);
  expect(ours([message()], at(2 ** 31)).equals(ours([message()], at(0)))).toBe(true);
  expect(ours([message()], at(2 ** 33 + 5)).equals(ours([message()], at(5)))).toBe(true);
  // The client's own would never send again.
  expect(() => theirs([message()], at(2 ** 31))).toThrow(RangeError);
});

it('keeps the order of each partition, whatever stands between its messages', () => {
  const mixed = [5, 2, 5, 0, 2, 5].map((partition, index) => message({ partition, value: bytes(`${index}`) }));
  const grouped = [5, 2, 0].flatMap((partition) => mixed.filter((each) => each.partition === partition));
  expect(ours(mixed).equals(ours(grouped))).toBe(true);
});
