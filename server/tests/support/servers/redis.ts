/** Real Redis servers. */

import { randomBytes } from 'node:crypto';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { type RedisOptions, redisServer } from '../../../../infra/redis/redis.ts';
import { askRedis, type RedisReply } from '../../../../infra/redis/resp.ts';
import { serverFolder, TestServer } from './test-server.ts';

export interface RedisTestOptions {
  /** More lines of redis.conf, or others than usual. */
  settings?: ServerSettings;
  password?: string;
}

export class RedisTestServer extends TestServer {
  readonly password: string;

  constructor(options: RedisOptions) {
    super(redisServer(options));
    this.password = options.password;
  }

  /** `redis://:password@127.0.0.1:port` */
  get url(): string {
    return `redis://:${this.password}@127.0.0.1:${this.port}`;
  }

  /** The reply to one command, on a connection of its own. @throws when it is refused. */
  async ask(...command: string[]): Promise<RedisReply> {
    const [reply] = await askRedis({ port: this.port, password: this.password }, command);
    return reply!;
  }
}

export async function startRedis({
  settings = {},
  password = newPassword(),
}: RedisTestOptions = {}): Promise<RedisTestServer> {
  const server = new RedisTestServer({ folder: serverFolder('redis'), port: await freePort(), password, settings });
  await server.start();
  return server;
}

export function newPassword(): string {
  return randomBytes(16).toString('hex');
}
