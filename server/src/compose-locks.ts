/** Chooses what keeps the locks of a cluster. */
import { type Lock, type LockHolder, LockUnavailable } from './locking/lock.ts';
import { connectLockServer } from './locking/redis/connect-lock-server.ts';
import { RedisLock } from './locking/redis/redis-lock.ts';
import { Redlock } from './locking/redis/redlock.ts';
import { sharedLockServer } from './locking/redis/shared-lock-server.ts';
import { ZookeeperLock } from './locking/zookeeper/zookeeper-lock.ts';
import { openRedis, type RedisTarget } from './stock/redis/open-redis.ts';
import type { RedisConnection } from './stock/redis/redis-connection.ts';
import type { TlsSettings } from './tls/tls-settings.ts';

export type LockServers =
  /** The Redis of the engine. */
  | { kind: 'redis' }
  /** An odd number of servers, from three on, that know nothing of each other. */
  | { kind: 'redlock'; urls: readonly string[]; tls?: TlsSettings }
  /** `host:port,host:port` */
  | { kind: 'zookeeper'; connection: string };

const SESSION_TIMEOUT_MS = 10_000;

/** `engineRedis` stays its owner's. Servers that do not answer yet are no error: asking for a lock is one meanwhile. */
export async function openLock(servers: LockServers, engineRedis: RedisConnection): Promise<Lock> {
  switch (servers.kind) {
    case 'redis':
      return new RedisLock(sharedLockServer(engineRedis, 'REDIS_URL'));
    case 'redlock':
      return new Redlock(await Promise.all(servers.urls.map((url) => connectLockServer(url, servers.tls))));
    case 'zookeeper':
      return new ZookeeperLock({ connection: servers.connection, sessionTimeoutMs: SESSION_TIMEOUT_MS });
  }
}

/**
 * Who holds what, asked over connections of its own.
 * @throws LockUnavailable
 */
export async function lockHolders(servers: LockServers, engineRedis: RedisTarget): Promise<LockHolder[]> {
  const redis = await openRedis(engineRedis, () => undefined).catch((error: Error) => {
    throw new LockUnavailable(`The Redis of REDIS_URL cannot be asked for locks: ${error.message}`, { cause: error });
  });
  const lock = await openLock(servers, redis);
  try {
    return await lock.holders();
  } finally {
    await lock.close();
    await redis.close();
  }
}
