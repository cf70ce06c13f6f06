/** Two nodes that serve and two that record, project, publish and expire, on real servers of their own. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../../../infra/ports.ts';
import { sharedTokenKey } from '../../../src/access/token-key.ts';
import { issueToken } from '../../../src/access/tokens.ts';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { serverFolder } from '../../support/servers/test-server.ts';
import { stock, Till } from '../tills.ts';
import { ClusterNode } from './node.ts';
import { RedisSeat } from './redis-seat.ts';

const SOURCES = join(import.meta.dirname, '../../../src');
/** In different partitions. */
export const HQS = ['HQ001', 'HQ002', 'HQ003'];
const SERVES = 'api';
const RECORDS = 'recorder,projector,relay,scheduler';
const TOKEN_TTL_MS = 24 * 3_600_000;
const THINK_MS = 20;
const REQUEST_MS_MAX = 2_000;
// Every change by hand is found as an entry that is wrong.
const POISON_REBUILDS_MAX = '1000';

interface ClusterParts {
  redis: RedisSeat;
  mariadb: MariadbTestServer;
  kafka: KafkaTestServer;
  serving: ClusterNode[];
  recording: ClusterNode[];
  tills: Map<string, Till>;
  folder: string;
}

export class TortureCluster {
  readonly redis: RedisSeat;
  readonly mariadb: MariadbTestServer;
  readonly kafka: KafkaTestServer;
  readonly serving: readonly ClusterNode[];
  readonly recording: readonly ClusterNode[];
  /** By HQ. */
  readonly tills: ReadonlyMap<string, Till>;
  /** The logs of the nodes. */
  readonly folder: string;
  #failure: unknown = null;
  #selling: Promise<unknown> = Promise.resolve();

  private constructor(parts: ClusterParts) {
    this.redis = parts.redis;
    this.mariadb = parts.mariadb;
    this.kafka = parts.kafka;
    this.serving = parts.serving;
    this.recording = parts.recording;
    this.tills = parts.tills;
    this.folder = parts.folder;
  }

  static async start(sources = SOURCES): Promise<TortureCluster> {
    const [redis, mariadb, kafka] = await Promise.all([RedisSeat.open(), startMariadb(), startKafka()]);
    const folder = serverFolder('nodes');
    const { host, port, database, user, password } = mariadb.access;
    const secret = randomBytes(48).toString('base64url');
    const environment = {
      HOLDFAST_MODE: 'cluster',
      HOLDFAST_LOG: 'info',
      REDIS_URL: redis.url,
      DB_HOST: host,
      DB_PORT: String(port),
      DB_NAME: database,
      DB_USERNAME: user,
      DB_PASSWORD: password,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      JWT_SECRET: secret,
      POISON_REBUILDS_MAX,
    };
    const node = async (name: string, roles: string) =>
      new ClusterNode({ name, roles, port: await freePort(), folder, environment, sources });
    const serving = [await node('serving-1', SERVES), await node('serving-2', SERVES)];
    const recording = [await node('recording-1', RECORDS), await node('recording-2', RECORDS)];
    const tills = new Map<string, Till>();
    for (const hqId of HQS) {
      const grant = { role: 'admin' as const, hqId, storeId: null, ttlMs: TOKEN_TTL_MS };
      const token = await issueToken(sharedTokenKey(secret), grant, Date.now());
      const options = { thinkMs: THINK_MS, requestMsMax: REQUEST_MS_MAX };
      tills.set(
        hqId,
        new Till(
          serving.map(({ url }) => url),
          token,
          options,
        ),
      );
    }
    const cluster = new TortureCluster({ redis, mariadb, kafka, serving, recording, tills, folder });
    try {
      await cluster.#begin();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** The first one makes the tables. */
  async #begin(): Promise<void> {
    const [first, ...others] = [...this.recording, ...this.serving];
    await first?.start();
    await Promise.all(others.map((node) => node.start()));
    await Promise.all([...this.tills.values()].map(stock));
  }

  get nodes(): ClusterNode[] {
    return [...this.serving, ...this.recording];
  }

  /** What some node said since an instant (epoch milliseconds), and when; null: none did. */
  saidSince(sinceMs: number, message: string): number | null {
    const times = this.nodes.map((node) => node.saidSince(sinceMs, message)).filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** So many sellers for each HQ, until `rest`. */
  sell(sellers: number): void {
    const run = (till: Till) =>
      till.run().catch((error: unknown) => {
        this.#failure ??= error;
      });
    const tills = [...this.tills.values()];
    for (const till of tills) till.stopped = false;
    this.#selling = Promise.all(tills.flatMap((till) => Array.from({ length: sellers }, () => run(till))));
  }

  /** Until every seller has the answer that it waits for. @throws what a seller was told that it must not be told. */
  async rest(): Promise<void> {
    for (const till of this.tills.values()) till.stopped = true;
    await this.#selling;
    this.complain();
  }

  /** @throws what a seller was told that it must not be told */
  complain(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** A copy of the database's files, taken while it is down. */
  async backUp(): Promise<string> {
    const data = join(this.mariadb.folder, 'data');
    const copy = join(this.mariadb.folder, 'older');
    rmSync(copy, { recursive: true, force: true });
    await this.mariadb.stop();
    await promisify(execFile)('cp', ['-a', '--sparse=always', data, copy]);
    await this.mariadb.start();
    return copy;
  }

  /** Kills the database and starts it with the copy, which is used up. */
  async restore(copy: string): Promise<void> {
    const data = join(this.mariadb.folder, 'data');
    await this.mariadb.kill();
    rmSync(data, { recursive: true });
    renameSync(copy, data);
    await this.mariadb.start();
  }

  /** Keeps the logs in a folder that outlives the run. */
  keepLogs(folder: string): void {
    mkdirSync(join(folder, '..'), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(this.folder, folder);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await Promise.all([this.redis.close(), this.mariadb.kill(), this.kafka.kill()]);
  }
}
