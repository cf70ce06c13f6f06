/**
 * Commands that touch data go through the running server if there is one, else they open the data themselves. To a
 * server they show a short token of their own, signed with the data folder's key: who can read that may do all.
 */
import { existsSync } from 'node:fs';
import { issueToken } from '../access/tokens.ts';
import { openApplication, type RunningApplication } from '../compose.ts';
import { findRunningServer } from '../data-folder/data-folder.ts';
import { dataFolderOf, modeOf, readConfiguration } from './configuration.ts';
import type { Environment } from './environment.ts';
import { CommandFailed } from './failures.ts';
import { openLog } from './log.ts';
import { tokenKey } from './token.ts';

const TOKEN_TTL_MS = 24 * 3_600_000;

/** @throws CommandFailed with what the server said. */
export class ServerClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async get(path: string): Promise<Response> {
    return this.#send(path, { method: 'GET' });
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
    throw new CommandFailed(`The server answered ${response.status} ${problem.code ?? ''}: ${problem.detail ?? ''}`);
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

/** @throws CommandFailed when there is no data, or it is in use by a server that cannot be asked. */
export async function withInstallation<Result>(environment: Environment, ways: WaysIn<Result>): Promise<Result> {
  const dataFolder = dataFolderOf(environment);
  const configuration = readConfiguration(environment);
  if (modeOf(environment) === 'cluster') throw new CommandFailed('HOLDFAST_MODE=cluster is not part of this version.');
  if (!existsSync(dataFolder))
    throw new CommandFailed(`There is no data in ${dataFolder}; HOLDFAST_DATA names another folder.`);
  const server = findRunningServer(dataFolder);
  if (server !== null) return ways.throughServer(new ServerClient(server.url, await ownToken(environment)));
  const application = await openApplication({
    dataFolder,
    log: openLog(environment.HOLDFAST_LOG === undefined ? 'warn' : configuration.logLevel),
    onFatal: (reason) => {
      process.stderr.write(`holdfast: ${reason}\n`);
      process.exit(1);
    },
  });
  try {
    return await ways.onData(application);
  } finally {
    await application.stop();
  }
}

function ownToken(environment: Environment): Promise<string> {
  const grant = { role: 'admin' as const, hqId: null, storeId: null, subject: 'command-line', ttlMs: TOKEN_TTL_MS };
  return issueToken(tokenKey(environment), grant, Date.now());
}
