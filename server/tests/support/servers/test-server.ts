/**
 * A real server for a test: data in a folder of its own below `.infra/test/`, on a port that was free. It ends with the
 * process that started it, however that ends; the folder goes with it, or with a later run.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer } from '../../../../infra/local-server.ts';
import { launch, STOP_MS_MAX, STOP_REMINDER_MS, untilReady } from '../../../../infra/processes.ts';

export const ROOT = join(import.meta.dirname, '../../../..');
export const TEST_FOLDER = join(ROOT, '.infra', 'test');
const RUNS = join(TEST_FOLDER, 'runs');

const running = new Set<TestServer>();
let made = 0;

/** A new folder for one server of this process. */
export function serverFolder(name: string): string {
  if (made === 0) process.once('exit', endAll);
  made += 1;
  const folder = join(RUNS, String(process.pid), `${made}-${name}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function endAll(): void {
  for (const server of running) server.signal('SIGKILL');
  rmSync(join(RUNS, String(process.pid)), { recursive: true, force: true, maxRetries: 3 });
}

/** Removes the folders of processes that are gone, and ends what still runs there. */
export function sweepFolders(): void {
  mkdirSync(RUNS, { recursive: true });
  for (const name of readdirSync(RUNS)) {
    try {
      process.kill(Number(name), 0);
    } catch {
      const folder = join(RUNS, name);
      for (const pid of processesNaming(`${folder}/`)) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

/** Processes that have the text in their command line. */
export function processesNaming(text: string): number[] {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

export class TestServer {
  readonly #server: LocalServer;
  #child: ChildProcess | null = null;

  constructor(server: LocalServer) {
    this.#server = server;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Its settings, data and log. A test may change the data while it is stopped. */
  get folder(): string {
    return this.#server.folder;
  }

  /** Of the server itself. @throws while it is down. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.#server.title} is down: it has no process`);
    return this.#child.pid;
  }

  get isUp(): boolean {
    return this.#child !== null;
  }

  /** Returns when it answers: on the same port, with the data that are there. */
  async start(): Promise<void> {
    if (this.#child) return;
    await this.#server.prepare();
    const child = launch(this.#server, { diesWithLauncher: true });
    this.#child = child;
    running.add(this);
    child.once('exit', () => {
      if (this.#child !== child) return;
      this.#child = null;
      running.delete(this);
    });
    await untilReady(this.#server, child);
  }

  /** Asks it to end in good order and waits until it has; one that does not is killed. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Stops it if it runs, and starts it. After `kill()`: the recovery from a crash. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGSTOP: it holds its connections and answers nothing, until `resume()`. */
  suspend(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const ended = once(child, 'exit');
    child.ref();
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    child.kill(signal);
    // One that was suspended hears SIGTERM only now.
    child.kill('SIGCONT');
    const reminder = setInterval(() => child.kill(signal), STOP_REMINDER_MS);
    await ended;
    clearInterval(reminder);
    clearTimeout(impatience);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
