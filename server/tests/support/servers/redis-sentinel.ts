/** A real group of Redis servers under Sentinels, which choose a new master when the old one is gone. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer, ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { askRedis } from '../../../../infra/redis/resp.ts';
import { newPassword, RedisTestServer } from './redis.ts';
import { serverFolder, TestServer } from './test-server.ts';
import { until } from './until.ts';

const GROUP = 'holdfast';
const SENTINELS = 3;
const QUORUM = 2;
const READY_MS_MAX = 60_000;

export interface SentinelOptions {
  replicas?: number;
  /** How long a master must be silent to count as gone. */
  downAfterMs?: number;
  /** More lines of each server's redis.conf, or others than usual. */
  settings?: ServerSettings;
}

export class SentinelServers {
  /** The first was made the master. */
  readonly servers: readonly RedisTestServer[];
  readonly sentinels: readonly TestServer[];
  readonly password: string;
  /** The name under which Sentinels know the master. */
  readonly group = GROUP;

  constructor(servers: readonly RedisTestServer[], sentinels: readonly TestServer[], password: string) {
    this.servers = servers;
    this.sentinels = sentinels;
    this.password = password;
  }

  /** The server that the first Sentinel that is up names as the master. */
  async master(): Promise<RedisTestServer> {
    const sentinel = this.sentinels.find((each) => each.isUp);
    if (!sentinel) throw new Error('no Sentinel is up');
    const question = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', GROUP];
    const [address] = await askRedis({ port: sentinel.port, password: null }, question);
    const port = Number((address as string[])[1]);
    const server = this.servers.find((each) => each.port === port);
    if (!server) throw new Error(`Sentinel names a master on port ${port}, which is none of this group`);
    return server;
  }

  /** Until every Sentinel that is up knows the others, and every replica that is up. */
  untilKnown(): Promise<void> {
    const others = SENTINELS - 1;
    return until('the Sentinels know each other', READY_MS_MAX, async () => {
      const up = this.sentinels.filter((each) => each.isUp);
      const answers = await Promise.all(up.map(({ port }) => askRedis({ port, password: null }, ['INFO', 'sentinel'])));
      const wanted = `status=ok,address=127.0.0.1:${(await this.master()).port},slaves=${this.servers.length - 1},sentinels=${others + 1}`;
      return answers.every(([info]) => String(info).includes(wanted));
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each[Symbol.asyncDispose]()));
  }
}

export async function startSentinel(options: SentinelOptions = {}): Promise<SentinelServers> {
  const { replicas = 1, downAfterMs = 1_000, settings = {} } = options;
  const password = newPassword();
  const servers: RedisTestServer[] = [];
  for (let index = 0; index <= replicas; index += 1) {
    const replicaOf = servers[0] ? { replicaof: `127.0.0.1 ${servers[0].port}` } : {};
    const all = { 'repl-diskless-sync-delay': '0', ...replicaOf, ...settings };
    const place = { folder: serverFolder('redis-sentinel'), port: await freePort() };
    servers.push(new RedisTestServer({ ...place, password, settings: all, rewritesSettings: true }));
  }
  await Promise.all(servers.map((server) => server.start()));
  const lines = [
    `sentinel monitor ${GROUP} 127.0.0.1 ${servers[0]!.port} ${QUORUM}`,
    `sentinel auth-pass ${GROUP} ${password}`,
    `sentinel down-after-milliseconds ${GROUP} ${downAfterMs}`,
    `sentinel failover-timeout ${GROUP} 5000`,
  ];
  const sentinels: TestServer[] = [];
  for (let index = 0; index < SENTINELS; index += 1) {
    const place = { folder: serverFolder('sentinel'), port: await freePort() };
    sentinels.push(new TestServer(sentinelServer({ ...place, lines })));
  }
  await Promise.all(sentinels.map((each) => each.start()));
  const group = new SentinelServers(servers, sentinels, password);
  await group.untilKnown();
  return group;
}

interface SentinelPlace {
  folder: string;
  port: number;
  /** Of sentinel.conf, besides where it is. */
  lines: readonly string[];
}

/** One Sentinel. */
export function sentinelServer({ folder, port, lines }: SentinelPlace): LocalServer {
  const settingsFile = join(folder, 'sentinel.conf');
  return {
    title: 'Sentinel',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'sentinel.log'),
    program: 'redis-server',
    command: { file: 'redis-server', args: [settingsFile, '--sentinel'] },
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(folder, { recursive: true });
      // A Sentinel writes what it has learnt into its settings.
      if (existsSync(settingsFile)) return;
      const all = ['bind 127.0.0.1', `port ${port}`, `dir "${folder}"`, ...lines];
      writeFileSync(settingsFile, `${all.join('\n')}\n`, { mode: 0o600 });
    },
    async ask() {
      await askRedis({ port, password: null }, ['PING']);
    },
  };
}
