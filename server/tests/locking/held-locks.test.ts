/** What becomes of held locks when extending them goes wrong. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { HeldLocks } from '../../src/locking/held-locks.ts';
import { LocalLock } from '../../src/locking/local/local-lock.ts';
import { type Lease, LockUnavailable } from '../../src/locking/lock.ts';
import { hqLock, storeLock } from '../../src/locking/lock-key.ts';
import { observed } from './observed.ts';

const TTL_MS = 1_000;
const KEYS = [hqLock('HQ1'), storeLock('HQ1', 'S1')];

/** A lock whose extensions go wrong in one way. */
class Unreliable extends LocalLock {
  readonly #extend: () => Promise<Lease | null>;

  constructor(extend: () => Promise<Lease | null>) {
    super();
    this.#extend = extend;
  }

  override extend(): Promise<Lease | null> {
    return this.#extend();
  }
}

async function hold(lock: LocalLock) {
  const { observer, seen } = observed();
  const taken = await Promise.all(KEYS.map((key) => lock.take({ key, value: `n:0:${key}`, ttlMs: TTL_MS, waitMs: 0 })));
  const leases = taken.filter((lease) => lease !== null);
  return { held: new HeldLocks({ lock, leases, ttlMs: TTL_MS, observer }), seen };
}

describe('held locks', () => {
  it('are lost when an extension is never answered', async () => {
    const { held, seen } = await hold(new Unreliable(() => new Promise(() => undefined)));
    expect(held.held).toBe(true);
    expect(await held.ended).toBe('it was not extended in time');
    expect(held.held).toBe(false);
    expect(held.signal.aborted).toBe(true);
    expect(seen.losses).toBe(KEYS.length);
  });

  it('are lost when no extension succeeds in time, and each failure is told', async () => {
    const { held, seen } = await hold(new Unreliable(() => Promise.reject(new LockUnavailable('away'))));
    expect(await held.ended).toBe('it was not extended in time');
    expect(seen.failures.length).toBeGreaterThan(1);
  });

  it('are lost together, and the rest is given back', async () => {
    const lock = new LocalLock();
    const { held, seen } = await hold(lock);
    const [first, second] = await lock.holders();
    await lock.release({ ...second!, fencingToken: 0, validUntilMs: 0 });
    expect(await held.ended).toBe(`${second!.key} is held no more`);
    expect(seen.losses).toBe(KEYS.length);
    await delay(TTL_MS / 10);
    expect((await lock.holders()).some(({ key }) => key === first!.key)).toBe(false);
  });

  it('are lost by a thread that was stalled, though nobody else took them', async () => {
    const lock = new LocalLock();
    const { held } = await hold(lock);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TTL_MS + 100);
    expect(held.held).toBe(false);
    expect(await held.ended).toBe('it was not extended in time');
    expect(await lock.holders()).toEqual([]);
  });

  it('are not lost when they were given back, and an extension on its way does not bring them back', async () => {
    const lock = new LocalLock();
    const { held, seen } = await hold(lock);
    await held.release();
    await held.release();
    expect(await held.ended).toBeNull();
    expect(held.signal.aborted).toBe(false);
    await delay(TTL_MS);
    expect(await lock.holders()).toEqual([]);
    expect(seen.losses).toBe(0);
    expect(() => held.fencingToken('inventory:lock:hq:other')).toThrow(RangeError);
  });
});
