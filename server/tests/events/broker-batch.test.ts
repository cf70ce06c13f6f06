import { expect, it } from 'vitest';
import { BATCH_BYTES, fitting } from '../../src/events/broker-batch.ts';

const bytesOf = (bytes: number) => bytes;

it.each([
  ['all that there is', { messages: [1, 2, 3] }, 3],
  ['nothing of nothing', { messages: [] }, 0],
  ['as many as are allowed together', { messages: [4, 4, 4], bytesMax: 8 }, 2],
  ['one that is too large by itself', { messages: [9, 1], bytesMax: 8 }, 1],
  ['what stands before one that is too large', { messages: [1, 9], bytesMax: 8 }, 1],
  ['so many at the most', { messages: [1, 1, 1], countMax: 2 }, 2],
  ['those from a place on', { messages: [9, 4, 4, 4], from: 1, bytesMax: 8 }, 2],
  ['the last ones', { messages: [1, 1, 1], from: 2, countMax: 9 }, 1],
  ['half of what a broker takes', { messages: [BATCH_BYTES - 1, 1, 1] }, 2],
])('of the next messages there go together: %s', (_, batch, count) => {
  expect(fitting({ ...batch, bytesOf })).toBe(count);
});
