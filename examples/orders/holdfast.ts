/** A Holdfast of the example's own: embedded in a fresh folder, or a node on this checkout's local servers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readEnvironment } from '../../infra/installation.ts';
import { up } from '../../infra/local-servers.ts';
import { freePort } from '../../infra/ports.ts';
import { say } from '../../infra/progress.ts';
import type { Role } from '../../server/src/access/roles.ts';
import { loadTokenKey, sharedTokenKey } from '../../server/src/access/token-key.ts';
import { issueToken } from '../../server/src/access/tokens.ts';

const ROOT = join(import.meta.dirname, '../..');
const DATA = join(ROOT, '.infra', 'examples');
const READY_MS_MAX = 60_000;
const READY_POLL_MS = 50;
const TOKEN_TTL_MS = 3_600_000;

export interface Holdfast {
  url: string;
  token(role: Role, hqId: string, storeId?: string): Promise<string>;
  stop(): Promise<void>;
}

/** `--cluster`: on Redis, MariaDB and Kafka, which are started if they do not run. */
export function wantsCluster(usage: string): boolean {
  const { values } = parseArgs({
    options: { cluster: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (!values.help) return values.cluster;
  console.log(usage);
  process.exit(0);
}

export async function startHoldfast(cluster: boolean): Promise<Holdfast> {
  const port = await freePort();
  const data = join(DATA, String(port));
  rmSync(data, { recursive: true, force: true });
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOLDFAST_DATA: data,
    HOLDFAST_PORT: String(port),
    HOLDFAST_LOG: 'error',
    ...(cluster ? await clusterEnvironment() : {}),
  };
  const program = join(ROOT, 'server', 'src', 'main.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, 'serve'], {
    env: environment,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill());
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child);
  const secret = environment.JWT_SECRET;
  const key = secret === undefined ? loadTokenKey(data) : sharedTokenKey(secret);
  return {
    url,
    token: (role, hqId, storeId) =>
      issueToken(key, { role, hqId, storeId: storeId ?? null, ttlMs: TOKEN_TTL_MS }, Date.now()),
    stop: () => stop(child, data),
  };
}

async function clusterEnvironment(): Promise<NodeJS.ProcessEnv> {
  await up(ROOT, { extras: [] }, say);
  return { HOLDFAST_MODE: 'cluster', ...readEnvironment(ROOT) };
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const giveUpAt = Date.now() + READY_MS_MAX;
  while (!(await fetch(`${url}/health/ready`).catch(() => null))?.ok) {
    if (child.exitCode !== null) throw new Error(`Holdfast ended with code ${child.exitCode}; it says why above`);
    if (Date.now() > giveUpAt) throw new Error(`Holdfast is not ready after ${READY_MS_MAX / 1_000} s`);
    await delay(READY_POLL_MS);
  }
}

async function stop(child: ChildProcess, data: string): Promise<void> {
  if (child.exitCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  rmSync(data, { recursive: true, force: true });
}
