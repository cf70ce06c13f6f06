/** The local servers of this checkout, as they were chosen once: ports, passwords, places below `.infra/`. */

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGES, inContainer, KAFKA_JARS_IN_IMAGE } from './containers/containers.ts';
import { type Account, connectServer, type OutboxConnectorOptions } from './debezium/debezium.ts';
import { kafkaServer, newClusterId } from './kafka/kafka.ts';
import type { LocalServer, Place, ServerKind } from './local-server.ts';
import { ADMIN, DATABASE, HOST, mariadbServer, USERNAME } from './mariadb/mariadb.ts';
import { freePort } from './ports.ts';
import { connectJars, debeziumPlugins, kafkaJars, registryJars } from './programs/programs.ts';
import { redisServer } from './redis/redis.ts';
import { confluentApi, registryServer } from './registry/registry.ts';

const SECRET_BYTES = 32;
const PASSWORD_BYTES = 18;

const DEBEZIUM = 'debezium';

export type ServerName = Exclude<ServerKind, 'zookeeper'>;
/** Those that are there only if they were asked for. */
export type Extra = 'debezium' | 'registry';
export type Servers = Record<Exclude<ServerName, Extra>, LocalServer> & Partial<Record<Extra, LocalServer>>;

/** Where the servers come from: images of a container engine, or the system's packages and Maven. */
export type Origin = 'containers' | 'packages';

interface Choices {
  from: Origin;
  redis: { port: number; password: string };
  mariadb: { port: number; password: string; adminPassword: string };
  kafka: { port: number; controllerPort: number; clusterId: string };
  /** From the first `infra:up -- --debezium` on. */
  debezium?: { port: number; password: string };
  /** From the first `infra:up -- --registry` on. */
  registry?: { port: number };
  jwtSecret: string;
}

/** What Debezium is to read, where to, and who lets it. */
export interface OutboxReading extends OutboxConnectorOptions {
  admin: Account;
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
  static async findOrCreate(root: string, origin: () => Origin): Promise<Installation> {
    const found = Installation.find(root);
    if (found) return found;
    const choices = await choose(origin());
    const folder = infraFolder(root);
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o700);
    writeChoices(root, choices);
    return new Installation(root, choices);
  }

  /** One that was never written: its servers stand in the same places. */
  static async placeholder(root: string): Promise<Installation> {
    return new Installation(root, await choose('packages'));
  }

  get from(): Origin {
    return this.#choices.from;
  }

  /** With these, from now on. */
  async with(extras: readonly Extra[]): Promise<Installation> {
    const choices = { ...this.#choices };
    if (extras.includes('debezium')) choices.debezium ??= { port: await freePort(), password: newPassword() };
    if (extras.includes('registry')) choices.registry ??= { port: await freePort() };
    writeChoices(this.root, choices);
    return new Installation(this.root, choices);
  }

  servers(): Servers {
    const { redis, mariadb, kafka, debezium, registry } = this.#choices;
    const folder = (name: ServerName) => join(infraFolder(this.root), name);
    const [jars, plugins] = [connectJars(this.root), debeziumPlugins(this.root)];
    const places = { folder: folder('debezium'), jars, plugins, bootstrapServers: this.#bootstrapServers };
    const settingsOfLog = join(this.root, 'infra', 'kafka');
    return {
      redis: redisServer({ folder: folder('redis'), ...redis, ...this.#placeOf('redis') }),
      mariadb: mariadbServer({ folder: folder('mariadb'), ...mariadb, ...this.#placeOf('mariadb') }),
      kafka: kafkaServer({
        folder: folder('kafka'),
        jars: this.from === 'containers' ? KAFKA_JARS_IN_IMAGE : kafkaJars(this.root),
        ...kafka,
        ...this.#placeOf('kafka', settingsOfLog),
      }),
      ...(debezium && { debezium: connectServer({ ...places, port: debezium.port }) }),
      ...(registry && {
        registry: registryServer({ folder: folder('registry'), jars: registryJars(this.root), ...registry }),
      }),
    };
  }

  #placeOf(name: keyof typeof IMAGES, reads?: string): { place?: Place } {
    if (this.from === 'packages') return {};
    const folders = { writes: join(infraFolder(this.root), name), ...(reads !== undefined && { reads }) };
    return { place: inContainer(IMAGES[name], folders) };
  }

  outboxReading(): OutboxReading | null {
    const { mariadb, debezium } = this.#choices;
    if (!debezium) return null;
    const place = { host: HOST, port: mariadb.port };
    return {
      bootstrapServers: this.#bootstrapServers,
      database: { ...place, database: DATABASE, user: DEBEZIUM, password: debezium.password },
      admin: { ...place, user: ADMIN, password: mariadb.adminPassword },
    };
  }

  get #bootstrapServers(): string {
    return `${HOST}:${this.#choices.kafka.port}`;
  }

  /** Writes `.infra/env`: what cluster mode needs to run on these servers. */
  writeEnvironment(): void {
    const { redis, mariadb, debezium, registry, jwtSecret } = this.#choices;
    const lines = {
      HOLDFAST_MODE: 'cluster',
      REDIS_URL: `redis://:${redis.password}@${HOST}:${redis.port}`,
      DB_HOST: HOST,
      DB_PORT: mariadb.port,
      DB_NAME: DATABASE,
      DB_USERNAME: USERNAME,
      DB_PASSWORD: mariadb.password,
      KAFKA_BOOTSTRAP_SERVERS: this.#bootstrapServers,
      ...(debezium && { OUTBOX: 'debezium' }),
      ...(registry && { SCHEMA_REGISTRY_URL: confluentApi(registry.port) }),
      JWT_SECRET: jwtSecret,
    };
    const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
    writePrivate(environmentFile(this.root), text.join(''));
  }

  /** Removes the data of the servers and all that was chosen for them. What was downloaded stays. */
  wipe(): void {
    for (const name of Object.keys(this.servers())) {
      rmSync(join(infraFolder(this.root), name), { recursive: true, force: true });
    }
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

async function choose(from: Origin): Promise<Choices> {
  return {
    from,
    redis: { port: await freePort(), password: newPassword() },
    mariadb: { port: await freePort(), password: newPassword(), adminPassword: newPassword() },
    kafka: { port: await freePort(), controllerPort: await freePort(), clusterId: newClusterId() },
    jwtSecret: randomBytes(SECRET_BYTES).toString('base64url'),
  };
}

const newPassword = (): string => randomBytes(PASSWORD_BYTES).toString('hex');

function writeChoices(root: string, choices: Choices): void {
  writePrivate(choicesFile(root), `${JSON.stringify(choices, null, 2)}\n`);
}

/** For this user alone, and never half written. */
function writePrivate(file: string, text: string): void {
  const unfinished = `${file}.unfinished`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}
