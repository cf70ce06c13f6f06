/** The address at which a cluster's nodes find Redis, and the servers that sit there one after the other. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { newPassword, RedisTestServer } from '../../support/servers/redis.ts';
import { serverFolder } from '../../support/servers/test-server.ts';
import { until } from '../../support/servers/until.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const HOST = '127.0.0.1';
const REPLICATED_MS_MAX = 30_000;
interface Chair {
  folder: string;
  port: number;
}

interface Manner {
  /** Of its clock, in seconds. */
  skewS?: number;
  settings?: ServerSettings;
}

/** Whether this machine can build the clock that is off. */
export function canSkewClocks(): boolean {
  return process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;
}

export class RedisSeat {
  readonly #proxy: TcpProxy;
  readonly #password: string;
  #chair: Chair;
  server: RedisTestServer;

  private constructor(chair: Chair, server: RedisTestServer, proxy: TcpProxy) {
    this.#chair = chair;
    this.server = server;
    this.#password = server.password;
    this.#proxy = proxy;
  }

  static async open(): Promise<RedisSeat> {
    const chair = { folder: serverFolder('redis'), port: await freePort() };
    const server = serverOn(chair, newPassword());
    await server.start();
    return new RedisSeat(chair, server, await TcpProxy.to({ host: HOST, port: chair.port }));
  }

  /** As the nodes have it, whoever sits there. */
  get url(): string {
    return `redis://:${this.#password}@${HOST}:${this.#proxy.port}`;
  }

  /** A copy of all that it holds now, to be put back later. */
  async snapshot(): Promise<string> {
    await this.server.ask('SAVE');
    const copy = join(this.#chair.folder, 'older.rdb');
    copyFileSync(join(this.#chair.folder, 'data', 'dump.rdb'), copy);
    return copy;
  }

  /** Kills it and starts it with what the snapshot holds. Answers since when (epoch milliseconds) that can be seen. */
  async putBack(snapshot: string): Promise<number> {
    await this.server.kill();
    const data = join(this.#chair.folder, 'data');
    rmSync(join(data, 'appendonlydir'), { recursive: true, force: true });
    copyFileSync(snapshot, join(data, 'dump.rdb'));
    // With the append-only file on, it would not read the snapshot.
    const at = Date.now();
    await this.#sit({ settings: { appendonly: 'no' } });
    await this.server.ask('CONFIG', 'SET', 'appendonly', 'yes');
    return at;
  }

  /** Kills it and starts it with its data, by the clock of this machine. */
  async startAgain(): Promise<void> {
    await this.server.kill();
    await this.#sit();
  }

  async #sit(manner: Manner = {}): Promise<void> {
    this.server = serverOn(this.#chair, this.#password, manner);
    await this.server.start();
  }

  /** A replica that holds all that there was right after `beforeCut`, and has just been cut off. */
  async replica(skewS: number, beforeCut: () => void = () => undefined): Promise<Successor> {
    const chair = { folder: serverFolder('redis-replica'), port: await freePort() };
    const server = serverOn(chair, this.#password, { skewS });
    await server.start();
    await server.ask('REPLICAOF', HOST, String(this.#chair.port));
    await until('the replica copies its master', REPLICATED_MS_MAX, async () =>
      String(await server.ask('INFO', 'replication')).includes('master_link_status:up'),
    );
    beforeCut();
    await server.ask('REPLICAOF', 'NO', 'ONE');
    return { chair, server };
  }

  /** Kills who sits here; from now on (epoch milliseconds) the nodes find the other one. */
  async replaceBy({ chair, server }: Successor): Promise<number> {
    await this.server.kill();
    const at = Date.now();
    this.#chair = chair;
    this.server = server;
    this.#proxy.redirect({ host: HOST, port: chair.port });
    return at;
  }

  async close(): Promise<void> {
    await this.#proxy.close();
    await this.server.kill();
  }
}

export interface Successor {
  chair: Chair;
  server: RedisTestServer;
}

function serverOn(
  { folder, port }: Chair,
  password: string,
  { skewS = 0, settings = {} }: Manner = {},
): RedisTestServer {
  const options = { folder, port, password, settings };
  if (skewS === 0) return new RedisTestServer(options);
  const shim = join(folder, 'clock-shim.so');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', shim, join(import.meta.dirname, 'clock-shim.c')]);
  const env = { LD_PRELOAD: shim, CLOCK_SKEW_S: String(skewS) };
  return new RedisTestServer({ ...options, place: (command) => ({ ...command, env }) });
}
