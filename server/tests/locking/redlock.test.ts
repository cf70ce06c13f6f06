/** What Redlock does when some of its servers are away: for it alone, because no other adapter has several. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HeldLocks } from '../../src/locking/held-locks.ts';
import { type Lease, type Lock, LockUnavailable } from '../../src/locking/lock.ts';
import { storeLock } from '../../src/locking/lock-key.ts';
import { Redlock } from '../../src/locking/redis/redlock.ts';
import { type RedisTestServer, startRedis } from '../support/servers/redis.ts';
import { describeWith } from '../support/servers/servers.ts';
import { openRedlock } from './lock-adapters.ts';
import { observed } from './observed.ts';

const SERVERS = 5;
const TTL_MS = 20_000;
/** Nothing listens there. */
const NOBODY = 'redis://127.0.0.1:1';

describeWith(['redis'], 'Redlock over five servers', () => {
  let servers: RedisTestServer[];
  let opened: Lock[];

  beforeEach(async () => {
    opened = [];
    servers = await Promise.all(Array.from({ length: SERVERS }, () => startRedis()));
  });

  afterEach(async () => {
    await Promise.all(opened.map((lock) => lock.close()));
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  });

  const newKey = () => storeLock('HQ1', randomUUID());
  const take = (lock: Lock, key: string, ttlMs = TTL_MS) =>
    lock.take({ key, value: `test:0:${randomUUID()}`, ttlMs, waitMs: 0 });

  /** As a process that reaches only these of the five servers. */
  async function open(...numbers: number[]): Promise<Lock> {
    const lock = await openRedlock(servers.map(({ url }, index) => (numbers.includes(index) ? url : NOBODY)));
    opened.push(lock);
    return lock;
  }

  async function taken(lock: Lock, key: string, ttlMs = TTL_MS): Promise<Lease> {
    const lease = await take(lock, key, ttlMs);
    if (lease === null) throw new Error(`${key} is held by somebody else`);
    return lease;
  }

  it('goes on when two of them are killed, in the middle of a lease too', async () => {
    const [first, second] = [await open(0, 1, 2, 3, 4), await open(0, 1, 2, 3, 4)];
    const [before, after] = [newKey(), newKey()];
    const lease = await taken(first, before);
    await Promise.all([servers[0]!.kill(), servers[3]!.kill()]);
    expect(await take(second, before)).toBeNull();
    expect(await first.extend(lease, TTL_MS)).not.toBeNull();
    expect((await second.holders()).map(({ key }) => key)).toEqual([before]);
    expect(await first.release(lease)).toBe(true);
    expect((await taken(second, before)).fencingToken).toBeGreaterThan(lease.fencingToken);
    await taken(first, after);
    expect(await take(second, after)).toBeNull();
  });

  it('gives nothing without a majority, and says so', async () => {
    const [first, second] = [await open(0, 1, 2, 3, 4), await open(0, 1, 2, 3, 4)];
    const key = newKey();
    const lease = await taken(first, key);
    await Promise.all([0, 1, 2].map((number) => servers[number]!.kill()));
    await expect(take(second, newKey())).rejects.toThrow(LockUnavailable);
    await expect(first.extend(lease, TTL_MS)).rejects.toThrow(LockUnavailable);
    await expect(first.release(lease)).rejects.toThrow(LockUnavailable);
    await expect(second.holders()).rejects.toThrow(LockUnavailable);
  });

  it('gives a minority nothing while the network is split', async () => {
    const [minority, majority] = [await open(0, 1), await open(2, 3, 4)];
    const key = newKey();
    await expect(take(minority, key)).rejects.toThrow(LockUnavailable);
    const lease = await taken(majority, key);
    await expect(take(minority, key)).rejects.toThrow(LockUnavailable);
    expect(await majority.extend(lease, TTL_MS)).not.toBeNull();
  });

  it('is lost by a holder that is cut off from the majority, before another one gets it', async () => {
    const key = newKey();
    const all = await open(0, 1, 2, 3, 4);
    const { observer, seen } = observed();
    const lease = await taken(all, key, 3_000);
    const held = new HeldLocks({ lock: all, leases: [lease], ttlMs: 3_000, observer });
    const lost = held.ended.then(() => performance.now());
    // What it holds on these three servers goes with them; they come back empty, and only others reach them again.
    await Promise.all([0, 1, 2].map((number) => servers[number]!.kill()));
    await lost;
    expect(held.held).toBe(false);
    expect(seen).toMatchObject({ losses: 1 });
    await Promise.all([0, 1, 2].map((number) => servers[number]!.start()));
    expect((await taken(await open(0, 1, 2), key)).fencingToken).toBeGreaterThan(lease.fencingToken);
  });

  it('does not wait for servers that are stalled', async () => {
    const lock = await open(0, 1, 2, 3, 4);
    for (const number of [1, 4]) servers[number]!.suspend();
    const lease = await taken(lock, newKey());
    expect(await lock.extend(lease, TTL_MS)).not.toBeNull();
    expect(await lock.release(lease)).toBe(true);
    for (const number of [1, 4]) servers[number]!.resume();
    // What the stalled ones do late is taken back behind it.
    const other = await open(0, 1, 2, 3, 4);
    let again = await take(other, lease.key);
    for (let tries = 0; again === null && tries < 50; tries += 1) {
      await delay(100);
      again = await take(other, lease.key);
    }
    expect(again).not.toBeNull();
  });

  it('gives greater fencing tokens though the clock of the server that gave the last one was ahead', async () => {
    const key = newKey();
    const ahead = Date.now() * 1_000 + 3_600_000_000;
    await servers[0]!.ask('SET', `{${key}}:fence`, String(ahead));
    // The majorities share one server, and not the one whose clock is ahead.
    const first = await open(0, 1, 2);
    const lease = await taken(first, key);
    expect(lease.fencingToken).toBeGreaterThan(ahead);
    expect(await first.release(lease)).toBe(true);
    expect((await taken(await open(2, 3, 4), key)).fencingToken).toBeGreaterThan(lease.fencingToken);
  });

  it('takes an odd number of servers', () => {
    const server = {
      name: 'none',
      client: { eval: async () => null },
      keyspaces: async () => [],
      close: () => undefined,
    };
    for (const count of [1, 2, 4]) expect(() => new Redlock(Array(count).fill(server))).toThrow(RangeError);
  });
});
