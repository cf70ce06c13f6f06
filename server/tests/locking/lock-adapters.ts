/** The adapters of the Lock port, each on real servers. */
import { LocalLock } from '../../src/locking/local/local-lock.ts';
import type { Lock } from '../../src/locking/lock.ts';
import { connectLockServer } from '../../src/locking/redis/connect-lock-server.ts';
import { RedisLock } from '../../src/locking/redis/redis-lock.ts';
import { Redlock } from '../../src/locking/redis/redlock.ts';
import { sharedLockServer } from '../../src/locking/redis/shared-lock-server.ts';
import { ZookeeperLock } from '../../src/locking/zookeeper/zookeeper-lock.ts';
import { openRedis } from '../../src/stock/redis/open-redis.ts';
import { startRedis } from '../support/servers/redis.ts';
import type { TestServer } from '../support/servers/test-server.ts';
import { until } from '../support/servers/until.ts';
import { startZookeeper } from '../support/servers/zookeeper.ts';

const SESSION_TIMEOUT_MS = 3_000;
const REDLOCK_SERVERS = 5;
/** Other suites may keep the processors busy. */
const ANSWER_MS_MAX = 20_000;
const CLUSTER_OK_MS_MAX = 30_000;

/** What a process needs to know to open a lock. */
export interface LockAddress {
  adapter: 'redis' | 'redlock' | 'redis-cluster' | 'zookeeper';
  /** Of each server: a URL, or `host:port`. */
  places: string[];
}

export interface LockServers {
  /** As another process would: over connections of its own. */
  open(): Promise<Lock>;
  /** Null when other processes cannot reach it. */
  address: LockAddress | null;
  stop(): Promise<void>;
}

export interface LockAdapter {
  name: string;
  /** Leases end by time; otherwise with their session. */
  endsByTime: boolean;
  /** Whether other processes can share it. */
  shared: boolean;
  start(): Promise<LockServers>;
}

export function openLock({ adapter, places }: LockAddress): Promise<Lock> {
  const [place = ''] = places;
  switch (adapter) {
    case 'redis':
      return openStandalone(place);
    case 'redlock':
      return openRedlock(places);
    case 'redis-cluster':
      return openCluster(place);
    case 'zookeeper':
      return openZookeeper(place);
  }
}

async function openStandalone(url: string): Promise<Lock> {
  return new RedisLock(await connectLockServer(url));
}

export async function openRedlock(urls: readonly string[]): Promise<Lock> {
  return new Redlock(await Promise.all(urls.map((url) => connectLockServer(url))), ANSWER_MS_MAX);
}

/** Over the engine's own connection, as a node of a cluster does. */
async function openCluster(url: string): Promise<Lock> {
  const connection = await openRedis({ kind: 'cluster', urls: [url] }, () => undefined);
  const server = sharedLockServer(connection, 'the cluster');
  return new RedisLock({ ...server, close: () => void connection.close() });
}

async function openZookeeper(connection: string): Promise<Lock> {
  return new ZookeeperLock({ connection, sessionTimeoutMs: SESSION_TIMEOUT_MS });
}

interface Started {
  servers: TestServer[];
  places: string[];
}

function onServers(
  adapter: LockAddress['adapter'],
  { endsByTime, start }: { endsByTime: boolean; start: () => Promise<Started> },
): LockAdapter {
  return {
    name: adapter,
    endsByTime,
    shared: true,
    async start() {
      const { servers, places } = await start();
      const address = { adapter, places };
      const opened: Lock[] = [];
      return {
        address,
        async open() {
          const lock = await openLock(address);
          opened.push(lock);
          return lock;
        },
        async stop() {
          await Promise.all(opened.map((lock) => lock.close()));
          await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
        },
      };
    },
  };
}

const local: LockAdapter = {
  name: 'local',
  endsByTime: true,
  shared: false,
  async start() {
    const lock = new LocalLock();
    return { address: null, open: async () => lock, stop: () => lock.close() };
  },
};

/** One server that owns all slots: keys of a script that do not share theirs are refused as in any Cluster. */
async function clusterOfOne(): Promise<Started> {
  const server = await startRedis({ settings: { 'cluster-enabled': 'yes' } });
  await server.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until('the cluster is ok', CLUSTER_OK_MS_MAX, async () =>
    String(await server.ask('CLUSTER', 'INFO')).includes('cluster_state:ok'),
  );
  return { servers: [server], places: [server.url] };
}

async function redisServers(count: number): Promise<Started> {
  const servers = await Promise.all(Array.from({ length: count }, () => startRedis()));
  return { servers, places: servers.map(({ url }) => url) };
}

async function zookeeperAlone(): Promise<Started> {
  const server = await startZookeeper();
  return { servers: [server], places: [server.connectString] };
}

export const lockAdapters: readonly LockAdapter[] = [
  local,
  onServers('redis', { endsByTime: true, start: () => redisServers(1) }),
  onServers('redis-cluster', { endsByTime: true, start: clusterOfOne }),
  onServers('redlock', { endsByTime: true, start: () => redisServers(REDLOCK_SERVERS) }),
  onServers('zookeeper', { endsByTime: false, start: zookeeperAlone }),
];
