import type { LockServers } from '../compose-locks.ts';
import { type Environment, given, isRedisUrl, isTlsUrl } from './environment.ts';
import { UsageError } from './failures.ts';
import { redisTlsOf } from './tls-configuration.ts';

const ZOOKEEPER = /^zookeeper:\/\/([A-Za-z0-9._-]+:\d{1,5}(?:,[A-Za-z0-9._-]+:\d{1,5})*)$/;

/**
 * What `HOLDFAST_LOCKS` says.
 * @throws UsageError
 */
export function lockServersOf(environment: Environment): LockServers {
  const value = given(environment, 'HOLDFAST_LOCKS');
  if (value === undefined) return { kind: 'redis' };
  const connection = ZOOKEEPER.exec(value)?.[1];
  if (connection !== undefined) return { kind: 'zookeeper', connection };
  const urls = value.split(',').map((url) => url.trim());
  const areRedis = urls.every(isRedisUrl);
  if (areRedis && urls.length >= 3 && urls.length % 2 === 1)
    return { kind: 'redlock', urls, ...(urls.some(isTlsUrl) ? { tls: redisTlsOf(environment) } : {}) };
  // Without the value: a password may be in it.
  throw new UsageError(
    'HOLDFAST_LOCKS must be an odd number of Redis servers from three on, redis://[:password@]host:port (rediss:// with TLS) joined by commas, or zookeeper://host:port,host:port. Without it, locks are kept in the Redis of REDIS_URL.',
  );
}
