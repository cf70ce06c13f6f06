/** Redis over TLS: a Cluster and a master behind Sentinel, whose nodes tell where others are. One node each is enough. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { askRedis } from '../../../../infra/redis/resp.ts';
import { openRedis, type RedisTarget } from '../../../src/stock/redis/open-redis.ts';
import { TestAuthority } from '../../support/servers/certificates.ts';
import { newPassword, RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { sentinelServer } from '../../support/servers/redis-sentinel.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { serverFolder, TestServer } from '../../support/servers/test-server.ts';
import { until } from '../../support/servers/until.ts';

const READY_MS_MAX = 30_000;
const GROUP = 'holdfast';

describeWith(['redis'], 'Redis over TLS', () => {
  const servers: TestServer[] = [];
  let secure: ServerSettings;
  let tls: { ca: string };
  let other: { ca: string };

  beforeAll(async () => {
    const [authority, foreign] = [await TestAuthority.make('ours'), await TestAuthority.make('another')];
    const { certificate, key } = await authority.sign('IP:127.0.0.1');
    tls = { ca: authority.text() };
    other = { ca: foreign.text() };
    secure = {
      'tls-cert-file': certificate,
      'tls-key-file': key,
      'tls-ca-cert-file': authority.certificate,
      'tls-auth-clients': 'no',
    };
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  async function remembers(target: RedisTarget): Promise<void> {
    const connection = await openRedis(target, () => undefined);
    try {
      await connection.send('a', ['SET', 'a', 'kept']);
      expect(await connection.send('a', ['GET', 'a'])).toBe('kept');
      const heard = Promise.withResolvers<string>();
      await connection.subscribe('news', heard.resolve);
      await connection.send('news', ['PUBLISH', 'news', 'told']);
      expect(await heard.promise).toBe('told');
    } finally {
      await connection.close();
    }
  }

  it('as a Cluster', async () => {
    const securePort = String(await freePort());
    const cluster = {
      'cluster-enabled': 'yes',
      'cluster-port': String(await freePort()),
      // Nodes tell it to each other; this one has no other.
      'cluster-announce-ip': '127.0.0.1',
      'tls-cluster': 'yes',
      'tls-port': securePort,
    };
    const server = await startRedis({ settings: { ...secure, ...cluster } });
    servers.push(server);
    await server.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await until('the cluster is ok', READY_MS_MAX, async () =>
      /cluster_state:ok/.test(String(await server.ask('CLUSTER', 'INFO'))),
    );
    const url = `rediss://:${server.password}@127.0.0.1:${securePort}`;
    await remembers({ kind: 'cluster', urls: [url, url], tls });
    await expect(openRedis({ kind: 'cluster', urls: [url, url], tls: other }, () => undefined)).rejects.toMatchObject({
      code: 'REDIS_TLS',
    });
  });

  it('behind Sentinel', async () => {
    const [port, sentinelPort] = [await freePort(), await freePort()];
    const password = newPassword();
    const settings = { ...secure, 'tls-port': String(port), 'tls-replication': 'yes' };
    const place = { folder: serverFolder('redis'), port: await freePort(), password };
    const master = new RedisTestServer({ ...place, settings });
    const overTls = { ...secure, 'tls-port': String(sentinelPort), 'tls-replication': 'yes' };
    const lines = [
      ...Object.entries(overTls).map(([name, value]) => `${name} "${value}"`),
      `sentinel monitor ${GROUP} 127.0.0.1 ${port} 1`,
      `sentinel auth-pass ${GROUP} ${password}`,
    ];
    const sentinel = new TestServer(
      sentinelServer({ folder: serverFolder('sentinel'), port: await freePort(), lines }),
    );
    servers.push(master, sentinel);
    await master.start();
    await sentinel.start();
    await until('the master is up', READY_MS_MAX, async () => {
      const [info] = await askRedis({ port: sentinel.port, password: null }, ['INFO', 'sentinel']);
      return String(info).includes(`status=ok,address=127.0.0.1:${port}`);
    });
    const target = {
      kind: 'sentinel',
      group: GROUP,
      sentinels: [{ host: '127.0.0.1', port: sentinelPort }],
      password,
    } as const;
    await remembers({ ...target, tls });
    await expect(openRedis({ ...target, tls: other }, () => undefined)).rejects.toMatchObject({ code: 'REDIS_TLS' });
  });

  it('alone, and without TLS in the same process', async () => {
    const port = String(await freePort());
    const server = await startRedis({ settings: { ...secure, 'tls-port': port } });
    servers.push(server);
    await remembers({ kind: 'standalone', url: `rediss://:${server.password}@127.0.0.1:${port}`, tls });
    await remembers({ kind: 'standalone', url: server.url });
  });
});
