/** Nodes on real servers of their own, and the topics that other teams' services write to. */
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compatibilityPartitioner, Producer, stringSerializers } from '@platformatic/kafka';
import { freePort } from '../../../../infra/ports.ts';
import { sharedTokenKey } from '../../../src/access/token-key.ts';
import { issueToken } from '../../../src/access/tokens.ts';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { type RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { serverFolder } from '../../support/servers/test-server.ts';
import { until } from '../../support/servers/until.ts';
import { ClusterNode } from '../cluster/node.ts';
import { HQS, OPENING_STOCK, PRODUCTS, type SentMessage, STORES } from './stories.ts';

const SOURCES = join(import.meta.dirname, '../../../src');
/** The roles of each node. */
const LAYOUTS = {
  whole: ['api,recorder,projector,relay,consumers,scheduler', 'api,recorder,projector,relay,consumers,scheduler'],
  apart: [
    'api,recorder,projector,scheduler',
    'api,recorder,projector,scheduler',
    'consumers',
    'consumers',
    'relay',
    'relay',
  ],
};
const TOKEN_TTL_MS = 24 * 3_600_000;
const REQUEST_MS_MAX = 30_000;
const ANSWERED_MS_MAX = 60_000;
const SENT_AT_ONCE = 200;
const SEND_RETRIES = 1_000;
const SEND_RETRY_MS = 200;

export interface HttpReply {
  status: number;
  body: Record<string, unknown>;
}

export type OrderLayout = keyof typeof LAYOUTS;

export interface OrderClusterOptions {
  earlyWaitMs: number;
  /** Two nodes that do everything, or two for each kind of work. */
  layout: OrderLayout;
  sources?: string;
}

export class OrderCluster {
  readonly redis: RedisTestServer;
  readonly mariadb: MariadbTestServer;
  readonly kafka: KafkaTestServer;
  readonly nodes: readonly ClusterNode[];
  readonly folder: string;
  /** By HQ; '' sees every HQ. */
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #producer: Producer<string, string, string, string>;

  private constructor(
    servers: { redis: RedisTestServer; mariadb: MariadbTestServer; kafka: KafkaTestServer },
    { nodes, folder, tokens }: { nodes: ClusterNode[]; folder: string; tokens: Map<string, string> },
  ) {
    this.redis = servers.redis;
    this.mariadb = servers.mariadb;
    this.kafka = servers.kafka;
    this.nodes = nodes;
    this.folder = folder;
    this.#tokens = tokens;
    this.#producer = new Producer({
      clientId: 'shop',
      bootstrapBrokers: [this.kafka.bootstrapServers],
      idempotent: true,
      partitioner: compatibilityPartitioner,
      serializers: stringSerializers,
      retries: SEND_RETRIES,
      retryDelay: SEND_RETRY_MS,
    });
  }

  static async start({ earlyWaitMs, layout, sources = SOURCES }: OrderClusterOptions): Promise<OrderCluster> {
    const [redis, mariadb, kafka] = await Promise.all([startRedis(), startMariadb(), startKafka()]);
    const folder = serverFolder('nodes');
    const { host, port, database, user, password } = mariadb.access;
    const secret = randomBytes(48).toString('base64url');
    const environment = {
      HOLDFAST_MODE: 'cluster',
      HOLDFAST_LOG: 'info',
      REDIS_URL: `redis://:${redis.password}@127.0.0.1:${redis.port}`,
      DB_HOST: host,
      DB_PORT: String(port),
      DB_NAME: database,
      DB_USERNAME: user,
      DB_PASSWORD: password,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      JWT_SECRET: secret,
      EARLY_EVENT_WAIT_MS: String(earlyWaitMs),
    };
    const node = async (roles: string, index: number) =>
      new ClusterNode({ name: `node-${index + 1}`, roles, port: await freePort(), folder, environment, sources });
    const tokens = new Map<string, string>();
    for (const hqId of [null, ...HQS]) {
      const grant = { role: 'admin' as const, hqId, storeId: null, ttlMs: TOKEN_TTL_MS };
      tokens.set(hqId ?? '', await issueToken(sharedTokenKey(secret), grant, Date.now()));
    }
    const nodes = await Promise.all(LAYOUTS[layout].map(node));
    const cluster = new OrderCluster({ redis, mariadb, kafka }, { nodes, folder, tokens });
    try {
      // The first one makes the tables and the topics.
      for (const each of nodes) await each.start();
      await cluster.#stockUp();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #stockUp(): Promise<void> {
    for (const hqId of HQS) {
      for (const storeId of STORES) await this.ask('PUT', `/api/v1/admin/stores/${storeId}`, { name: storeId }, hqId);
      for (const productId of PRODUCTS) {
        await this.ask('PUT', `/api/v1/admin/products/${productId}`, { name: productId }, hqId);
        for (const storeId of STORES) {
          const body = { storeId, quantity: OPENING_STOCK, transactionId: `opening-${storeId}-${productId}` };
          await this.ask('POST', `/api/v1/admin/inventory/${productId}/add`, body, hqId);
        }
      }
    }
  }

  /** Those that answer callers. */
  get apiNodes(): readonly ClusterNode[] {
    return this.nodes.filter(({ roles }) => roles.includes('api'));
  }

  /** Asks one node after the other until one answers otherwise than 5xx. @throws for what is refused */
  async ask(method: string, path: string, body?: unknown, hqId = ''): Promise<Record<string, unknown>> {
    const { apiNodes } = this;
    let turn = 0;
    let reply: HttpReply = { status: 0, body: {} };
    await until(`${method} ${path}`, ANSWERED_MS_MAX, async () => {
      turn += 1;
      reply = await this.#askOne(apiNodes[turn % apiNodes.length] as ClusterNode, { method, path, body, hqId });
      if (reply.status >= 500) throw new Error(JSON.stringify(reply.body));
      return true;
    });
    if (reply.status >= 400) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  }

  async #askOne(
    node: ClusterNode,
    { method, path, body, hqId }: { method: string; path: string; body: unknown; hqId: string },
  ): Promise<HttpReply> {
    const response = await fetch(node.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#tokens.get(hqId)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }

  /** In order; what the broker does not take is sent again until it does. */
  async send(messages: readonly SentMessage[]): Promise<void> {
    for (let at = 0; at < messages.length; at += SENT_AT_ONCE) {
      const batch = messages.slice(at, at + SENT_AT_ONCE).map(({ topic, key, value }) => ({
        topic,
        ...(key === null ? {} : { key }),
        ...(value === null ? {} : { value }),
      }));
      await until('the broker takes events', ANSWERED_MS_MAX, async () => {
        await this.#producer.send({ messages: batch });
        return true;
      });
    }
  }

  /** The values of a metric, over all nodes and labels. */
  async sumOf(metric: string): Promise<number> {
    const texts = await Promise.all(this.nodes.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
    const pattern = new RegExp(`^${metric}(?:\\{[^}]*\\})? ([0-9.e+-]+)$`, 'gm');
    return texts.flatMap((text) => [...text.matchAll(pattern)]).reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Messages of the consumed topics that the group has not committed. */
  async lag(): Promise<number> {
    return this.sumOf('holdfast_consumer_lag_messages');
  }

  /** Keeps the logs in a folder that outlives the run. */
  keepLogs(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
    renameSync(this.folder, folder);
  }

  async stop(): Promise<void> {
    await this.#producer.close(true).catch(() => undefined);
    await Promise.all(this.nodes.map((node) => node.kill()));
    await Promise.all([this.redis.kill(), this.mariadb.kill(), this.kafka.kill()]);
  }
}
