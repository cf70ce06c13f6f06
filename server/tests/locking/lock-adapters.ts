/** The adapters of the Lock port, each on real servers. */
import { createClient, createCluster } from 'redis';
import { LocalLock } from '../../src/locking/local/local-lock.ts';
import type { Lock } from '../../src/locking/lock.ts';
import { connectLockServer } from '../../src/locking/redis/connect-lock-server.ts';
import { RedisLock } from '../../src/locking/redis/redis-lock.ts';
import type { RedisLockServer } from '../../src/locking/redis/redis-lock-node.ts';
import { Redlock } from '../../src/locking/redis/redlock.ts';
import { ZookeeperLock } from '../../src/locking/zookeeper/zookeeper-lock.ts';
import { redisServer, type TestServer, zookeeperServer } from './servers.ts';

const SESSION_TIMEOUT_MS = 3_000;
const REDLOCK_SERVERS = 5;

/** What a process needs to know to open a lock. */
export interface LockAddress {
  adapter: 'redis' | 'redlock' | 'redis-cluster' | 'zookeeper';
  ports: number[];
}

export interface LockServers {
  /** As another process would: over connections of its own. */
  open(): Promise<Lock>;
  /** Null when other processes cannot reach it. */
  address: LockAddress | null;
  servers: TestServer[];
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

export function openLock({ adapter, ports }: LockAddress): Promise<Lock> {
  switch (adapter) {
    case 'redis':
      return openRedis(ports[0]!);
    case 'redlock':
      return openRedlock(ports);
    case 'redis-cluster':
      return openCluster(ports[0]!);
    case 'zookeeper':
      return openZookeeper(ports[0]!);
  }
}

const urlOf = (port: number) => `redis://127.0.0.1:${port}`;

async function openRedis(port: number): Promise<Lock> {
  return new RedisLock(await connectLockServer(urlOf(port)));
}

export async function openRedlock(ports: readonly number[]): Promise<Lock> {
  return new Redlock(await Promise.all(ports.map((port) => connectLockServer(urlOf(port)))));
}

async function openCluster(port: number): Promise<Lock> {
  const cluster = createCluster({ rootNodes: [{ url: urlOf(port) }] });
  cluster.on('error', () => undefined);
  await cluster.connect();
  const server: RedisLockServer = {
    name: 'the cluster',
    client: cluster,
    keyspaces: () => Promise.all(cluster.masters.map((master) => cluster.nodeClient(master))),
    close: () => cluster.destroy(),
  };
  return new RedisLock(server);
}

async function openZookeeper(port: number): Promise<Lock> {
  return new ZookeeperLock({ connection: `127.0.0.1:${port}`, sessionTimeoutMs: SESSION_TIMEOUT_MS });
}

function onServers(
  adapter: LockAddress['adapter'],
  { endsByTime, start }: { endsByTime: boolean; start: () => Promise<TestServer[]> },
): LockAdapter {
  return {
    name: adapter,
    endsByTime,
    shared: true,
    async start() {
      const servers = await start();
      const address = { adapter, ports: servers.map(({ port }) => port) };
      const opened: Lock[] = [];
      return {
        address,
        servers,
        async open() {
          const lock = await openLock(address);
          opened.push(lock);
          return lock;
        },
        async stop() {
          await Promise.all(opened.map((lock) => lock.close()));
          await Promise.all(servers.map((server) => server.stop()));
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
    return { address: null, servers: [], open: async () => lock, stop: () => lock.close() };
  },
};

/** One server that owns all slots: keys of a script that do not share theirs are refused as in any Cluster. */
async function clusterOfOne(): Promise<TestServer[]> {
  const server = await redisServer('--cluster-enabled', 'yes');
  const client = await createClient({ url: urlOf(server.port) }).connect();
  await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
  while (!String(await client.sendCommand(['CLUSTER', 'INFO'])).includes('cluster_state:ok')) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  client.destroy();
  return [server];
}

const servers = (count: number, ...options: string[]) =>
  Promise.all(Array.from({ length: count }, () => redisServer(...options)));

export const lockAdapters: readonly LockAdapter[] = [
  local,
  onServers('redis', { endsByTime: true, start: () => servers(1) }),
  onServers('redis-cluster', { endsByTime: true, start: clusterOfOne }),
  onServers('redlock', { endsByTime: true, start: () => servers(REDLOCK_SERVERS) }),
  onServers('zookeeper', { endsByTime: false, start: async () => [await zookeeperServer()] }),
];
