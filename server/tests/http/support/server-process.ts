/** `holdfast serve` as a process of its own, on a free port and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Role } from '../../../src/access/roles.ts';
import { loadTokenKey } from '../../../src/access/token-key.ts';
import { issueToken } from '../../../src/access/tokens.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
const READY_MS_MAX = 60_000;
const POLL_MS = 50;

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'holdfast-process-'));
}

/** A command of the command line, run to its end. */
export async function holdfast(args: string[], environment: Record<string, string>): Promise<Ended> {
  const child = start(args, environment);
  const output = collect(child);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { code, stdout: output.stdout(), stderr: output.stderr() };
}

function start(args: string[], environment: Record<string, string>): ChildProcess {
  const env = { PATH: process.env.PATH, ...environment };
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function collect(child: ChildProcess) {
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => {
    text.stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    text.stderr += chunk.toString();
  });
  return { stdout: () => text.stdout, stderr: () => text.stderr };
}

export class ServerProcess {
  readonly folder: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly #output: ReturnType<typeof collect>;

  private constructor(folder: string, port: number, child: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.child = child;
    this.#output = collect(child);
    this.ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  static async start(
    folder = newFolder(),
    port?: number,
    environment: Record<string, string> = {},
  ): Promise<ServerProcess> {
    const chosen = port ?? (await freePort());
    const child = start(['serve'], { HOLDFAST_DATA: folder, HOLDFAST_PORT: String(chosen), ...environment });
    return new ServerProcess(folder, chosen, child);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get stdout(): string {
    return this.#output.stdout();
  }

  get stderr(): string {
    return this.#output.stderr();
  }

  async ready(): Promise<void> {
    const giveUpAt = Date.now() + READY_MS_MAX;
    while ((await this.readiness()) !== 200) {
      if (Date.now() > giveUpAt || this.child.exitCode !== null)
        throw new Error(`the server is not ready: ${await this.#whyNot()}\n${this.stderr}`);
      await delay(POLL_MS);
    }
  }

  async #whyNot(): Promise<string> {
    if (this.child.exitCode !== null) return `it ended with code ${this.child.exitCode}`;
    return fetch(`${this.url}/health/ready`).then((response) => response.text(), String);
  }

  /** The status of its readiness; null: it does not answer. */
  async readiness(): Promise<number | null> {
    return (await fetch(`${this.url}/health/ready`).catch(() => null))?.status ?? null;
  }

  token(role: Role, hqId: string | null = 'HQ001', storeId: string | null = null, ttlMs = 600_000): Promise<string> {
    return issueToken(loadTokenKey(this.folder), { role, hqId, storeId, ttlMs }, Date.now());
  }

  async ask(method: string, path: string, body?: unknown, token?: string): Promise<Response> {
    const authorization = `Bearer ${token ?? (await this.token('admin'))}`;
    const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    return fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }

  /** STORE001 with plenty of PRD001. */
  async stockUp(): Promise<void> {
    await this.ask('PUT', '/api/v1/admin/stores/STORE001', { name: 'A store' });
    await this.ask('PUT', '/api/v1/admin/products/PRD001', { name: 'A product' });
    const body = { storeId: 'STORE001', quantity: 1_000_000, transactionId: 'stock-up' };
    const { status } = await this.ask('POST', '/api/v1/admin/inventory/PRD001/add', body);
    if (status !== 200) throw new Error(`stocking up was answered ${status}`);
  }

  reserve(transactionId: string): Promise<Response> {
    const body = { storeId: 'STORE001', transactionId, items: [{ productId: 'PRD001', quantity: 1 }] };
    return this.ask('POST', '/api/v1/inventory/reserve', body);
  }

  /** Ends it, however it is, and removes its folder. */
  async dispose(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
