import { describe, expect, it } from 'vitest';
import { readClusterConfiguration } from '../../src/cli/cluster-configuration.ts';

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
