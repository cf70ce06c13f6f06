import { describe, expect, it } from 'vitest';
import { hqLock, inLockOrder, lockKindOf, productLock, roleLock, storeLock } from '../../src/locking/lock-key.ts';
import { readLockValue, writeLockValue } from '../../src/locking/lock-value.ts';

describe('keys', () => {
  it('follow the hierarchy of stock', () => {
    expect(hqLock('HQ1')).toBe('inventory:lock:hq:HQ1');
    expect(storeLock('HQ1', 'S1')).toBe('inventory:lock:store:HQ1:S1');
    expect(productLock('HQ1', 'S1', 'P1')).toBe('inventory:lock:product:HQ1:S1:P1');
    expect([hqLock('a'), storeLock('a', 'b'), productLock('a', 'b', 'c'), roleLock('relay')].map(lockKindOf)).toEqual([
      'hq',
      'store',
      'product',
      'role',
    ]);
    expect(() => lockKindOf('inventory:lock:shelf:1')).toThrow(RangeError);
  });

  it('have one order, from the outside in, each once', () => {
    const ordered = [
      roleLock('relay'),
      hqLock('HQ9'),
      storeLock('HQ1', 'S1'),
      storeLock('HQ1', 'S2'),
      productLock('A', 'A', 'A'),
    ];
    expect(inLockOrder([...ordered.toReversed(), ...ordered])).toEqual(ordered);
  });
});

describe('values', () => {
  it('say who, when and for which request', () => {
    const value = { nodeId: 'api-1.seoul', timestampMs: 1_795_259_215_237, requestId: 'req:1:2' };
    expect(writeLockValue(value)).toBe('api-1.seoul:1795259215237:req:1:2');
    expect(readLockValue(writeLockValue(value))).toEqual(value);
  });

  it('are refused when they could not be read back', () => {
    expect(() => writeLockValue({ nodeId: 'a:b', timestampMs: 1, requestId: 'r' })).toThrow(RangeError);
    for (const text of ['', 'node', 'node:then:request', 'node:1:']) expect(readLockValue(text)).toBeNull();
  });
});
