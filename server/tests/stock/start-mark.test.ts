import { expect, it } from 'vitest';
import { startMark } from '../../src/stock/shared-engine.ts';

it('names the start of an epoch, unlike that of any other epoch or ledger', () => {
  expect(startMark(1, 'a')).toMatch(/^[0-9a-f]{40}$/);
  expect(startMark(1, 'a')).toBe(startMark(1, 'a'));
  expect(
    new Set([startMark(1, 'a'), startMark(2, 'a'), startMark(1, 'b'), startMark(11, ''), startMark(1, '1')]).size,
  ).toBe(5);
});
