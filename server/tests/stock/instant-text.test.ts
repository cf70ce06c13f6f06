import { expect, it } from 'vitest';
import { instantText } from '../../src/stock/instant-text.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 21, 9, 5, 7, 3);

it.each([
  0,
  -1,
  NOW,
  NOW + 1,
  Date.UTC(2027, 0, 1) - 1,
  Date.UTC(2027, 0, 1),
  Date.UTC(2028, 1, 29, 23, 59, 59, 999),
  Date.UTC(10_000, 0, 1),
  Date.UTC(-1, 5, 5),
])('writes %d ms as a date does', (instantMs) => {
  expect(instantText(instantMs)).toBe(new Date(instantMs).toISOString());
});

it('writes every part of a day, and goes back and forth between days', () => {
  const instants = Array.from({ length: 5_000 }, (_, step) => NOW + (step % 3) * DAY_MS + step * 17_977);
  expect(instants.map(instantText)).toEqual(instants.map((instantMs) => new Date(instantMs).toISOString()));
});

it('throws where there is no instant, and writes the next one', () => {
  expect(() => instantText(Number.NaN)).toThrow(RangeError);
  expect(instantText(NOW)).toBe('2026-11-21T09:05:07.003Z');
});
