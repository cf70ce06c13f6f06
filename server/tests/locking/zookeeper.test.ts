/** Sessions: for ZooKeeper alone, because leases of the other adapters end by time and not with a connection. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Lease, type Lock, LockUnavailable } from '../../src/locking/lock.ts';
import { storeLock } from '../../src/locking/lock-key.ts';
import { Locks } from '../../src/locking/locks.ts';
import { ZookeeperLock } from '../../src/locking/zookeeper/zookeeper-lock.ts';
import { describeWith } from '../support/servers/servers.ts';
import { startZookeeper, type ZookeeperTestServer } from '../support/servers/zookeeper.ts';
import { observed } from './observed.ts';

const LONG_SESSION_MS = 10_000;
/** A server takes its time to start on a busy machine. */
const RESTART_SESSION_MS = 30_000;
const SHORT_SESSION_MS = 3_000;
/** A third of it passes before a silent connection is given up. */
const SILENT_SESSION_MS = 15_000;

describeWith(['zookeeper'], 'ZooKeeper', () => {
  let server: ZookeeperTestServer;
  let first: Lock;
  let second: Lock;

  beforeEach(async () => {
    // By itself it grants twenty of its ticks, which are 10 s.
    server = await startZookeeper({ settings: { maxSessionTimeout: String(RESTART_SESSION_MS) } });
    [first, second] = [open(LONG_SESSION_MS), open(LONG_SESSION_MS)];
  });

  afterEach(async () => {
    await Promise.all([first.close(), second.close()]);
    await server[Symbol.asyncDispose]();
  });

  function open(sessionTimeoutMs: number): Lock {
    return new ZookeeperLock({ connection: server.connectString, sessionTimeoutMs });
  }

  const newKey = () => storeLock('HQ1', randomUUID());
  const take = (lock: Lock, key: string, waitMs = 0) =>
    lock.take({ key, value: `test:0:${randomUUID()}`, ttlMs: 0, waitMs });

  async function takenOnce(lock: Lock, key: string): Promise<Lease> {
    for (;;) {
      const lease = await take(lock, key).catch(() => null);
      if (lease !== null) return lease;
      await delay(100);
    }
  }

  it('calls the next in line when the lock is given back', async () => {
    const key = newKey();
    const lease = await takenOnce(first, key);
    const next = take(second, key, 30_000);
    const nextButOne = next.then((got) => second.release(got!)).then(() => take(first, key, 30_000));
    await delay(300);
    expect(await first.release(lease)).toBe(true);
    const tokens = [lease, await next, await nextButOne].map((each) => each!.fencingToken);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  });

  it('keeps a lease while its server restarts', async () => {
    const key = newKey();
    await first.close();
    first = open(RESTART_SESSION_MS);
    const lease = await takenOnce(first, key);
    await server.kill();
    await expect(first.extend(lease, 0)).rejects.toThrow(LockUnavailable);
    await server.start();
    await takenOnce(second, newKey());
    expect(await take(second, key)).toBeNull();
    expect(await takenOnce(first, newKey())).not.toBeNull();
    expect(await first.extend(lease, 0)).not.toBeNull();
  });

  it('keeps a lease when its connection leads to nobody', async () => {
    const key = newKey();
    await first.close();
    first = open(SILENT_SESSION_MS);
    const lease = await takenOnce(first, key);
    await server.kill();
    const taken: Socket[] = [];
    const silent = createServer((socket) => taken.push(socket)).listen(server.port, '127.0.0.1');
    await expect.poll(() => taken.length).toBeGreaterThan(0);
    silent.close();
    await server.start();
    await takenOnce(first, newKey());
    expect(await first.extend(lease, 0)).not.toBeNull();
    for (const socket of taken) socket.destroy();
  });

  it('loses the lease with its session, and opens another one', async () => {
    const key = newKey();
    await first.close();
    first = open(SHORT_SESSION_MS);
    const { observer, seen } = observed();
    const locks = new Locks({ lock: first, nodeId: 'test', observer });
    const acquisition = await locks.acquire([key]);
    if (acquisition.status !== 'held') throw new Error('it is held by somebody else');
    await server.kill();
    rmSync(join(server.folder, 'data'), { recursive: true });
    await server.start();
    expect(await acquisition.held.ended).not.toBeNull();
    expect(seen.losses).toBe(1);
    const lease = await takenOnce(first, key);
    expect(await take(second, key)).toBeNull();
    expect(await first.release(lease)).toBe(true);
  });

  it('takes a lock away later that could not be given back, for its session lives on', async () => {
    const key = newKey();
    const lease = await takenOnce(first, key);
    server.suspend();
    // It stops a moment after it was told to.
    await delay(200);
    await expect(first.release(lease)).rejects.toThrow(LockUnavailable);
    // What was sent to it is gone with it.
    await server.kill();
    await server.start();
    await takenOnce(second, key);
  });
});
