/** The real server, started as `npm start` starts it, in a process group of its own that can be killed at once. */
import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const SOURCES = join(import.meta.dirname, '../../src');
const READY_MS_MAX = 60_000;
const QUIET = '--disable-warning=ExperimentalWarning';

export class ServerProcess {
  readonly port: number;
  readonly #folder: string;
  readonly #entry: string;
  readonly #log: WriteStream;
  #child: ChildProcess | null = null;

  private constructor(folder: string, sources: string, port: number) {
    this.#folder = folder;
    this.#entry = join(sources, 'main.ts');
    this.port = port;
    this.#log = createWriteStream(join(folder, '..', 'server.log'), { flags: 'a' });
  }

  static async create(folder: string, sources = SOURCES): Promise<ServerProcess> {
    return new ServerProcess(folder, sources, await freePort());
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, HOLDFAST_DATA: this.#folder, HOLDFAST_PORT: String(this.port), NODE_OPTIONS: '' };
  }

  /** Prints what a command of the command line says; throws when it ends with another code than 0. */
  command(...args: string[]): string {
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
    const options = { encoding: 'utf8' as const, env: this.#environment, stdio };
    return execFileSync(process.execPath, [QUIET, this.#entry, ...args], options);
  }

  /** Starts it and waits until it takes commands. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [QUIET, this.#entry, 'serve'], {
      detached: true,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    this.#child = child;
    const startedAt = Date.now();
    while (!(await this.#isReady())) {
      if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
      if (Date.now() - startedAt > READY_MS_MAX) throw new Error('the server does not become ready');
      await delay(20);
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/health/ready`);
      await response.text();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** kill -9 of the whole group. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid, signal);
    await ended;
    this.#child = null;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject()));
    });
  });
}
