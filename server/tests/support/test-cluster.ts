/** Real servers of a cluster of a test's own, and what its nodes are told about them. */
import { randomBytes } from 'node:crypto';
import type { ServerSettings } from '../../../infra/local-server.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import { freshDatabase } from './mariadb-database.ts';
import { type KafkaTestServer, startKafka } from './servers/kafka.ts';
import { type MariadbTestServer, startMariadb } from './servers/mariadb.ts';
import { type RedisTestServer, startRedis } from './servers/redis.ts';

const SECRET_BYTES = 32;

interface Address {
  host: string;
  port: number;
}

/** Where a node finds each server, when that is not where it is: behind a proxy, or nowhere. */
export interface Detours {
  redis?: Address;
  mariadb?: Address;
  kafka?: Address;
}

export class TestCluster {
  readonly redis: RedisTestServer;
  readonly mariadb: MariadbTestServer;
  /** Null: its nodes have no role that needs it. */
  readonly kafka: KafkaTestServer | null;
  readonly database: MariadbAccess;
  readonly secret = randomBytes(SECRET_BYTES).toString('hex');

  constructor(
    servers: { redis: RedisTestServer; mariadb: MariadbTestServer; kafka: KafkaTestServer | null },
    database: MariadbAccess,
  ) {
    this.redis = servers.redis;
    this.mariadb = servers.mariadb;
    this.kafka = servers.kafka;
    this.database = database;
  }

  static async start({
    withKafka = false,
    kafkaSettings = {},
  }: {
    withKafka?: boolean;
    kafkaSettings?: ServerSettings;
  } = {}): Promise<TestCluster> {
    const [redis, mariadb, kafka] = await Promise.all([
      startRedis(),
      startMariadb(),
      withKafka ? startKafka({ settings: kafkaSettings }) : null,
    ]);
    return new TestCluster({ redis, mariadb, kafka }, mariadb.access);
  }

  /** A Redis and a database of its own on a MariaDB that is there. */
  static async on(mariadb: MariadbTestServer): Promise<TestCluster> {
    return new TestCluster({ redis: await startRedis(), mariadb, kafka: null }, await freshDatabase(mariadb));
  }

  /** The settings of a node. */
  environment(detours: Detours = {}): Record<string, string> {
    const { database, password, user, host, port } = { ...this.database, ...detours.mariadb };
    const redis = detours.redis ?? { host: '127.0.0.1', port: this.redis.port };
    const kafka = detours.kafka ?? (this.kafka === null ? null : { host: '127.0.0.1', port: this.kafka.port });
    return {
      HOLDFAST_MODE: 'cluster',
      REDIS_URL: `redis://:${this.redis.password}@${redis.host}:${redis.port}`,
      DB_HOST: host,
      DB_PORT: String(port),
      DB_NAME: database,
      DB_USERNAME: user,
      DB_PASSWORD: password,
      JWT_SECRET: this.secret,
      ...(kafka === null
        ? { HOLDFAST_ROLES: 'api,recorder,projector,scheduler' }
        : { KAFKA_BOOTSTRAP_SERVERS: `${kafka.host}:${kafka.port}` }),
    };
  }

  /** Every password that a message must not show. */
  get secrets(): string[] {
    return [this.redis.password, this.database.password, this.secret];
  }

  async stop(): Promise<void> {
    await Promise.all([this.redis.stop(), this.mariadb.stop(), this.kafka?.stop()]);
  }
}
