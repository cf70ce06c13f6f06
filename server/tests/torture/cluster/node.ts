/** One node of a cluster, as `holdfast serve --roles …` starts it, in a process group of its own; what it logs is kept. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const READY_MS_MAX = 60_000;
const READY_POLL_MS = 25;
const QUIET = '--disable-warning=ExperimentalWarning';

interface Said {
  /** Epoch milliseconds. */
  at: number;
  message: string;
}

export interface NodeOptions {
  name: string;
  roles: string;
  port: number;
  /** Where its log goes. */
  folder: string;
  environment: NodeJS.ProcessEnv;
  sources: string;
}

export class ClusterNode {
  readonly name: string;
  readonly url: string;
  readonly roles: readonly string[];
  readonly #options: NodeOptions;
  readonly #log: WriteStream;
  readonly #said: Said[] = [];
  #child: ChildProcess | null = null;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.roles = options.roles.split(',');
    this.url = `http://127.0.0.1:${options.port}`;
    this.#log = createWriteStream(join(options.folder, `${options.name}.log`), { flags: 'a' });
  }

  get #environment(): NodeJS.ProcessEnv {
    const { environment, folder, port, name } = this.#options;
    const own = { HOLDFAST_DATA: join(folder, name), HOLDFAST_PORT: String(port), NODE_OPTIONS: '' };
    return { PATH: process.env.PATH, HOME: process.env.HOME, ...environment, ...own };
  }

  /** Starts it and waits until it says that it is ready. */
  async start(): Promise<void> {
    const { sources, roles } = this.#options;
    const program = [process.execPath, QUIET, join(sources, 'main.ts'), 'serve', '--roles', roles];
    // Whatever becomes of this process, its nodes end with it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...program], {
      detached: true,
      env: this.#environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    createInterface({ input: child.stderr }).on('line', (line) => this.#hear(line));
    const giveUpAt = Date.now() + READY_MS_MAX;
    while (!(await this.#isReady())) {
      if (child.exitCode !== null) throw new Error(`${this.name} ended with code ${child.exitCode}`);
      if (Date.now() > giveUpAt) throw new Error(`${this.name} does not become ready`);
      await delay(READY_POLL_MS);
    }
  }

  #hear(line: string): void {
    this.#log.write(`${line}\n`);
    if (!line.startsWith('{')) return;
    const { time, msg } = JSON.parse(line) as { time: number; msg?: string };
    this.#said.push({ at: time, message: msg ?? '' });
  }

  /** When it first said that, at or after an instant (both epoch milliseconds); null: it did not. */
  saidSince(sinceMs: number, message: string): number | null {
    return this.#said.find((said) => said.at >= sinceMs && said.message.startsWith(message))?.at ?? null;
  }

  async #isReady(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(1_000) });
      await response.text();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** What a command of the command line prints; throws when it ends with another code than 0. */
  async command(...args: string[]): Promise<string> {
    const program = [QUIET, join(this.#options.sources, 'main.ts'), ...args];
    const { stdout } = await promisify(execFile)(process.execPath, program, { env: this.#environment });
    return stdout;
  }

  suspend(): void {
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  /** kill -9 of the whole group. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    process.kill(-(child.pid as number), 'SIGKILL');
    await ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) process.kill(-this.#child.pid, signal);
  }
}
