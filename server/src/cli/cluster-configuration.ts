/** What the environment says of the servers of a cluster, and of this node's part in it. */
import { hostname } from 'node:os';
import type { KafkaSettings } from '../compose-cluster-kafka.ts';
import type { LockServers } from '../compose-locks.ts';
import { PROCESS_ROLES, type ProcessRole } from '../process-roles.ts';
import type { TlsSettings } from '../tls/tls-settings.ts';
import {
  type Environment,
  given,
  type HostAndPort,
  hostAndPort,
  isRedisUrl,
  isTlsUrl,
  portOf,
  wrong,
} from './environment.ts';
import { type EventConfiguration, readEventConfiguration } from './event-configuration.ts';
import { UsageError } from './failures.ts';
import { kafkaOf } from './kafka-configuration.ts';
import { lockServersOf } from './lock-servers.ts';
import { databaseTlsOf, isOn, redisTlsOf } from './tls-configuration.ts';

const REDIS_PORT_DEFAULT = '6379';
const SENTINEL_PORT_DEFAULT = '26379';
const DB_NAME_DEFAULT = 'commerce-inventory';
/** Marks a node in owner rows and locks; no separator of either may be in it. */
const NODE = /^[A-Za-z0-9._-]{1,64}$/;

export type RedisSettings =
  | { kind: 'standalone'; url: string; tls?: TlsSettings }
  | { kind: 'cluster'; urls: string[]; tls?: TlsSettings }
  | {
      kind: 'sentinel';
      group: string;
      sentinels: HostAndPort[];
      password?: string;
      sentinelPassword?: string;
      tls?: TlsSettings;
    };

export interface DatabaseSettings extends HostAndPort {
  database: string;
  user: string;
  password: string;
  tls?: TlsSettings;
}

export interface ClusterConfiguration {
  node: string;
  roles: ReadonlySet<ProcessRole>;
  redis: RedisSettings;
  database: DatabaseSettings;
  /** Null: no role of this node needs Kafka. */
  kafka: KafkaSettings['kafka'];
  topics: { prefix: string | undefined; map: string | undefined };
  outbox: 'relay' | 'debezium';
  locks: LockServers;
  /** Rejected entries of one partition within ten minutes after which it waits for an operator. */
  poisonRebuildsMax: number;
  events: EventConfiguration;
}

/**
 * `roles`: what `--roles` says; it wins over `HOLDFAST_ROLES`.
 * @throws UsageError that names the variable and what it may be
 */
export function readClusterConfiguration(environment: Environment, roles?: string): ClusterConfiguration {
  const chosen = rolesOf(environment, roles);
  return {
    node: nodeOf(environment),
    roles: chosen,
    redis: redisOf(environment),
    database: databaseOf(environment),
    kafka: chosen.has('relay') || chosen.has('consumers') ? kafkaOf(environment) : null,
    topics: { prefix: given(environment, 'TOPIC_PREFIX'), map: given(environment, 'TOPIC_MAP') },
    outbox: outboxOf(environment),
    locks: lockServersOf(environment),
    poisonRebuildsMax: poisonRebuildsOf(environment),
    events: readEventConfiguration(environment),
  };
}

/** @throws UsageError that names the variable and what it may be */
export function databaseOf(environment: Environment): DatabaseSettings {
  const tls = databaseTlsOf(environment);
  return {
    host: given(environment, 'DB_HOST') ?? 'localhost',
    port: portOf(environment, 'DB_PORT', 3306),
    database: given(environment, 'DB_NAME') ?? DB_NAME_DEFAULT,
    user: required(environment, 'DB_USERNAME', 'the user that owns the tables'),
    password: required(environment, 'DB_PASSWORD', 'the password of that user'),
    ...(tls === undefined ? {} : { tls }),
  };
}

function required(environment: Environment, variable: string, what: string): string {
  const value = given(environment, variable);
  if (value !== undefined) return value;
  throw new UsageError(
    `${variable} is not set: in cluster mode it must be ${what}. \`npm run infra:up\` starts servers on this machine and writes all settings to .infra/env.`,
  );
}

function rolesOf(environment: Environment, option: string | undefined): ReadonlySet<ProcessRole> {
  const name = option === undefined ? 'HOLDFAST_ROLES' : '--roles';
  const value = option ?? given(environment, 'HOLDFAST_ROLES');
  if (value === undefined) return new Set(PROCESS_ROLES);
  const roles = value.split(',').map((role) => role.trim());
  const unknown = roles.find((role) => !(PROCESS_ROLES as readonly string[]).includes(role));
  if (unknown !== undefined) throw wrong(name, value, `some of ${PROCESS_ROLES.join(',')}, joined by commas`);
  return new Set(roles as ProcessRole[]);
}

function nodeOf(environment: Environment): string {
  const value = given(environment, 'HOLDFAST_NODE');
  if (value === undefined)
    return `${hostname()
      .replaceAll(/[^A-Za-z0-9.-]/g, '-')
      .slice(0, 48)}-${process.pid}`;
  if (NODE.test(value)) return value;
  throw wrong('HOLDFAST_NODE', value, '1 to 64 characters of A-Z a-z 0-9 . _ -, another for each node');
}

/** @throws UsageError that names the variable and what it may be */
export function redisOf(environment: Environment): RedisSettings {
  const redis = redisWithoutTlsOf(environment);
  const overTls = redis.kind === 'sentinel' ? isOn(environment, 'REDIS_TLS') : urlsOf(redis).some(isTlsUrl);
  if (overTls) return { ...redis, tls: redisTlsOf(environment) };
  if (given(environment, 'REDIS_TLS_CA_FILE') === undefined || hasLocksOverTls(environment)) return redis;
  throw new UsageError(
    'REDIS_TLS_CA_FILE is set, but Redis is spoken to without TLS: write rediss:// instead of redis:// in REDIS_URL, set REDIS_TLS=on where there is none, or leave REDIS_TLS_CA_FILE out.',
  );
}

function redisWithoutTlsOf(environment: Environment): RedisSettings {
  const sentinels = given(environment, 'REDIS_SENTINELS');
  if (sentinels !== undefined) return sentinelOf(environment, sentinels);
  const url = given(environment, 'REDIS_URL');
  if (url !== undefined) return redisAt(environment, url);
  const host = given(environment, 'REDIS_HOST');
  if (host === undefined) {
    throw new UsageError(
      'REDIS_URL is not set: in cluster mode it must be where Redis is, such as redis://:password@localhost:6379 (of a Redis Cluster several, joined by commas), or REDIS_HOST its host. `npm run infra:up` starts one on this machine and writes all settings to .infra/env.',
    );
  }
  const password = given(environment, 'REDIS_PASSWORD');
  const scheme = isOn(environment, 'REDIS_TLS') ? 'rediss' : 'redis';
  const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return { kind: 'standalone', url: `${scheme}://${credentials}${host}:${portOf(environment, 'REDIS_PORT', 6379)}` };
}

function redisAt(environment: Environment, value: string): RedisSettings {
  const urls = value.split(',').map((url) => url.trim());
  if (!urls.every(isRedisUrl)) {
    // Without the value: a password may be in it.
    throw new UsageError(
      `REDIS_URL must be of the form redis://[user:password@]host[:${REDIS_PORT_DEFAULT}] (rediss:// with TLS), several of a Redis Cluster joined by commas.`,
    );
  }
  const plain = urls.filter((url) => !isTlsUrl(url)).length;
  if (plain > 0 && plain < urls.length)
    throw new UsageError('REDIS_URL must name all nodes of a Cluster by redis://, or all by rediss:// (with TLS).');
  if (plain > 0 && isOn(environment, 'REDIS_TLS'))
    throw new UsageError('REDIS_TLS is on, but REDIS_URL begins with redis://: with TLS it must be rediss://.');
  return urls.length === 1 ? { kind: 'standalone', url: urls[0] as string } : { kind: 'cluster', urls };
}

function urlsOf(redis: Exclude<RedisSettings, { kind: 'sentinel' }>): string[] {
  return redis.kind === 'cluster' ? redis.urls : [redis.url];
}

function hasLocksOverTls(environment: Environment): boolean {
  const locks = lockServersOf(environment);
  return locks.kind === 'redlock' && locks.urls.some(isTlsUrl);
}

function sentinelOf(environment: Environment, value: string): RedisSettings {
  const password = given(environment, 'REDIS_PASSWORD');
  const sentinelPassword = given(environment, 'REDIS_SENTINEL_PASSWORD');
  return {
    kind: 'sentinel',
    group: given(environment, 'REDIS_SENTINEL_GROUP') ?? 'mymaster',
    sentinels: value.split(',').map((part) => hostAndPort('REDIS_SENTINELS', part.trim(), SENTINEL_PORT_DEFAULT)),
    ...(password === undefined ? {} : { password }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
}

function outboxOf(environment: Environment): 'relay' | 'debezium' {
  const value = given(environment, 'OUTBOX') ?? 'relay';
  if (value === 'debezium' && given(environment, 'EVENT_KEYS_FILE') !== undefined)
    throw new UsageError(
      'EVENT_KEYS_FILE encrypts what the relay publishes itself; with OUTBOX=debezium the connector publishes it, in plain. Set OUTBOX=relay, or leave EVENT_KEYS_FILE out.',
    );
  if (value === 'relay' || value === 'debezium') return value;
  throw wrong('OUTBOX', value, 'relay (the relay publishes) or debezium (a table that Debezium reads)');
}

function poisonRebuildsOf(environment: Environment): number {
  const value = given(environment, 'POISON_REBUILDS_MAX') ?? '1';
  if (/^\d{1,4}$/.test(value)) return Number(value);
  throw wrong('POISON_REBUILDS_MAX', value, 'a whole number from 0 to 9999');
}
