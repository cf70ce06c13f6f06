import { expect, it } from 'vitest';
import { writtenHolders } from '../../src/cli/locks.ts';
import { storeLock } from '../../src/locking/lock-key.ts';

it('lists who holds what, one line each', () => {
  const value = 'api-1:1795259215237:req-7.1';
  expect(
    writtenHolders([
      { key: storeLock('HQ1', 'S1'), value, remainingMs: 9_940 },
      { key: storeLock('HQ1', 'S2'), value, remainingMs: null },
      { key: storeLock('HQ1', 'S3'), value: 'by hand', remainingMs: 500 },
    ]),
  ).toBe(
    [
      'inventory:lock:store:HQ1:S1  api-1  2026-11-21T11:06:55.237Z  req-7.1  9.9 s',
      'inventory:lock:store:HQ1:S2  api-1  2026-11-21T11:06:55.237Z  req-7.1  with its session',
      'inventory:lock:store:HQ1:S3  by hand  0.5 s\n',
    ].join('\n'),
  );
  expect(writtenHolders([])).toBe('Nobody holds a lock.\n');
});
