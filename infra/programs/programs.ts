/** What must be on this machine before a server can run: whether it is there, and how it gets there. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerKind } from '../local-server.ts';
import { withLock } from '../lock.ts';
import type { Say } from '../progress.ts';
import { ZOOKEEPER_JAR } from '../zookeeper/zookeeper.ts';
import { installPackages } from './debian.ts';
import { fetchJars, hasJars } from './maven.ts';

const TOOL_MS_MAX = 10_000;
const REDIS_MIN = [7, 0];
const MARIADB_MIN = [10, 11];
const JAVA_MIN = [17, 0];

interface Need {
  /** Why it is not met, for people; undefined when it is. */
  lacks(): string | undefined;
  /** Debian's packages that meet it. */
  packages: string[];
}

const java: Need = {
  lacks: () => tooOld('java', ['-version'], /version "(\d+)(?:\.(\d+))?/, JAVA_MIN),
  packages: ['openjdk-17-jre-headless'],
};
const maven: Need = { lacks: () => absent('mvn', ['-version']), packages: ['maven'] };
const redis: Need = {
  lacks: () => tooOld('redis-server', ['--version'], /v=(\d+)\.(\d+)/, REDIS_MIN),
  packages: ['redis-server'],
};
const mariadb: Need = {
  lacks: () =>
    tooOld('mariadbd', ['--no-defaults', '--version'], /Ver (\d+)\.(\d+)/, MARIADB_MIN) ??
    absent('mariadb-install-db', ['--no-defaults', '--help']) ??
    absent('my_print_defaults', ['--help']),
  packages: ['mariadb-server-core', 'mariadb-client-core'],
};
const zookeeper: Need = {
  lacks: () => (existsSync(ZOOKEEPER_JAR) ? undefined : `${ZOOKEEPER_JAR} is not there`),
  packages: ['zookeeper'],
};

/** Where the jars of Kafka are, or will be. */
export const kafkaJars = (root: string): string => join(root, '.infra', 'programs', 'kafka');
const kafkaPom = (root: string): string => join(root, 'infra', 'kafka', 'pom.xml');

/** Where the jars of Kafka Connect's own worker are, or will be. */
export const connectJars = (root: string): string => join(root, '.infra', 'programs', 'connect');
/** The folder of its plugins, of which there is one. */
export const debeziumPlugins = (root: string): string => join(root, '.infra', 'programs', 'connect-plugins');

const debeziumJars = (root: string): { pom: string; folder: string; title: string }[] => [
  {
    pom: join(root, 'infra', 'debezium', 'connect', 'pom.xml'),
    folder: connectJars(root),
    title: 'Kafka Connect',
  },
  {
    pom: join(root, 'infra', 'debezium', 'connector', 'pom.xml'),
    folder: join(debeziumPlugins(root), 'debezium-mariadb'),
    title: 'Debezium',
  },
];

/** Where the schema registry is, or will be. */
export const registryJars = (root: string): string => join(root, '.infra', 'programs', 'registry');
const registryPom = (root: string): string => join(root, 'infra', 'registry', 'pom.xml');

/** Why the server cannot run on this machine as it is; undefined if it can. */
export function lackOf(kind: ServerKind, root: string): string | undefined {
  switch (kind) {
    case 'redis':
      return redis.lacks();
    case 'mariadb':
      return mariadb.lacks();
    case 'zookeeper':
      return zookeeper.lacks() ?? java.lacks();
    case 'kafka':
      return hasJars(kafkaPom(root), kafkaJars(root)) ? java.lacks() : 'the jars of Kafka are not there';
    case 'debezium':
      return debeziumJars(root).every(({ pom, folder }) => hasJars(pom, folder))
        ? java.lacks()
        : 'the jars of Kafka Connect and Debezium are not there';
    case 'registry':
      return hasJars(registryPom(root), registryJars(root)) ? java.lacks() : 'Apicurio Registry is not there';
  }
}

/** Gets what is missing for these servers, once for all who ask at the same time. @throws with what to do by hand. */
export async function ensurePrograms(kinds: readonly ServerKind[], root: string, say: Say): Promise<void> {
  if (kinds.every((kind) => lackOf(kind, root) === undefined)) return;
  const waiting = () => say('another process is installing servers; waiting for it');
  await withLock(
    join(root, '.infra', 'programs.lock'),
    async () => {
      const lacking = needsOf(kinds, root).flatMap((need) => {
        const why = need.lacks();
        return why === undefined ? [] : [{ why, packages: need.packages }];
      });
      if (lacking.length > 0) {
        const why = lacking.map((each) => each.why).join('; ');
        await installPackages([...new Set(lacking.flatMap((each) => each.packages))], why, say);
      }
      if (kinds.includes('kafka')) {
        await fetchJars({ pom: kafkaPom(root), folder: kafkaJars(root), title: 'Kafka', say });
      }
      if (kinds.includes('debezium')) for (const jars of debeziumJars(root)) await fetchJars({ ...jars, say });
      if (kinds.includes('registry')) {
        const [pom, folder] = [registryPom(root), registryJars(root)];
        await fetchJars({ pom, folder, title: 'Apicurio Registry (109 MB)', goal: 'unpack', say });
      }
    },
    waiting,
  );
  for (const kind of kinds) {
    const lack = lackOf(kind, root);
    if (lack !== undefined) throw new Error(`${kind} still cannot run after the installation: ${lack}`);
  }
}

function needsOf(kinds: readonly ServerKind[], root: string): Need[] {
  const needs = new Set<Need>();
  if (kinds.includes('redis')) needs.add(redis);
  if (kinds.includes('mariadb')) needs.add(mariadb);
  if (kinds.includes('zookeeper')) needs.add(java).add(zookeeper);
  if (kinds.includes('kafka')) {
    needs.add(java);
    if (!hasJars(kafkaPom(root), kafkaJars(root))) needs.add(maven);
  }
  if (kinds.includes('debezium') || kinds.includes('registry')) needs.add(java).add(maven);
  return [...needs];
}

function absent(program: string, args: string[]): string | undefined {
  const { error } = spawnSync(program, args, { timeout: TOOL_MS_MAX });
  return error ? `${program} is not installed` : undefined;
}

function tooOld(program: string, args: string[], version: RegExp, least: number[]): string | undefined {
  const { error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: TOOL_MS_MAX });
  if (error) return `${program} is not installed`;
  const found = version.exec(`${stdout}${stderr}`);
  if (!found) return `${program} does not say its version`;
  const [major, minor] = [Number(found[1]), Number(found[2] ?? 0)];
  const enough = major > least[0]! || (major === least[0] && minor >= least[1]!);
  return enough ? undefined : `${program} is ${major}.${minor}, older than ${least.join('.')}`;
}
