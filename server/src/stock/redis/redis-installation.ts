/** Whether a Redis may be used: its version, its settings, and whose data it holds. Each refusal names the remedy. */
import { PARTITION_COUNT } from '../limits.ts';
import { EngineUnusable } from '../stock-engine.ts';
import type { RedisConnection, RedisNode } from './redis-connection.ts';

/** Functions, which the scripts are, came with it. */
const MAJOR_MIN = 7;

const MARKER_KEY = 'holdfast:installation';

/** How keys are spread over partitions; another one would look for them elsewhere. */
const PARTITION_HASH = 'fnv1a-32';

/**
 * Claims an empty Redis for an installation; one that is claimed must be this installation's.
 * @throws EngineUnusable
 */
export async function claimRedis(connection: RedisConnection, installationId: string): Promise<void> {
  for (const node of await connection.masters()) {
    await checkVersion(node);
    await checkMemory(node);
  }
  const own = JSON.stringify({ installationId, partitions: PARTITION_COUNT, hash: PARTITION_HASH });
  await connection.send(MARKER_KEY, ['SET', MARKER_KEY, own, 'NX']);
  const found = String(await connection.send(MARKER_KEY, ['GET', MARKER_KEY]));
  if (found !== own) throw foreign(found, own);
}

async function checkVersion(node: RedisNode): Promise<void> {
  const version = /^redis_version:(.*)$/m.exec(String(await node.send(['INFO', 'server'])))?.[1]?.trim() ?? 'unknown';
  if (Number(version.split('.')[0]) >= MAJOR_MIN) return;
  throw new EngineUnusable(
    'REDIS_TOO_OLD',
    `Redis is of version ${version}; Holdfast needs ${MAJOR_MIN}.0 or later. Upgrade the server that REDIS_URL names.`,
  );
}

async function checkMemory(node: RedisNode): Promise<void> {
  const info = String(await node.send(['INFO', 'memory']));
  const value = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim();
  const policy = value('maxmemory_policy');
  if (Number(value('maxmemory')) === 0 || policy === 'noeviction') return;
  throw new EngineUnusable(
    'REDIS_EVICTS',
    `Redis has maxmemory-policy ${policy}: when memory is short it would drop stock. ` +
      'Set maxmemory-policy noeviction in redis.conf (or CONFIG SET maxmemory-policy noeviction).',
  );
}

function foreign(found: string, own: string): EngineUnusable {
  return new EngineUnusable(
    'REDIS_OF_ANOTHER_INSTALLATION',
    `Redis holds the stock of another installation, or of another partitioning: its key ${MARKER_KEY} is ${found}, ` +
      `this one's is ${own}. Point REDIS_URL to a Redis of its own. If its data is of no use to anybody, empty it ` +
      '(FLUSHALL) and start again: the stock is filled from the ledger.',
  );
}
