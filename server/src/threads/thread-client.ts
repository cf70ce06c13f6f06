import { Worker } from 'node:worker_threads';

/** What crosses between threads: a call, and its answer. */
export interface ThreadCall {
  id: number;
  method: string;
  args: unknown[];
}

export type ThreadAnswer =
  | { id: number; value: unknown }
  | { id: number; error: { name: string; message: string; code: string | undefined } };

/** An error that another thread threw, with the name and code that it had there. */
class ThreadError extends Error {
  readonly code: string | undefined;

  constructor(error: { name: string; message: string; code: string | undefined }) {
    super(error.message);
    this.name = error.name;
    this.code = error.code;
  }
}

interface Waiter {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** Calls functions of a worker thread (`serveThread`), answered in the order of the calls. */
export class ThreadClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiter>();
  #nextId = 1;
  #failure: Error | null = null;

  constructor(module: URL, workerData: unknown) {
    this.#worker = new Worker(module, { workerData });
    this.#worker.on('message', (answer: ThreadAnswer) => this.#answered(answer));
    this.#worker.on('error', (error) => this.#fail(error as Error));
    this.#worker.on('exit', (code) =>
      this.#fail(new Error(`the thread of ${module.pathname} ended with code ${code}`)),
    );
  }

  call<T>(method: string, ...args: unknown[]): Promise<T> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, method, args } satisfies ThreadCall);
    });
  }

  /** Waits for the calls under way, then ends the thread. */
  async close(): Promise<void> {
    if (this.#failure !== null) return;
    await this.call('close').catch(() => undefined);
    this.#failure = new Error('the thread is closed');
    await this.#worker.terminate();
  }

  #answered(answer: ThreadAnswer): void {
    const waiter = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiter?.reject(new ThreadError(answer.error));
    else waiter?.resolve(answer.value);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiters = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiter of waiters) waiter.reject(this.#failure);
  }
}
