import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readClusterConfiguration } from '../../src/cli/cluster-configuration.ts';
import { type CertificateFiles, TestAuthority } from '../support/servers/certificates.ts';

const COMPLETE = {
  REDIS_URL: 'redis://:pw@127.0.0.1:6380',
  DB_USERNAME: 'holdfast',
  DB_PASSWORD: 'pw',
  KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9092',
};

describe('the settings of a cluster', () => {
  it('have the defaults of the contract', () => {
    expect(readClusterConfiguration({ ...COMPLETE, HOLDFAST_NODE: 'n1' })).toEqual({
      node: 'n1',
      roles: new Set(['api', 'recorder', 'projector', 'relay', 'consumers', 'scheduler']),
      redis: { kind: 'standalone', url: 'redis://:pw@127.0.0.1:6380' },
      database: { host: 'localhost', port: 3306, database: 'commerce-inventory', user: 'holdfast', password: 'pw' },
      kafka: { brokers: ['127.0.0.1:9092'], groupId: 'holdfast' },
      topics: { prefix: undefined, map: undefined },
      outbox: 'relay',
      locks: { kind: 'redis' },
      poisonRebuildsMax: 1,
      events: { earlyEventWaitMs: 30_000, keysFile: null, plainMessages: 'accepted', schemaRegistryUrl: null },
    });
  });

  it('know Redis by its host, as a Cluster, and behind Sentinel', () => {
    const { REDIS_URL: _, ...rest } = COMPLETE;
    expect(readClusterConfiguration({ ...rest, REDIS_HOST: 'r', REDIS_PASSWORD: 'a/b' }).redis).toEqual({
      kind: 'standalone',
      url: 'redis://:a%2Fb@r:6379',
    });
    expect(readClusterConfiguration({ ...rest, REDIS_URL: 'redis://a:1, redis://b:2' }).redis).toEqual({
      kind: 'cluster',
      urls: ['redis://a:1', 'redis://b:2'],
    });
    expect(readClusterConfiguration({ ...rest, REDIS_SENTINELS: 'a:1,b' }).redis).toEqual({
      kind: 'sentinel',
      group: 'mymaster',
      sentinels: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
    });
  });

  it('take the names of the original documents for Kafka, and need none without its roles', () => {
    const { KAFKA_BOOTSTRAP_SERVERS: _, ...rest } = COMPLETE;
    expect(readClusterConfiguration({ ...rest, SPRING_KAFKA_BOOTSTRAP_SERVERS: 'k:1,k:2' }).kafka?.brokers).toEqual([
      'k:1',
      'k:2',
    ]);
    expect(readClusterConfiguration(rest, 'api,recorder').kafka).toBeNull();
  });

  it.each([
    [{ REDIS_URL: '' }, /^REDIS_URL is not set.*infra:up/],
    [{ REDIS_URL: 'http://secret@host' }, /^REDIS_URL must be of the form redis:/],
    [{ DB_USERNAME: '' }, /^DB_USERNAME is not set/],
    [{ DB_PASSWORD: '' }, /^DB_PASSWORD is not set/],
    [{ DB_PORT: '0' }, /^DB_PORT is "0", but it must be a port from 1 to 65535/],
    [{ KAFKA_BOOTSTRAP_SERVERS: '' }, /^KAFKA_BOOTSTRAP_SERVERS is not set/],
    [{ KAFKA_BOOTSTRAP_SERVERS: 'a:b' }, /^KAFKA_BOOTSTRAP_SERVERS is "a:b"/],
    [{ REDIS_SENTINELS: '::' }, /^REDIS_SENTINELS is "::"/],
    [{ OUTBOX: 'table' }, /^OUTBOX is "table".*relay.*debezium/],
    [{ OUTBOX: 'debezium', EVENT_KEYS_FILE: 'keys.json' }, /^EVENT_KEYS_FILE encrypts what the relay publishes/],
    [{ HOLDFAST_ROLES: 'api,cook' }, /^HOLDFAST_ROLES is "api,cook".*projector/],
    [{ HOLDFAST_NODE: 'a:b' }, /^HOLDFAST_NODE is "a:b"/],
    [{ POISON_REBUILDS_MAX: '-1' }, /^POISON_REBUILDS_MAX is "-1"/],
  ])('refuse %j', (change, message) => {
    expect(() => readClusterConfiguration({ ...COMPLETE, ...change })).toThrow(message);
  });

  it('never repeat a password', () => {
    expect(() => readClusterConfiguration({ ...COMPLETE, REDIS_URL: 'amqp://:geheim@host' })).toThrow(
      /^(?!.*geheim).*$/,
    );
  });
});

describe('TLS and logins of a cluster', () => {
  const { REDIS_URL: _, ...withoutRedis } = COMPLETE;
  const text = (path: string) => readFileSync(path, 'utf8');
  let own: CertificateFiles;
  let others: CertificateFiles;
  let ca = '';
  let folder = '';
  let rubbish = '';

  beforeAll(async () => {
    const authority = await TestAuthority.make('an authority');
    [own, others] = [await authority.sign('DNS:own'), await authority.sign('DNS:others')];
    ca = authority.certificate;
    folder = mkdtempSync(join(tmpdir(), 'holdfast-settings-'));
    rubbish = join(folder, 'rubbish.pem');
    writeFileSync(rubbish, '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are read with their files', () => {
    const { kafka, database, redis } = readClusterConfiguration({
      ...COMPLETE,
      KAFKA_TLS: 'on',
      KAFKA_TLS_CA_FILE: ca,
      KAFKA_TLS_CERT_FILE: own.certificate,
      KAFKA_TLS_KEY_FILE: own.key,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256',
      KAFKA_USERNAME: 'u',
      KAFKA_PASSWORD: 'p',
      DB_TLS: 'on',
      REDIS_URL: 'rediss://r',
      REDIS_TLS_CA_FILE: ca,
    });
    expect(kafka).toEqual({
      brokers: ['127.0.0.1:9092'],
      groupId: 'holdfast',
      tls: { ca: text(ca), client: { certificate: text(own.certificate), key: text(own.key) } },
      login: { mechanism: 'SCRAM-SHA-256', username: 'u', password: 'p' },
    });
    expect(database.tls).toEqual({});
    expect(redis).toEqual({ kind: 'standalone', url: 'rediss://r', tls: { ca: text(ca) } });
  });

  it('are known of Redis by its host, behind Sentinel, and of the servers of locks', () => {
    const on = { ...withoutRedis, REDIS_TLS: 'on' };
    expect(readClusterConfiguration({ ...on, REDIS_HOST: 'r' }).redis).toEqual({
      kind: 'standalone',
      url: 'rediss://r:6379',
      tls: {},
    });
    const behind = { ...on, REDIS_SENTINELS: 's', REDIS_TLS_CA_FILE: ca };
    expect(readClusterConfiguration(behind).redis).toMatchObject({ kind: 'sentinel', tls: { ca: text(ca) } });
    const locks = { HOLDFAST_LOCKS: 'rediss://a,rediss://b,rediss://c', REDIS_TLS_CA_FILE: ca };
    expect(readClusterConfiguration({ ...COMPLETE, ...locks })).toMatchObject({
      redis: { kind: 'standalone', url: COMPLETE.REDIS_URL },
      locks: { kind: 'redlock', tls: { ca: text(ca) } },
    });
  });

  it('are not read where no role needs Kafka', () => {
    expect(readClusterConfiguration({ ...COMPLETE, KAFKA_TLS: 'perhaps' }, 'api').kafka).toBeNull();
  });

  const refused: [string, () => Record<string, string>, RegExp][] = [
    ['another word', () => ({ KAFKA_TLS: 'yes' }), /^KAFKA_TLS is "yes", but it must be on or off/],
    ['another word', () => ({ DB_TLS: 'true' }), /^DB_TLS is "true", but it must be on or off/],
    ['a file without TLS', () => ({ KAFKA_TLS_CA_FILE: ca }), /^KAFKA_TLS_CA_FILE is set, but KAFKA_TLS is off/],
    ['a file without TLS', () => ({ DB_TLS_CA_FILE: ca }), /^DB_TLS_CA_FILE is set, but DB_TLS is off/],
    ['a file without TLS', () => ({ REDIS_TLS_CA_FILE: ca }), /^REDIS_TLS_CA_FILE is set, but .*rediss:/],
    [
      'no such file',
      () => ({ DB_TLS: 'on', DB_TLS_CA_FILE: '/none' }),
      /^DB_TLS_CA_FILE names \/none, which cannot be read/,
    ],
    [
      'a key for authorities',
      () => ({ DB_TLS: 'on', DB_TLS_CA_FILE: own.key }),
      /^DB_TLS_CA_FILE.*certificates in PEM/,
    ],
    ['rubbish', () => ({ KAFKA_TLS: 'on', KAFKA_TLS_CA_FILE: rubbish }), /^KAFKA_TLS_CA_FILE.*certificates in PEM/],
    ['no key', () => kafkaFiles(own.certificate, ''), /^KAFKA_TLS_CERT_FILE is set, but KAFKA_TLS_KEY_FILE is not/],
    ['a key alone', () => kafkaFiles('', own.key), /^KAFKA_TLS_KEY_FILE is set, but KAFKA_TLS_CERT_FILE is not/],
    ['a certificate for a key', () => kafkaFiles(own.certificate, ca), /^KAFKA_TLS_KEY_FILE.*a private key in PEM/],
    ["another one's key", () => kafkaFiles(own.certificate, others.key), /^KAFKA_TLS_KEY_FILE.*not the key of/],
    [
      'an unknown mechanism',
      () => login('MD5', 'u', 'p'),
      /^KAFKA_SASL_MECHANISM is "MD5".*PLAIN, SCRAM-SHA-256, SCRAM/,
    ],
    ['a user alone', () => login('', 'u', 'p'), /^KAFKA_USERNAME is set, but KAFKA_SASL_MECHANISM is not/],
    ['a password alone', () => login('', '', 'p'), /^KAFKA_PASSWORD is set, but KAFKA_SASL_MECHANISM is not/],
    ['no user', () => login('PLAIN', '', 'p'), /^KAFKA_USERNAME is not set/],
    ['no password', () => login('PLAIN', 'u', ''), /^KAFKA_PASSWORD is not set/],
    ['TLS that the URL denies', () => ({ REDIS_TLS: 'on' }), /^REDIS_TLS is on, but REDIS_URL begins with redis:/],
    ['some nodes with it', () => ({ REDIS_URL: 'redis://a,rediss://b' }), /^REDIS_URL must name all nodes/],
  ];

  const kafkaFiles = (certificate: string, key: string) => ({
    KAFKA_TLS: 'on',
    KAFKA_TLS_CERT_FILE: certificate,
    KAFKA_TLS_KEY_FILE: key,
  });
  const login = (mechanism: string, username: string, password: string) => ({
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_USERNAME: username,
    KAFKA_PASSWORD: password,
  });

  it.each(refused)('refuse %s', (_what, change, message) => {
    expect(() => readClusterConfiguration({ ...COMPLETE, ...change() })).toThrow(message);
  });
});
