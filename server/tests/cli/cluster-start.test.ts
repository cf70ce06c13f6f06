/** Starts of a node that cannot be: each names the setting and the remedy, and no password. */
import { tmpdir } from 'node:os';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readClusterConfiguration } from '../../src/cli/cluster-configuration.ts';
import { openClusterNode } from '../../src/compose-cluster.ts';
import { holdfast } from '../http/support/server-process.ts';
import { asAdmin } from '../support/mariadb-database.ts';
import { describeWith } from '../support/servers/servers.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { TestCluster } from '../support/test-cluster.ts';

const PASSWORD = 'a-password-that-nobody-may-see';
const NOWHERE = { host: '127.0.0.1', port: 1 };

type Environment = Record<string, string>;

describeWith(['redis', 'mariadb'], 'a node of a cluster does not start', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start();
    // The schema is made, and Redis is claimed.
    await started({});
  });
  afterAll(() => cluster.stop());

  async function started(change: Environment): Promise<void> {
    const { JWT_SECRET: secret = '', ...environment } = { ...cluster.environment(), ...change };
    const node = await openClusterNode({
      ...readClusterConfiguration({ ...environment, HOLDFAST_ROLES: 'api' }),
      tokenKey: new TextEncoder().encode(secret),
      spoolFolder: tmpdir(),
      log: pino({ level: 'silent' }),
    });
    await node.stop();
  }

  async function refusal(change: Environment): Promise<{ name: string; code: string; message: string }> {
    const found = await started(change).then(
      () => null,
      (error: Error & { code: string }) => error,
    );
    if (found === null) throw new Error('it was not refused');
    for (const secret of [...cluster.secrets, PASSWORD]) expect(found.message).not.toContain(secret);
    return found;
  }

  const withPassword = (url: string, password: string) => url.replace(/:[^:@]*@/, `:${password}@`);

  it('without Redis', async () => {
    const away = cluster.environment({ redis: NOWHERE });
    expect(await refusal(away)).toMatchObject({
      name: 'EngineUnusable',
      code: 'REDIS_UNREACHABLE',
      message: expect.stringMatching(/^the Redis at 127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED.*REDIS_URL/),
    });
  });

  it('with a password that Redis does not know, or none', async () => {
    const { REDIS_URL = '' } = cluster.environment();
    for (const url of [withPassword(REDIS_URL, PASSWORD), REDIS_URL.replace(/:[^:@]*@/, '')]) {
      expect(await refusal({ REDIS_URL: url })).toMatchObject({
        code: 'REDIS_LOGIN_REFUSED',
        message: expect.stringContaining('REDIS_URL'),
      });
    }
  });

  it('on one Redis as if it were a Cluster', async () => {
    const { REDIS_URL = '' } = cluster.environment();
    expect(await refusal({ REDIS_URL: `${REDIS_URL},${REDIS_URL}` })).toMatchObject({
      code: 'REDIS_IS_NO_CLUSTER',
      message: expect.stringContaining('REDIS_URL'),
    });
  });

  it('without the Sentinels that it is told of', async () => {
    const sentinels = { REDIS_URL: '', REDIS_SENTINELS: '127.0.0.1:1', REDIS_PASSWORD: PASSWORD };
    expect(await refusal(sentinels)).toMatchObject({
      code: 'REDIS_UNREACHABLE',
      message: expect.stringContaining('REDIS_SENTINELS'),
    });
  });

  it('on an old Redis', async () => {
    const proxy = await TcpProxy.to({ host: '127.0.0.1', port: cluster.redis.port });
    proxy.rewriteAnswer = (data) =>
      Buffer.from(data.toString('latin1').replace(/redis_version:\d\.\d/, 'redis_version:6.2'), 'latin1');
    try {
      expect(await refusal(cluster.environment({ redis: { host: '127.0.0.1', port: proxy.port } }))).toMatchObject({
        code: 'REDIS_TOO_OLD',
        message: expect.stringMatching(/6\.2.*needs 7\.0 or later.*REDIS_URL/),
      });
    } finally {
      await proxy.close();
    }
  });

  it('on a Redis that drops stock when memory is short', async () => {
    await cluster.redis.ask('CONFIG', 'SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru');
    try {
      expect(await refusal({})).toMatchObject({
        code: 'REDIS_EVICTS',
        message: expect.stringContaining('maxmemory-policy noeviction'),
      });
    } finally {
      await cluster.redis.ask('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    }
  });

  it('on the Redis of another installation, and of another partitioning', async () => {
    const own = String(await cluster.redis.ask('GET', 'holdfast:installation'));
    try {
      for (const [from, to] of [
        [/"installationId":"[^"]*"/, '"installationId":"another"'],
        [/"partitions":64/, '"partitions":128'],
        [/"hash":"[^"]*"/, '"hash":"crc16"'],
      ] as const) {
        await cluster.redis.ask('SET', 'holdfast:installation', own.replace(from, to));
        expect(await refusal({})).toMatchObject({
          code: 'REDIS_OF_ANOTHER_INSTALLATION',
          message: expect.stringContaining('REDIS_URL'),
        });
      }
    } finally {
      await cluster.redis.ask('SET', 'holdfast:installation', own);
    }
  });

  it('without its database', async () => {
    expect(await refusal(cluster.environment({ mariadb: NOWHERE }))).toMatchObject({
      code: 'LEDGER_UNREACHABLE',
      message: expect.stringMatching(/127\.0\.0\.1:1.*DB_HOST and DB_PORT/),
    });
  });

  it('with credentials that the database does not know', async () => {
    expect(await refusal({ DB_PASSWORD: PASSWORD })).toMatchObject({
      code: 'LEDGER_LOGIN_REFUSED',
      message: expect.stringContaining('DB_USERNAME and DB_PASSWORD'),
    });
  });

  it('on a database that loses commits in a power cut', async () => {
    await asAdmin(cluster.mariadb, ['set global innodb_flush_log_at_trx_commit = 2']);
    try {
      expect(await refusal({})).toMatchObject({
        code: 'LEDGER_SERVER_SETTINGS',
        message: expect.stringContaining('"innodb_flush_log_at_trx_commit = 1"'),
      });
    } finally {
      await asAdmin(cluster.mariadb, ['set global innodb_flush_log_at_trx_commit = 1']);
    }
  });

  it.each([
    {
      what: 'ledger',
      plant: "insert into kysely_migration (name, timestamp) values ('9999_later', 'now')",
      undo: "delete from kysely_migration where name = '9999_later'",
      code: 'LEDGER_TOO_NEW',
    },
    {
      what: 'tables for reading',
      plant: "update projections set version = version + 1000 where name = 'levels'",
      undo: "update projections set version = version - 1000 where name = 'levels'",
      code: 'PROJECTIONS_TOO_NEW',
    },
  ])('on a $what of a newer version', async ({ plant, undo, code }) => {
    await asAdmin(cluster.mariadb, [plant]);
    try {
      expect(await refusal({})).toMatchObject({ code, message: expect.stringMatching(/newer version.*Start that/) });
    } finally {
      await asAdmin(cluster.mariadb, [undo]);
    }
  });

  it('by the command line, which says it in a line', async () => {
    const { REDIS_URL = '', ...rest } = cluster.environment();
    const environment = {
      ...rest,
      REDIS_URL: withPassword(REDIS_URL, PASSWORD),
      HOLDFAST_LOG: 'warn',
      HOLDFAST_PORT: '0',
    };
    const { code, stdout, stderr } = await holdfast(['serve'], environment);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^holdfast: the Redis at 127\.0\.0\.1:\d+ refused the login \(WRONGPASS[^\n]*REDIS_URL[^\n]*\n$/,
    );
    expect(stderr).not.toContain(PASSWORD);
  });
});
