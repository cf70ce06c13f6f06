/** What is measured runs in a process of its own, so that neither side's garbage nor warm code helps or hurts the other. */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Profiling } from './profile.ts';

interface Call {
  id: number;
  method: string;
  args: unknown[];
}

type Answer = { id: number; value: unknown } | { id: number; error: string };

export interface StartOptions {
  args?: string[];
  /** For Node itself. */
  flags?: string[];
  env?: Record<string, string>;
  profiling?: Profiling | null;
}

const STOP_MS_MAX = 30_000;
const SAID_MAX = 4_000;

/** A process that answers calls (`serveCalls`). */
export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #ended: Error | null = null;
  #said = '';

  constructor(child: ChildProcess, name: string) {
    this.#child = child;
    child.on('message', (answer: Answer) => this.#answered(answer));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_MAX);
    });
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#ended = new Error(`${name} ended with ${signal ?? `code ${code}`}\n${this.#said}`);
        for (const { reject } of this.#waiting.values()) reject(this.#ended);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  static start(module: URL, options: StartOptions = {}): MeasuredProcess {
    const { args = [], flags = [], env = {}, profiling = null } = options;
    const path = fileURLToPath(module);
    const child = fork(path, args, {
      execArgv: ['--disable-warning=ExperimentalWarning', ...flags, ...(profiling?.flags() ?? [])],
      env: { ...process.env, ...env },
      serialization: 'advanced',
      // What it says is shown when it fails.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    return new MeasuredProcess(child, path);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<T>(method: string, ...args: unknown[]): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, method, args } satisfies Call);
    });
  }

  /** Lets the process end by itself, so that a profile is written; then by force. */
  async stop(): Promise<void> {
    if (this.#ended !== null) return;
    this.#child.disconnect();
    const late = delay(STOP_MS_MAX, 'late', { ref: false });
    if ((await Promise.race([this.#exited, late])) === 'late') this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #answered(answer: Answer): void {
    const waiter = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiter?.reject(new Error(answer.error));
    else waiter?.resolve(answer.value);
  }
}

/** Serves the calls of a `MeasuredProcess`. When that one lets go, the process ends, or does what `onEnd` says. */
export function serveCalls(
  handlers: Record<string, (...args: never[]) => unknown>,
  onEnd: () => unknown = () => process.exit(0),
): void {
  process.on('message', async ({ id, method, args }: Call) => {
    try {
      const handler = handlers[method];
      if (handler === undefined) throw new Error(`there is no function ${method}`);
      process.send?.({ id, value: await handler(...(args as never[])) });
    } catch (error) {
      process.send?.({ id, error: (error as Error).stack ?? String(error) });
    }
  });
  process.on('disconnect', onEnd);
}
