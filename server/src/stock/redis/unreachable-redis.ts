/** Why a first connection to Redis was not made, said to whoever starts a process. No password is repeated. */
import { tlsFault } from '../../tls/tls-faults.ts';
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
  const fault = tlsFault(error);
  if (fault !== null) {
    return new EngineUnusable(
      'REDIS_TLS',
      `${place} is not spoken to: ${fault}. Check REDIS_TLS_CA_FILE, and that ${settings} names it as its certificate does.`,
    );
  }
  return new EngineUnusable(
    'REDIS_UNREACHABLE',
    `${place} cannot be reached: ${reason}. Start it, or correct ${settings}${hintOf(target, reason)}.`,
  );
}

/** What is said to one who speaks TLS, or does not, is not understood: connections break, or nothing comes. */
function hintOf({ tls }: RedisTarget, reason: string): string {
  if (!/ECONNRESET|closed unexpectedly|timeout/.test(reason)) return '';
  return tls === undefined
    ? '; if it wants TLS: rediss:// (REDIS_TLS=on)'
    : '; if it speaks no TLS: redis:// (REDIS_TLS=off)';
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
