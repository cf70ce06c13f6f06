import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { lockServersOf } from '../../src/cli/lock-servers.ts';
import { writtenHolders } from '../../src/cli/locks.ts';
import { openLock } from '../../src/compose-locks.ts';
import { storeLock } from '../../src/locking/lock-key.ts';
import { openRedis } from '../../src/stock/redis/open-redis.ts';
import { startRedis } from '../support/servers/redis.ts';
import { describeWith } from '../support/servers/servers.ts';
import { startZookeeper } from '../support/servers/zookeeper.ts';

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../../src/main.ts');

function holdfastLocks(environment: Record<string, string>, ...options: string[]) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  return run(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'locks', ...options], { env });
}

it('says in embedded mode that there are none to show', async () => {
  const { stdout, stderr } = await holdfastLocks({}, '--json');
  expect(stdout).toBe('[]\n');
  expect(stderr).toContain('one process');
});

it('refuses settings that make no quorum', () => {
  for (const value of ['redis://a:1', 'redis://a:1,redis://b:1', 'zookeeper://', 'memcached://a:1']) {
    expect(() => lockServersOf({ HOLDFAST_LOCKS: value })).toThrow(/^HOLDFAST_LOCKS must be/);
  }
});

describeWith(['redis', 'zookeeper'], 'holdfast locks in cluster mode', () => {
  it('shows who holds what, wherever locks are kept, and fails when nobody can tell', async () => {
    await using zookeeper = await startZookeeper();
    const redis = await Promise.all([startRedis(), startRedis(), startRedis()]);
    const REDIS_URL = redis[0]!.url;
    const connection = await openRedis({ kind: 'standalone', url: REDIS_URL }, () => undefined);
    try {
      const places = ['', redis.map(({ url }) => url).join(','), `zookeeper://${zookeeper.connectString}`];
      for (const [index, HOLDFAST_LOCKS] of places.entries()) {
        const environment = { HOLDFAST_MODE: 'cluster', REDIS_URL, HOLDFAST_LOCKS };
        const lock = await openLock(lockServersOf(environment), connection);
        const key = storeLock('HQ1', `S${index}`);
        const lease = await lock.take({ key, value: 'api-1:1795259215237:req', ttlMs: 60_000, waitMs: 0 });
        const { stdout } = await holdfastLocks(environment);
        expect(stdout).toMatch(
          new RegExp(`^${key}  api-1  2026-11-21T11:06:55.237Z  req  (\\d+\\.\\d s|with its session)\\n$`),
        );
        await lock.release(lease!);
        await lock.close();
      }
    } finally {
      await connection.close();
      await Promise.all(redis.map((server) => server[Symbol.asyncDispose]()));
    }
    const failed = holdfastLocks({ HOLDFAST_MODE: 'cluster', REDIS_URL });
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be asked for locks'),
    });
  });
});

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
