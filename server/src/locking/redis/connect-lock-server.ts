import { createClient } from 'redis';
import { serverNameOf, type TlsSettings, verificationBy } from '../../tls/tls-settings.ts';
import { answerWithin } from '../lease-time.ts';
import type { RedisLockServer } from './redis-lock-node.ts';

const CONNECT_MS_MAX = 1_000;
const RECONNECT_MS_MAX = 500;

/**
 * A connection for locks alone, so that they wait behind no other work. A server that is down is no error here: it is
 * connected to again and again, and asking it fails meanwhile. `tls`: of a `rediss://` URL.
 */
export async function connectLockServer(url: string, tls?: TlsSettings): Promise<RedisLockServer> {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: CONNECT_MS_MAX,
      reconnectStrategy: (tried) => Math.min(50 * 2 ** tried, RECONNECT_MS_MAX),
      ...securityOf(url, tls),
    },
  });
  // Each question that fails says why; between them nobody has to know.
  client.on('error', () => undefined);
  const connected = client.connect();
  await answerWithin(connected, CONNECT_MS_MAX, () => new Error('not yet')).catch(() => undefined);
  return { name: new URL(url).host, client, keyspaces: async () => [client], close: () => client.destroy() };
}

function securityOf(url: string, tls: TlsSettings = {}) {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'rediss:') return {};
  return { tls: true as const, ...verificationBy(tls), ...serverNameOf(hostname) };
}
