/** What every adapter of the Lock port does, on real servers. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lease, Lock } from '../../src/locking/lock.ts';
import { productLock, storeLock } from '../../src/locking/lock-key.ts';
import { writeLockValue } from '../../src/locking/lock-value.ts';
import { Locks } from '../../src/locking/locks.ts';
import { describeWith } from '../support/servers/servers.ts';
import { Holder } from './holder.ts';
import { type LockServers, lockAdapters } from './lock-adapters.ts';
import { observed } from './observed.ts';

const SHORT_MS = 1_000;
const LONG_MS = 20_000;

const newKey = () => storeLock('HQ1', randomUUID());
const newValue = () => writeLockValue({ nodeId: 'test', timestampMs: Date.now(), requestId: randomUUID() });

function take(lock: Lock, key: string, ttlMs = LONG_MS): Promise<Lease | null> {
  return lock.take({ key, value: newValue(), ttlMs, waitMs: 0 });
}

async function taken(lock: Lock, key: string, ttlMs = LONG_MS): Promise<Lease> {
  const lease = await take(lock, key, ttlMs);
  if (lease === null) throw new Error(`${key} is held by somebody else`);
  return lease;
}

/** Waits until it can be taken. */
async function takenOnce(lock: Lock, key: string): Promise<Lease> {
  for (;;) {
    const lease = await take(lock, key);
    if (lease !== null) return lease;
    await delay(50);
  }
}

describeWith(['redis', 'zookeeper'], 'the Lock port', () => {
  describe.concurrent.each(lockAdapters)('$name', ({ start, endsByTime, shared }) => {
    let servers: LockServers;
    let first: Lock;
    let second: Lock;

    beforeAll(async () => {
      servers = await start();
      [first, second] = await Promise.all([servers.open(), servers.open()]);
    });

    afterAll(() => servers?.stop());

    it('is held by one of many who want it', async () => {
      const key = newKey();
      const leases = await Promise.all(
        Array.from({ length: 40 }, (_, index) => first.take({ key, value: newValue(), ttlMs: LONG_MS, waitMs: index })),
      );
      const others = await Promise.all(Array.from({ length: 10 }, () => take(second, key)));
      // Where a majority is needed, many at once may split it and have none; who comes alone then gets it.
      const winners = [...leases, ...others].filter((lease) => lease !== null);
      expect(winners.length).toBeLessThanOrEqual(1);
      const winner = winners[0] ?? (await takenOnce(second, key));
      expect(await take(first, key)).toBeNull();
      expect(await take(second, key)).toBeNull();
      expect(winner.validUntilMs).toBeGreaterThan(performance.now());
    });

    it('is free again when it is given back, once', async () => {
      const key = newKey();
      const lease = await taken(first, key);
      expect(await take(second, key)).toBeNull();
      expect(await first.release(lease)).toBe(true);
      expect(await first.release(lease)).toBe(false);
      await takenOnce(second, key);
    });

    it('is not given back by one who does not hold it', async () => {
      const key = newKey();
      const lease = await taken(first, key);
      expect(await second.release({ ...lease, value: newValue() })).toBe(false);
      expect(await first.release({ ...lease, value: newValue() })).toBe(false);
      expect(await take(second, key)).toBeNull();
      expect(await first.extend(lease, LONG_MS)).not.toBeNull();
    });

    it('is not extended by one who does not hold it', async () => {
      const key = newKey();
      const lease = await taken(first, key);
      expect(await second.extend({ ...lease, value: newValue() }, LONG_MS)).toBeNull();
      await first.release(lease);
      expect(await first.extend(lease, LONG_MS)).toBeNull();
      await takenOnce(second, key);
    });

    it('gives greater fencing tokens to later holders, whoever they are', async () => {
      const key = newKey();
      const tokens: number[] = [];
      for (const lock of [first, second, second, first, second]) {
        const lease = await takenOnce(lock, key);
        tokens.push(lease.fencingToken);
        await lock.release(lease);
      }
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    });

    it('tells who holds what', async () => {
      const keys = [newKey(), productLock('HQ1', 'S1', randomUUID())];
      const leases = await Promise.all(keys.map((key) => taken(first, key)));
      const holders = (await second.holders()).filter(({ key }) => keys.includes(key));
      const told = (holder: { key: string; value: string }) => `${holder.key} ${holder.value}`;
      expect(holders.map(told)).toEqual(leases.map(told).sort());
      for (const { remainingMs } of holders) {
        if (endsByTime) expect(remainingMs).toBeGreaterThan(0);
        else expect(remainingMs).toBeNull();
      }
      for (const lease of leases) await first.release(lease);
      expect((await second.holders()).filter(({ key }) => keys.includes(key))).toEqual([]);
    });

    it('keeps an unguarded counter right', async () => {
      const key = newKey();
      const { observer, seen } = observed();
      let counter = 0;
      const buyer = async (lock: Lock) => {
        const locks = new Locks({ lock, nodeId: 'buyer', observer });
        for (let times = 0; times < 5; times += 1) {
          const acquisition = await locks.acquire([key], { tries: 1_000, backoffMs: 5, backoffMsMax: 50 });
          if (acquisition.status !== 'held') throw new Error('1 000 tries were not enough');
          const read = counter;
          await delay(1);
          counter = read + 1;
          expect(acquisition.held.held).toBe(true);
          await acquisition.held.release();
        }
      };
      await Promise.all([first, second, first, second, first].map(buyer));
      expect(counter).toBe(25);
      expect(seen).toMatchObject({ losses: 0, waits: 25, failures: [] });
      expect(seen.contentions).toBeGreaterThan(0);
    });

    it('lets nobody wait for each other who wants several keys', async () => {
      const keys = [newKey(), newKey()].sort();
      const { observer, seen } = observed();
      const worker = async (lock: Lock, wanted: string[]) => {
        const locks = new Locks({ lock, nodeId: 'worker', observer });
        for (let times = 0; times < 5; times += 1) {
          const acquisition = await locks.acquire(wanted, { tries: 1_000, backoffMs: 5, backoffMsMax: 50 });
          if (acquisition.status !== 'held') throw new Error('1 000 tries were not enough');
          await delay(1);
          await acquisition.held.release();
        }
      };
      await Promise.all([worker(first, keys), worker(second, keys.toReversed()), worker(first, keys.toReversed())]);
      expect(seen.deadlocksAvoided).toBeGreaterThan(0);
      expect(seen.losses).toBe(0);
    });

    it('gives back what it took when a further key stays with somebody else', async () => {
      const [free, wanted] = [newKey(), newKey()].sort() as [string, string];
      const lease = await taken(first, wanted);
      const locks = new Locks({ lock: second, nodeId: 'test', observer: observed().observer });
      expect(await locks.acquire([wanted, free])).toEqual({ status: 'contended', key: wanted });
      await takenOnce(first, free);
      await first.release(lease);
    });

    it('is held for longer than its time to live by one who extends it', async () => {
      const key = newKey();
      const { observer, seen } = observed();
      const locks = new Locks({ lock: first, nodeId: 'test', observer });
      const acquisition = await locks.acquire([key], { ttlMs: 3_000 });
      if (acquisition.status !== 'held') throw new Error('it is held by somebody else');
      const until = performance.now() + 5_000;
      while (performance.now() < until) {
        expect(await take(second, key)).toBeNull();
        expect(acquisition.held.held).toBe(true);
        await delay(250);
      }
      await acquisition.held.release();
      expect(seen.losses).toBe(0);
      await takenOnce(second, key);
    });

    it.runIf(endsByTime)('ends when it is not extended, and cannot be extended or given back then', async () => {
      const key = newKey();
      const late = await taken(first, key, SHORT_MS);
      const next = await takenOnce(second, key);
      expect(performance.now()).toBeGreaterThan(late.validUntilMs);
      expect(next.fencingToken).toBeGreaterThan(late.fencingToken);
      expect(await first.extend(late, LONG_MS)).toBeNull();
      expect(await first.release(late)).toBe(false);
      expect(await take(first, key)).toBeNull();
      expect(await second.extend(next, LONG_MS)).not.toBeNull();
    });

    it.runIf(endsByTime)('cannot be extended after it ended, though nobody else took it', async () => {
      const key = newKey();
      const late = await taken(first, key, SHORT_MS);
      await delay(SHORT_MS + 100);
      expect(await first.extend(late, LONG_MS)).toBeNull();
      await taken(second, key);
    });

    it.runIf(shared)('passes to another when its process is stalled, which then learns that it was lost', async () => {
      const key = newKey();
      const stalled = new Holder(servers.address!, key, 3_000);
      try {
        const token = await stalled.holds();
        stalled.signal('SIGSTOP');
        const lease = await takenOnce(second, key);
        expect(lease.fencingToken).toBeGreaterThan(token);
        stalled.signal('SIGCONT');
        expect(await stalled.said()).toBe('lost');
        stalled.giveBack();
        expect(await stalled.said()).toBe('released');
        expect(await take(first, key)).toBeNull();
        expect(await second.extend(lease, LONG_MS)).not.toBeNull();
      } finally {
        await stalled.kill();
      }
    });

    it.runIf(shared)('passes to another when its process is killed', async () => {
      const key = newKey();
      const holder = new Holder(servers.address!, key, 3_000);
      const token = await holder.holds();
      expect(await take(second, key)).toBeNull();
      await holder.kill();
      expect((await takenOnce(second, key)).fencingToken).toBeGreaterThan(token);
    });
  });
});
