/** The local servers of this checkout, as they were chosen once: ports, passwords, places below `.infra/`. */

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kafkaServer, newClusterId } from './kafka/kafka.ts';
import type { LocalServer } from './local-server.ts';
import { DATABASE, mariadbServer, USERNAME } from './mariadb/mariadb.ts';
import { freePort } from './ports.ts';
import { kafkaJars } from './programs/programs.ts';
import { redisServer } from './redis/redis.ts';

const SECRET_BYTES = 32;
const PASSWORD_BYTES = 18;

export type ServerName = 'redis' | 'mariadb' | 'kafka';

interface Choices {
  redis: { port: number; password: string };
  mariadb: { port: number; password: string; adminPassword: string };
  kafka: { port: number; controllerPort: number; clusterId: string };
  jwtSecret: string;
}

export class Installation {
  readonly root: string;
  readonly #choices: Choices;

  private constructor(root: string, choices: Choices) {
    this.root = root;
    this.#choices = choices;
  }

  /** Null before the first `infra:up`. */
  static find(root: string): Installation | null {
    const file = choicesFile(root);
    if (!existsSync(file)) return null;
    return new Installation(root, JSON.parse(readFileSync(file, 'utf8')) as Choices);
  }

  /** The one that is there, else a new one. For the holder of the lock. */
  static async findOrCreate(root: string): Promise<Installation> {
    const found = Installation.find(root);
    if (found) return found;
    const choices = await choose();
    const folder = infraFolder(root);
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o700);
    writePrivate(choicesFile(root), `${JSON.stringify(choices, null, 2)}\n`);
    return new Installation(root, choices);
  }

  /** One that was never written: its servers stand in the same places. */
  static async placeholder(root: string): Promise<Installation> {
    return new Installation(root, await choose());
  }

  servers(): Record<ServerName, LocalServer> {
    const { redis, mariadb, kafka } = this.#choices;
    const folder = (name: ServerName) => join(infraFolder(this.root), name);
    return {
      redis: redisServer({ folder: folder('redis'), ...redis }),
      mariadb: mariadbServer({ folder: folder('mariadb'), ...mariadb }),
      kafka: kafkaServer({ folder: folder('kafka'), jars: kafkaJars(this.root), ...kafka }),
    };
  }

  /** Writes `.infra/env`: what cluster mode needs to run on these servers. */
  writeEnvironment(): void {
    const { redis, mariadb, kafka, jwtSecret } = this.#choices;
    const lines = {
      HOLDFAST_MODE: 'cluster',
      REDIS_URL: `redis://:${redis.password}@127.0.0.1:${redis.port}`,
      DB_HOST: '127.0.0.1',
      DB_PORT: mariadb.port,
      DB_NAME: DATABASE,
      DB_USERNAME: USERNAME,
      DB_PASSWORD: mariadb.password,
      KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${kafka.port}`,
      JWT_SECRET: jwtSecret,
    };
    const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
    writePrivate(environmentFile(this.root), text.join(''));
  }

  /** Removes the data of the servers and all that was chosen for them. What was downloaded stays. */
  wipe(): void {
    for (const { folder } of Object.values(this.servers())) rmSync(folder, { recursive: true, force: true });
    for (const file of [environmentFile(this.root), choicesFile(this.root)]) rmSync(file, { force: true });
  }
}

export const infraFolder = (root: string): string => join(root, '.infra');
export const lockFile = (root: string): string => join(infraFolder(root), 'lock.db');
const choicesFile = (root: string): string => join(infraFolder(root), 'servers.json');
const environmentFile = (root: string): string => join(infraFolder(root), 'env');

/** The lines of `.infra/env`. @throws before the first `infra:up` */
export function readEnvironment(root: string): Record<string, string> {
  const lines = readFileSync(environmentFile(root), 'utf8').split('\n');
  return Object.fromEntries(lines.filter(Boolean).map((line) => splitAt(line, line.indexOf('='))));
}

const splitAt = (line: string, at: number): [string, string] => [line.slice(0, at), line.slice(at + 1)];

async function choose(): Promise<Choices> {
  const password = () => randomBytes(PASSWORD_BYTES).toString('hex');
  return {
    redis: { port: await freePort(), password: password() },
    mariadb: { port: await freePort(), password: password(), adminPassword: password() },
    kafka: { port: await freePort(), controllerPort: await freePort(), clusterId: newClusterId() },
    jwtSecret: randomBytes(SECRET_BYTES).toString('base64url'),
  };
}

/** For this user alone, and never half written. */
function writePrivate(file: string, text: string): void {
  const unfinished = `${file}.unfinished`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}
