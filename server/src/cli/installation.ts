/**
 * Commands that touch data go through the running server if there is one, else they open the data themselves. To a
 * server they show a short token of their own, signed with the data folder's key: who can read that may do all.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { issueToken } from '../access/tokens.ts';
import type { RunningApplication } from '../application.ts';
import { findRunningServer } from '../data-folder/data-folder.ts';
import { type ClusterConfiguration, readClusterConfiguration } from './cluster-configuration.ts';
import { readConfiguration } from './configuration.ts';
import type { Environment } from './environment.ts';
import { CommandFailed } from './failures.ts';
import { openLog } from './log.ts';
import { openInstallation } from './open-installation.ts';
import { tokenKey } from './token.ts';

/** Who does what commands do. */
export const COMMAND_LINE = 'command-line';
const TOKEN_TTL_MS = 24 * 3_600_000;
const NODE_ANSWER_MS_MAX = 1_000;
const READY_MS_MAX = 60_000;
const READY_CHECK_MS = 50;
/** Of a command that finds no node: enough to have its own commands recorded, and to read what they did. */
const OWN_ROLES = 'recorder,projector';

/** @throws CommandFailed with what the server said. */
export class ServerClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async get(path: string, init: Pick<RequestInit, 'signal' | 'headers'> = {}): Promise<Response> {
    return this.#send(path, { method: 'GET', ...init });
  }

  /** A request without a body that is answered by JSON. */
  async ask<Result>(method: 'GET' | 'POST' | 'DELETE', path: string): Promise<Result> {
    return (await (await this.#send(path, { method })).json()) as Result;
  }

  /** A POST that is answered by lines of progress; resolves with its result. */
  async work<Result, Progress>(path: string, body: unknown, onProgress: (progress: Progress) => void): Promise<Result> {
    const response = await this.#send(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    return toldBy(response, onProgress);
  }

  /** A CSV file, sent as it is read; otherwise as `work`. */
  async upload<Result, Progress>(
    path: string,
    file: AsyncIterable<Uint8Array>,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Result> {
    const response = await this.#send(path, {
      method: 'POST',
      body: ReadableStream.from(file) as unknown as NonNullable<RequestInit['body']>,
      headers: { 'content-type': 'text/csv', accept: 'application/x-ndjson' },
      duplex: 'half',
      signal,
    });
    return toldBy(response, onProgress);
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token}`, ...(init.headers as Record<string, string>) };
    const response = await fetch(this.#url + path, { ...init, headers }).catch((error: Error) => {
      throw new CommandFailed(`The server at ${this.#url} does not answer: ${String(error.cause ?? error.message)}`);
    });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { detail?: string; code?: string };
    const said = `The server answered ${response.status} ${problem.code ?? ''}: ${problem.detail ?? ''}`;
    throw new CommandFailed(said, problem.code);
  }
}

/** Lines of progress, then the result. */
async function toldBy<Result, Progress>(response: Response, onProgress: (progress: Progress) => void): Promise<Result> {
  for await (const line of linesOf(response)) {
    const told = JSON.parse(line) as { progress?: Progress; result?: Result; error?: string };
    if (told.progress !== undefined) onProgress(told.progress);
    if (told.error !== undefined) throw new CommandFailed(told.error);
    if (told.result !== undefined) return told.result;
  }
  throw new CommandFailed('The server ended the connection before it was done.');
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

export interface WaysIn<Result> {
  throughServer: (client: ServerClient) => Promise<Result>;
  onData: (application: RunningApplication) => Promise<Result>;
}

/** For what only a running server can tell. @throws CommandFailed when none runs */
export async function runningServer(environment: Environment): Promise<ServerClient> {
  const configuration = readConfiguration(environment);
  const cluster = configuration.mode === 'cluster' ? readClusterConfiguration(environment, OWN_ROLES) : null;
  const url = cluster === null ? serverOf(configuration.dataFolder) : await nodeOf(cluster);
  if (url !== null) return new ServerClient(url, await ownToken(environment));
  const place = cluster === null ? `on the data in ${configuration.dataFolder}` : 'in this cluster';
  throw new CommandFailed(`No server runs ${place}: start one (holdfast serve), then ask again.`);
}

/** @throws CommandFailed when there is no data, or it is in use by a server that cannot be asked. */
export async function withInstallation<Result>(environment: Environment, ways: WaysIn<Result>): Promise<Result> {
  const configuration = readConfiguration(environment);
  const cluster = configuration.mode === 'cluster' ? readClusterConfiguration(environment, OWN_ROLES) : null;
  const url = cluster === null ? serverOf(configuration.dataFolder) : await nodeOf(cluster);
  if (url !== null) return ways.throughServer(new ServerClient(url, await ownToken(environment)));
  const application = await openInstallation(environment, {
    configuration,
    cluster,
    log: openLog(environment.HOLDFAST_LOG === undefined ? 'warn' : configuration.logLevel),
    onFatal: (reason) => {
      process.stderr.write(`holdfast: ${reason}\n`);
      process.exit(1);
    },
  });
  try {
    await untilReady(application);
    return await ways.onData(application);
  } finally {
    await application.stop();
  }
}

/** Without a node the engine of a cluster is filled by this process, once it has the partitions. */
async function untilReady(application: RunningApplication): Promise<void> {
  const giveUpAt = performance.now() + READY_MS_MAX;
  while (!application.isReady()) {
    if (performance.now() > giveUpAt) {
      const { reasons } = application.readiness();
      throw new CommandFailed(`The stock cannot be opened: ${reasons.join('; ')}. Try again once that is mended.`);
    }
    await delay(READY_CHECK_MS);
  }
}

function serverOf(dataFolder: string): string | null {
  if (!existsSync(dataFolder))
    throw new CommandFailed(`There is no data in ${dataFolder}; HOLDFAST_DATA names another folder.`);
  return findRunningServer(dataFolder)?.url ?? null;
}

/** A node that answers here; one that listens for its own machine alone is no way in. */
async function nodeOf(cluster: ClusterConfiguration): Promise<string | null> {
  const { addressesOfNodes } = await import('../compose-cluster.ts');
  for (const url of await addressesOfNodes(cluster.redis)) {
    const signal = AbortSignal.timeout(NODE_ANSWER_MS_MAX);
    const response = await fetch(`${url}/health/ready`, { signal }).catch(() => null);
    if (response?.ok) return url;
  }
  return null;
}

function ownToken(environment: Environment): Promise<string> {
  const grant = { role: 'admin' as const, hqId: null, storeId: null, subject: COMMAND_LINE, ttlMs: TOKEN_TTL_MS };
  return issueToken(tokenKey(environment), grant, Date.now());
}
