/** Redis that is away, hangs, comes back, fails over, or is not ours to use. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { openRedis, type RedisTarget } from '../../../src/stock/redis/open-redis.ts';
import { claimRedis } from '../../../src/stock/redis/redis-installation.ts';
import { startRedis } from '../../support/servers/redis.ts';
import { startRedisCluster } from '../../support/servers/redis-cluster.ts';
import { startSentinel } from '../../support/servers/redis-sentinel.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { HQ, reserveOf, unitsOf } from '../requests.ts';
import { EngineRig } from './engine-rig.ts';

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const WAIT_MS_MAX = 30_000;

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function stocked(target: RedisTarget): Promise<EngineRig> {
  const rig = await EngineRig.open(target);
  open.push(() => rig.close().catch(() => undefined));
  await rig.openEmpty();
  await rig.decided({ type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS });
  await rig.decided({ type: 'configure-product', productId: 'P1', settings: NO_SETTINGS });
  await rig.decided({ type: 'receive', items: [unitsOf(100)] }, 'stock');
  await rig.record();
  await rig.refill.settled();
  return rig;
}

/** Reserves again and again until one is decided; all kinds of answers on the way. */
async function untilDecided(rig: EngineRig): Promise<string[]> {
  const kinds: string[] = [];
  const until = performance.now() + WAIT_MS_MAX;
  while (performance.now() < until) {
    const { kind } = await rig.decide(reserveOf(1), `again-${kinds.length}`);
    kinds.push(kind);
    if (kind === 'decided') return kinds;
    await delay(50);
  }
  throw new Error(`nothing was decided within ${WAIT_MS_MAX} ms: ${kinds.slice(-5)}`);
}

describeWith(['redis'], 'a Redis that is away', () => {
  it('is told at once, and nothing waits for it; it serves again by itself', async () => {
    const server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } });
    open.push(() => server.stop());
    const rig = await stocked({ kind: 'standalone', url: server.url });
    await server.kill();
    await delay(100);
    const started = performance.now();
    expect(await rig.decide(reserveOf(1), 'r1')).toEqual({ kind: 'unavailable', reason: 'not-open' });
    await expect(rig.engine.levels(HQ, [unitsOf(0)])).rejects.toThrow('Redis does not answer');
    expect(await rig.engine.expireDue()).toEqual({ holds: 0, latestMs: 0 });
    expect(performance.now() - started).toBeLessThan(4_000);
    await server.start();
    await untilDecided(rig);
    await rig.record();
    expect(rig.lost).toEqual([]);
  });

  it('that takes a command and dies leaves it undecided, never refused', async () => {
    const server = await startRedis();
    open.push(() => server.stop());
    const rig = await stocked({ kind: 'standalone', url: server.url });
    server.suspend();
    const decisions = Promise.all([1, 2, 3].map((index) => rig.decide(reserveOf(1), `r${index}`)));
    await delay(200);
    await server.kill();
    expect(await decisions).toEqual([{ kind: 'undecided' }, { kind: 'undecided' }, { kind: 'undecided' }]);
  });

  it('that is out of memory, or was made a replica, refuses and has done nothing', async () => {
    const server = await startRedis();
    open.push(() => server.stop());
    const rig = await stocked({ kind: 'standalone', url: server.url });
    const refused = { kind: 'unavailable', reason: 'not-open' };
    await server.ask('CONFIG', 'SET', 'maxmemory', '1mb');
    expect(await rig.decide(reserveOf(1), 'r1')).toEqual(refused);
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    await server.ask('REPLICAOF', '127.0.0.1', '1');
    expect(await rig.decide(reserveOf(1), 'r1')).toEqual(refused);
    await server.ask('REPLICAOF', 'NO', 'ONE');
    expect(await rig.decide(reserveOf(1), 'r1')).toMatchObject({ kind: 'decided', place: { seq: 4 } });
  });

  it('that hangs is waited for a bounded time, then left for a new connection', async () => {
    const server = await startRedis();
    open.push(() => server.stop());
    const rig = await stocked({ kind: 'standalone', url: server.url });
    server.suspend();
    const started = performance.now();
    expect(await rig.decide(reserveOf(1), 'r1')).toEqual({ kind: 'undecided' });
    expect(performance.now() - started).toBeLessThan(12_000);
    server.resume();
    await untilDecided(rig);
    const woken = rig.journal.read([...rig.heads.values()], 10, 5_000);
    expect((await woken)[0]?.kind).toBe('entries');
  }, 60_000);
});

describeWith(['redis'], 'a Sentinel group', () => {
  it('goes on with a new master by itself', async () => {
    const group = await startSentinel();
    open.push(() => group.stop());
    const sentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const rig = await stocked({ kind: 'sentinel', group: group.group, sentinels, password: group.password });
    await rig.decided(reserveOf(1), 'before');
    await rig.record();
    const master = await group.master();
    expect(await master.ask('WAIT', '1', '10000')).toBe(1);
    await master.kill();
    await untilDecided(rig);
    expect(await group.master()).not.toBe(master);
    expect((await rig.record()).length).toBeGreaterThan(0);
    expect(rig.lost).toEqual([]);
  }, 90_000);
});

describeWith(['redis'], 'a Redis Cluster', () => {
  it('keeps a partition on one node, and goes on after a failover', async () => {
    const cluster = await startRedisCluster();
    open.push(() => cluster.stop());
    const rig = await stocked({ kind: 'cluster', urls: cluster.urls });
    const hqIds = ['HQ1', 'HQ2', 'HQ3', 'HQ4', 'HQ5', 'HQ6'];
    expect(new Set(hqIds.map((hqId) => partitionOf(hqId))).size).toBeGreaterThan(3);
    for (const hqId of hqIds) {
      const settings = { type: 'configure-store' as const, storeId: 'S1', settings: NO_SETTINGS };
      expect((await rig.decide(settings, null, { hqId })).kind).toBe('decided');
    }
    expect((await rig.record()).length).toBe(hqIds.length);
    await cluster.untilReplicated();
    const [master] = await cluster.masters();
    await master?.kill();
    const until = performance.now() + WAIT_MS_MAX;
    const left = new Set(hqIds);
    while (left.size > 0 && performance.now() < until) {
      for (const hqId of left) {
        const again = { type: 'configure-store' as const, storeId: 'S2', settings: NO_SETTINGS };
        if ((await rig.decide(again, null, { hqId })).kind === 'decided') left.delete(hqId);
      }
      await delay(100);
    }
    expect([...left]).toEqual([]);
    expect((await rig.record()).length).toBe(hqIds.length);
    expect(rig.lost).toEqual([]);
  }, 90_000);
});

describeWith(['redis'], 'a Redis that may not be used', () => {
  it('is refused with its setting and the remedy', async () => {
    const server = await startRedis();
    open.push(() => server.stop());
    const connection = await openRedis({ kind: 'standalone', url: server.url }, () => undefined);
    open.push(() => connection.close());
    await claimRedis(connection, 'installation-1');
    await claimRedis(connection, 'installation-1');
    await expect(claimRedis(connection, 'installation-2')).rejects.toThrow('another installation');
    await server.ask('CONFIG', 'SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru');
    await expect(claimRedis(connection, 'installation-1')).rejects.toThrow('maxmemory-policy noeviction');
    await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await claimRedis(connection, 'installation-1');
    await server.ask('SET', 'holdfast:installation', '{"installationId":"installation-1","partitions":32}');
    await expect(claimRedis(connection, 'installation-1')).rejects.toThrow('another partitioning');
  });

  it('is refused when it is not there, or knows another password', async () => {
    const server = await startRedis();
    open.push(() => server.stop());
    const wrong = `redis://:wrong@127.0.0.1:${server.port}`;
    await expect(openRedis({ kind: 'standalone', url: wrong }, () => undefined)).rejects.toThrow('WRONGPASS');
    await server.stop();
    await expect(openRedis({ kind: 'standalone', url: server.url }, () => undefined)).rejects.toThrow();
  });
});
