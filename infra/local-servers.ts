/** `infra:up`, `infra:down`, `infra:status`. A server is judged by its answer, never by its process. */

import { ensureImages, hasEngine, IMAGES } from './containers/containers.ts';
import { followOutbox } from './debezium/debezium.ts';
import { type Extra, Installation, lockFile, type Origin, type ServerName } from './installation.ts';
import type { LocalServer } from './local-server.ts';
import { withLock } from './lock.ts';
import { isFree } from './ports.ts';
import { end, launch, processesOf, untilReady } from './processes.ts';
import { ensurePrograms } from './programs/programs.ts';
import type { Say } from './progress.ts';

/** One that has a process but does not answer may be starting, or busy. */
const SILENCE_MS_MAX = 20_000;

export interface ServerStatus {
  /** `silent`: its process is there and does not answer. */
  state: 'running' | 'silent' | 'stopped';
  pid: number | null;
  port: number | null;
}

export type Status = Record<Exclude<ServerName, Extra>, ServerStatus> & Partial<Record<Extra, ServerStatus>>;

export interface UpOptions {
  /** Beside the three that it always takes. */
  extras: readonly Extra[];
  /** As it was chosen before; at first containers where an engine runs. */
  from?: Origin;
}

/**
 * Returns when every server answers. Those that do already stay as they are. The extras become some of them, until the
 * data are wiped.
 */
export function up(root: string, { extras, from }: UpOptions, say: Say): Promise<void> {
  return alone(root, say, async () => {
    const found = await Installation.findOrCreate(root, () => from ?? (hasEngine() ? 'containers' : 'packages'));
    if (from !== undefined && from !== found.from) {
      throw new Error(
        `The servers of this checkout were made from ${found.from}, and their data are for those. To have them from ` +
          `${from}, without the data: npm run infra:down -- --wipe`,
      );
    }
    const installation = await found.with(extras);
    const { debezium: connect, ...servers } = installation.servers();
    await reviveAll(installation, servers, say);
    const outbox = installation.outboxReading();
    if (connect && outbox) {
      // It needs Kafka to start, and MariaDB to follow.
      await reviveAll(installation, { debezium: connect }, say);
      await followOutbox(connect.port, outbox);
      say('Debezium follows the outbox');
    }
    installation.writeEnvironment();
  });
}

async function reviveAll(
  { root, from }: Installation,
  servers: Partial<Record<ServerName, LocalServer>>,
  say: Say,
): Promise<void> {
  const all = Object.entries(servers) as [ServerName, LocalServer][];
  const answers = await Promise.all(all.map(([, server]) => isAnswering(server)));
  for (const [, { title, port }] of all.filter((_each, index) => answers[index]))
    say(`${title} answers on port ${port}`);
  const dead = all.filter((_each, index) => !answers[index]);
  const names = dead.map(([name]) => name);
  const inImages = (name: ServerName) => from === 'containers' && name in IMAGES;
  await ensureImages(names.filter(inImages) as (keyof typeof IMAGES)[], say);
  await ensurePrograms(
    names.filter((name) => !inImages(name)),
    root,
    say,
  );
  const starts = await Promise.allSettled(dead.map(([, server]) => revive(server, say)));
  const failures = starts.flatMap((start) => (start.status === 'rejected' ? [String(start.reason.message)] : []));
  if (failures.length > 0) throw new Error(failures.join('\n'));
}

/** Returns when no process of any server is left. */
export function down(root: string, { wipe }: { wipe: boolean }, say: Say): Promise<void> {
  return alone(root, say, async () => {
    const installation = Installation.find(root) ?? (await Installation.placeholder(root));
    await Promise.all(
      Object.values(installation.servers()).map(async (server) => {
        if (processesOf(server).length === 0) return say(`${server.title} does not run`);
        await end(server);
        say(`${server.title} is stopped`);
      }),
    );
    if (!wipe) return;
    installation.wipe();
    say('the data, ports and passwords are removed');
  });
}

export async function status(root: string): Promise<Status> {
  const installation = Installation.find(root);
  const servers = (installation ?? (await Installation.placeholder(root))).servers();
  const found = await Promise.all(
    Object.entries(servers).map(async ([name, server]): Promise<[string, ServerStatus]> => {
      const port = installation ? server.port : null;
      const state = await stateOf(server);
      return [name, { state, pid: state === 'stopped' ? null : (processesOf(server)[0] ?? null), port }];
    }),
  );
  return Object.fromEntries(found) as Status;
}

async function stateOf(server: LocalServer): Promise<ServerStatus['state']> {
  if (await isAnswering(server)) return 'running';
  return processesOf(server).length > 0 ? 'silent' : 'stopped';
}

async function isAnswering(server: LocalServer): Promise<boolean> {
  try {
    await server.ask();
    return true;
  } catch {
    return false;
  }
}

async function revive(server: LocalServer, say: Say): Promise<void> {
  const { title, port, folder } = server;
  if (processesOf(server).length > 0) {
    say(`${title} runs but does not answer; waiting`);
    if (await answersSoon(server)) return say(`${title} answers on port ${port}`);
    say(`${title} is silent; ending it`);
    await end(server);
  }
  if (!(await isFree(port))) {
    throw new Error(
      `Port ${port}, which ${title} was given at its first start, is taken by another program. End that one, or choose ` +
        'all ports anew, without the data: npm run infra:down -- --wipe',
    );
  }
  say(`${title} is starting on port ${port}, with its data and log in ${folder}`);
  await server.prepare();
  const startedAt = Date.now();
  await untilReady(server, launch(server, { diesWithLauncher: false }));
  say(`${title} answers on port ${port} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
}

async function answersSoon(server: LocalServer): Promise<boolean> {
  const giveUpAt = Date.now() + SILENCE_MS_MAX;
  while (Date.now() < giveUpAt && processesOf(server).length > 0) {
    if (await isAnswering(server)) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

function alone<T>(root: string, say: Say, work: () => Promise<T>): Promise<T> {
  return withLock(lockFile(root), work, () => say('another process starts or stops the servers; waiting for it'));
}
