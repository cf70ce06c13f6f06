/** Why a first connection to Redis was not made, said to whoever starts a process. No password is repeated. */
import { EngineUnusable } from '../stock-engine.ts';
import type { RedisTarget } from './open-redis.ts';

/** Of `connect`: what its client threw. */
export function unreachableRedis(target: RedisTarget, error: Error): EngineUnusable {
  const { place, settings, password } = namesOf(target);
  const reason = error.message || error.constructor.name;
  if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(reason)) {
    return new EngineUnusable('REDIS_LOGIN_REFUSED', `${place} refused the login (${reason}). Check ${password}.`);
  }
  if (/cluster support disabled/.test(reason)) {
    return new EngineUnusable(
      'REDIS_IS_NO_CLUSTER',
      `${place} is no Redis Cluster, and ${settings} names several servers. Name one server, or the nodes of a Cluster.`,
    );
  }
  return new EngineUnusable(
    'REDIS_UNREACHABLE',
    `${place} cannot be reached: ${reason}. Start it, or correct ${settings}.`,
  );
}

function namesOf(target: RedisTarget): { place: string; settings: string; password: string } {
  switch (target.kind) {
    case 'standalone':
      return {
        place: `the Redis at ${new URL(target.url).host}`,
        settings: 'REDIS_URL (or REDIS_HOST and REDIS_PORT)',
        password: 'the user and password in REDIS_URL (or REDIS_PASSWORD)',
      };
    case 'cluster':
      return {
        place: `the Redis at ${target.urls.map((url) => new URL(url).host).join(', ')}`,
        settings: 'REDIS_URL',
        password: 'the user and password in REDIS_URL',
      };
    case 'sentinel':
      return {
        place: `the Redis group ${target.group} behind ${target.sentinels.map(({ host, port }) => `${host}:${port}`).join(', ')}`,
        settings: 'REDIS_SENTINELS and REDIS_SENTINEL_GROUP',
        password: 'REDIS_PASSWORD and REDIS_SENTINEL_PASSWORD',
      };
  }
}
