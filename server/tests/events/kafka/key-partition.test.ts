import { compatibilityPartitioner } from '@platformatic/kafka';
import { expect, it } from 'vitest';
import { partitionOfKey } from '../../../src/events/kafka/key-partition.ts';

const theirs = (key: Buffer) => compatibilityPartitioner({ topic: 'any' }, key);
const ours = (key: Buffer) => partitionOfKey({ topic: 'any' }, key);

it.each([
  ['rsv_9_e1acd78490ad3d9d567770ec', 6],
  ['HQ001:STORE0007:PRD000788', 6],
  ['상품', 12],
])('puts the key %s where the client does', (text, partitions) => {
  const key = Buffer.from(text);
  expect(ours(key) % partitions).toBe(theirs(key) % partitions);
});

it('does so for bytes of every value and keys of every length', () => {
  let seed = 1;
  const nextByte = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed >>> 24;
  };
  for (let length = 0; length < 600; length += 1) {
    const key = Buffer.from(Array.from({ length }, nextByte));
    expect(ours(key), key.toString('hex')).toBe(theirs(key));
  }
});

it('puts what has no key into the first', () => {
  expect(partitionOfKey({ topic: 'any' }, undefined)).toBe(0);
});
