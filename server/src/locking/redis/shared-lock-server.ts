import type { RedisConnection, RedisNode } from '../../stock/redis/redis-connection.ts';
import type { KeyspaceClient, RedisLockServer } from './redis-lock-node.ts';

/** The Redis of the engine (one server, Sentinel group or Cluster), whose connection its owner closes. */
export function sharedLockServer(connection: RedisConnection, name: string): RedisLockServer {
  return {
    name,
    client: {
      eval: (script, { keys, arguments: args }) =>
        connection.send(keys[0] as string, ['EVAL', script, String(keys.length), ...keys, ...args]),
    },
    keyspaces: async () => (await connection.masters()).map(keyspaceOf),
    close: () => undefined,
  };
}

function keyspaceOf(node: RedisNode): KeyspaceClient {
  return {
    scan: async (cursor, { MATCH, COUNT }) => {
      const reply = await node.send(['SCAN', cursor, 'MATCH', MATCH, 'COUNT', String(COUNT)]);
      const [next, keys] = reply as [string, string[]];
      return { cursor: next, keys };
    },
  };
}
