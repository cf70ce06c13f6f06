import { createClient } from 'redis';
import { answerWithin } from '../lease-time.ts';
import type { RedisLockServer } from './redis-lock-node.ts';

const CONNECT_MS_MAX = 1_000;
const RECONNECT_MS_MAX = 500;

/**
 * A connection for locks alone, so that they wait behind no other work. A server that is down is no error here: it is
 * connected to again and again, and asking it fails meanwhile.
 */
export async function connectLockServer(url: string): Promise<RedisLockServer> {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: CONNECT_MS_MAX,
      reconnectStrategy: (tried) => Math.min(50 * 2 ** tried, RECONNECT_MS_MAX),
    },
  });
  // Each question that fails says why; between them nobody has to know.
  client.on('error', () => undefined);
  const connected = client.connect();
  await answerWithin(connected, CONNECT_MS_MAX, () => new Error('not yet')).catch(() => undefined);
  return { name: new URL(url).host, client, keyspaces: async () => [client], close: () => client.destroy() };
}
