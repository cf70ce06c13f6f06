/** A node whose servers are spoken to over TLS alone: it does all that it does elsewhere, and believes no other server. */
import { tmpdir } from 'node:os';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { RunningApplication } from '../../../src/application.ts';
import { readClusterConfiguration } from '../../../src/cli/cluster-configuration.ts';
import { openClusterNode } from '../../../src/compose-cluster.ts';
import { KafkaTopics } from '../../../src/events/kafka/kafka-topics.ts';
import { TopicNames } from '../../../src/events/topics.ts';
import { MariadbPool } from '../../../src/ledger/mariadb/mariadb-pool.ts';
import { connectLockServer } from '../../../src/locking/redis/connect-lock-server.ts';
import { RedisLock } from '../../../src/locking/redis/redis-lock.ts';
import { reservationIdOfOrder } from '../../../src/stock/identifiers.ts';
import { eventOf, readTopics } from '../../events/kafka/topic-reader.ts';
import { SecureCluster } from '../../support/secure-cluster.ts';
import { TestAuthority } from '../../support/servers/certificates.ts';
import { LOGIN_MS } from '../../support/servers/kafka.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from '../../support/servers/until.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { ServedNode } from '../support/served-node.ts';
import { HQ, OrderSender, placed } from './support/order-events.ts';

const SECOND = 1_000;
const EFFECT_MS_MAX = 30 * SECOND;
const WRONG = 'a-password-that-nobody-may-see';
/** A broker that ends a connection may do so before what it said of it has arrived. */
const orGone = (reason: string) => new RegExp(`${reason}|ECONNRESET|EPIPE|Connection closed`);
vi.setConfig({ testTimeout: 60 * SECOND, hookTimeout: 90 * SECOND });

type Environment = Record<string, string>;

describeWith(['redis', 'mariadb', 'kafka'], 'servers that are spoken to over TLS', () => {
  let cluster: SecureCluster;
  let settings: Environment;
  /** Of an authority that nobody trusts. */
  let foreign: { CA: string; CERT: string; KEY: string };
  let plain: Environment;

  beforeAll(async () => {
    cluster = await SecureCluster.start();
    settings = cluster.environment();
    const authority = await TestAuthority.make('another authority');
    const { certificate, key } = await authority.sign('DNS:a-stranger');
    foreign = { CA: authority.certificate, CERT: certificate, KEY: key };
    plain = { KAFKA_TLS: 'off', KAFKA_TLS_CA_FILE: '', KAFKA_TLS_CERT_FILE: '', KAFKA_TLS_KEY_FILE: '' };
  });
  afterAll(() => cluster?.stop());

  const atAddress = (url = '') => url.replace('localhost', '127.0.0.1');
  const noSecretIn = (text: string) => {
    for (const secret of [...cluster.secrets, WRONG]) expect(text).not.toContain(secret);
  };

  it('serve a node that sells, publishes and takes orders, also when logins run out', async () => {
    const kafka = cluster.servers.kafka?.bootstrapServers as string;
    const node = await ServedNode.open(cluster.servers, { node: 'one', environment: settings });
    const shop = new OrderSender(kafka);
    try {
      await node.untilReady();
      await node.stockUp();
      const orderIds: string[] = [];
      const startedAt = performance.now();
      while (performance.now() - startedAt < 2 * LOGIN_MS) {
        const orderId = `order-${orderIds.push('') - 1}`;
        orderIds[orderIds.length - 1] = orderId;
        await shop.send([placed(orderId)]);
        expect((await node.reserve(`sale-${orderId}`)).status).toBe(201);
        await until(`${orderId} is reserved`, EFFECT_MS_MAX, async () => {
          const reply = await node.ask('GET', `/api/v1/inventory/reserve/${reservationIdOfOrder(HQ, orderId)}`);
          return reply.status === 200;
        });
      }
      const published = await readTopics(kafka, ['stock.reserved'], (all) => all.length === 2 * orderIds.length);
      expect(new Set(published.map((message) => eventOf(message).id)).size).toBe(published.length);
      expect(node.application.readiness()).toEqual({ ready: true, reasons: [], degraded: [] });
    } finally {
      await shop.close();
      await node.stop();
    }
  });

  const databaseAndRedis: [string, () => Environment, object][] = [
    ['the database, of a foreign authority', () => ({ DB_TLS_CA_FILE: foreign.CA }), untrusted('LEDGER_TLS', 'DB_')],
    ['the database, of no authority that all know', () => ({ DB_TLS_CA_FILE: '' }), untrusted('LEDGER_TLS', 'DB_')],
    ['the database, by another name', () => ({ DB_HOST: '127.0.0.1' }), otherName('LEDGER_TLS')],
    [
      'the database, without TLS',
      () => ({ DB_TLS: 'off', DB_TLS_CA_FILE: '' }),
      { code: 'LEDGER_LOGIN_REFUSED', message: expect.stringContaining('DB_TLS') },
    ],
    ['Redis, of a foreign authority', () => ({ REDIS_TLS_CA_FILE: foreign.CA }), untrusted('REDIS_TLS', 'REDIS_')],
    ['Redis, of no authority that all know', () => ({ REDIS_TLS_CA_FILE: '' }), untrusted('REDIS_TLS', 'REDIS_')],
    ['Redis, by another name', () => ({ REDIS_URL: atAddress(settings.REDIS_URL) }), otherName('REDIS_TLS')],
  ];

  it.each(databaseAndRedis)('are not believed: %s', async (_what, change, expected) => {
    const refused = await open(change()).then(
      () => null,
      (error: Error) => error,
    );
    expect(refused).toMatchObject(expected);
    noSecretIn(refused?.message ?? '');
  });

  const kafka: [string, () => Environment, RegExp][] = [
    ['of a foreign authority', () => ({ KAFKA_TLS_CA_FILE: foreign.CA }), /no authority that we trust.*KAFKA_TLS/],
    ['of no authority that all know', () => ({ KAFKA_TLS_CA_FILE: '' }), /no authority that we trust.*KAFKA_TLS/],
    [
      'by another name',
      () => ({ KAFKA_BOOTSTRAP_SERVERS: atAddress(settings.KAFKA_BOOTSTRAP_SERVERS) }),
      /another name/,
    ],
    [
      'without our certificate',
      () => ({ KAFKA_TLS_CERT_FILE: '', KAFKA_TLS_KEY_FILE: '' }),
      orGone('it refuses our certificate, or wants one'),
    ],
    [
      'with a foreign one',
      () => ({ KAFKA_TLS_CERT_FILE: foreign.CERT, KAFKA_TLS_KEY_FILE: foreign.KEY }),
      orGone('it refuses our certificate'),
    ],
    ['without TLS', () => plain, orGone('amid the login: if it wants TLS, set KAFKA_TLS=on')],
    ['without TLS, nor a login', () => ({ ...plain, ...login('', '') }), orGone('it wants TLS: set KAFKA_TLS=on')],
    ['where it speaks none', () => ({ KAFKA_BOOTSTRAP_SERVERS: kafkaInPlain() }), orGone('it speaks no TLS there')],
    ['where it asks for no login', () => ({ ...plain, KAFKA_BOOTSTRAP_SERVERS: kafkaInPlain() }), /asks for no login/],
    ['by PLAIN, with a wrong password', () => login('PLAIN', WRONG), /refuses the login: check .*KAFKA_PASSWORD/],
    ['by SCRAM-SHA-256, with a wrong password', () => login('SCRAM-SHA-256', WRONG), /refuses the login/],
    ['by SCRAM-SHA-512, with a wrong password', () => login('SCRAM-SHA-512', WRONG), /refuses the login/],
  ];

  it.each(kafka)('are told of, Kafka %s', async (_what, change, problem) => {
    const lines: string[] = [];
    const topics = topicsOf(change(), lines);
    await topics.start();
    await topics.close();
    expect(topics.problem).toMatch(problem);
    expect(lines).toEqual([expect.stringMatching(problem)]);
    noSecretIn(lines.join());
  });

  it('end no process when they end a connection amid a login', async () => {
    const [host = '', port] = kafkaInPlain().split(':');
    const proxy = await TcpProxy.to({ host, port: Number(port) });
    proxy.onClientData = (_data, pair) => pair.reset();
    const topics = topicsOf({ ...plain, KAFKA_BOOTSTRAP_SERVERS: `${host}:${proxy.port}` }, []);
    try {
      await topics.start();
      expect(topics.problem).toMatch(/ECONNRESET/);
    } finally {
      await topics.close();
      await proxy.close();
    }
  });

  it.each(['PLAIN', 'SCRAM-SHA-256'])('let us in by %s', async (mechanism) => {
    const topics = topicsOf({ KAFKA_SASL_MECHANISM: mechanism }, []);
    await topics.start();
    await topics.close();
    expect(topics.problem).toBeNull();
  });

  it('serve a node that Kafka does not let in, which says so', async () => {
    const lines: string[] = [];
    const node = await open({ KAFKA_PASSWORD: WRONG, HOLDFAST_ROLES: '' }, lines);
    try {
      await until('it says so', EFFECT_MS_MAX, async () => {
        const { ready, degraded } = node.readiness();
        const told = degraded.filter((reason) => /Kafka .* it refuses the login: check KAFKA_USERNAME/.test(reason));
        return ready && told.length === 2;
      });
    } finally {
      await node.stop();
    }
    expect(lines.filter((line) => line.includes('it refuses the login'))).toHaveLength(1);
    noSecretIn(lines.join());
  });

  it.each([
    ['PLAIN', /the password of KAFKA_USERNAME and all that goes to Kafka can be read/],
    ['SCRAM-SHA-256', /"all that goes to Kafka can be read on its way: set KAFKA_TLS=on/],
  ])('make a node warn that logs in by %s without them', async (mechanism, warning) => {
    const lines: string[] = [];
    const node = await open({ ...plain, KAFKA_SASL_MECHANISM: mechanism, HOLDFAST_ROLES: 'relay' }, lines);
    await node.stop();
    expect(lines.join()).toMatch(warning);
    noSecretIn(lines.join());
  });

  it('cut off a statement that takes too long, or die amid one, and go on', async () => {
    const pool = new MariadbPool(readClusterConfiguration(settings).database, { autocommit: true, connectionsMax: 2 });
    const { mariadb } = cluster.servers;
    const waiting = (ms: number) => pool.use((connection) => connection.query('select sleep(30)'), ms);
    try {
      await expect(waiting(SECOND)).rejects.toMatchObject({
        name: 'LedgerUnavailable',
        message: expect.stringContaining('no answer within 1000 ms'),
      });
      await Promise.all([pool.read('select 1'), pool.read('select 2')]);
      const amid = expect(waiting(30 * SECOND)).rejects.toMatchObject({ name: 'LedgerUnavailable' });
      await mariadb.kill();
      await amid;
      await mariadb.start();
      const [row] = await pool.read<{ Value: string }>("show status like 'Ssl_version'");
      expect(row?.Value).toMatch(/^TLSv1\.[23]$/);
    } finally {
      await pool.close();
    }
  });

  it('keep locks', async () => {
    const { REDIS_URL: url = '' } = settings;
    const { tls } = readClusterConfiguration(settings).redis;
    const lock = new RedisLock(await connectLockServer(url, tls));
    expect(await lock.holders()).toEqual(expect.any(Array));
    await lock.close();
    const stranger = new RedisLock(await connectLockServer(url));
    await expect(stranger.holders()).rejects.toMatchObject({ name: 'LockUnavailable' });
    await stranger.close();
  });

  function untrusted(code: string, settingsOf: string): object {
    const message = expect.stringMatching(new RegExp(`no authority that we trust.*${settingsOf}TLS_CA_FILE`));
    return { code, message };
  }

  function otherName(code: string): object {
    return { code, message: expect.stringMatching(/for another name \(IP: 127\.0\.0\.1 is not in/) };
  }

  function login(mechanism: string, password: string): Environment {
    const KAFKA_USERNAME = mechanism === '' ? '' : (settings.KAFKA_USERNAME as string);
    return { KAFKA_SASL_MECHANISM: mechanism, KAFKA_USERNAME, KAFKA_PASSWORD: password };
  }

  function kafkaInPlain(): string {
    return cluster.servers.kafka?.bootstrapServers as string;
  }

  function topicsOf(change: Environment, lines: string[]): KafkaTopics {
    const { kafka: access } = readClusterConfiguration({ ...settings, ...change });
    if (access === null) throw new Error('it has a role that needs Kafka');
    const log = { info: () => undefined, warn: (line: string) => lines.push(line) };
    return new KafkaTopics({ kafka: access, names: new TopicNames({ prefix: undefined, map: undefined }), log });
  }

  function open(change: Environment, lines: string[] = []): Promise<RunningApplication> {
    return openClusterNode({
      ...readClusterConfiguration({ ...settings, HOLDFAST_ROLES: 'api', ...change }),
      tokenKey: new TextEncoder().encode(cluster.servers.secret),
      spoolFolder: tmpdir(),
      log: pino({ level: 'trace' }, { write: (line: string) => lines.push(line) }),
    });
  }
});
