/**
 * One clock for all commands that wait for a reply. A timer and an abort signal for each would cost more than the
 * command itself.
 */
export class ReplyDeadlines {
  readonly #waiting: Waiting[] = [];
  #first = 0;
  readonly #msMax: number;
  readonly #onLate: () => void;
  #timer: NodeJS.Timeout | null = null;

  /** `onLate` hears that commands have waited longer than `msMax`. */
  constructor(msMax: number, onLate: () => void) {
    this.#msMax = msMax;
    this.#onLate = onLate;
  }

  /** Rejects with `late()` where the reply takes too long. */
  bound<T>(reply: Promise<T>, late: () => Error): Promise<T> {
    this.#timer ??= setInterval(() => this.#check(), this.#msMax / 8).unref();
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = { sinceMs: performance.now(), fail: () => reject(late()), done: false };
      this.#waiting.push(waiting);
      reply.then(
        (value) => {
          waiting.done = true;
          resolve(value);
        },
        (error: unknown) => {
          waiting.done = true;
          reject(error as Error);
        },
      );
    });
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** They wait in the order in which they were sent, so the late ones come first. */
  #check(): void {
    const dueBefore = performance.now() - this.#msMax;
    let late = false;
    for (; this.#first < this.#waiting.length; this.#first += 1) {
      const waiting = this.#waiting[this.#first] as Waiting;
      if (waiting.done) continue;
      if (waiting.sinceMs > dueBefore) break;
      waiting.fail();
      late = true;
    }
    this.#waiting.splice(0, this.#first);
    this.#first = 0;
    if (late) this.#onLate();
  }
}

interface Waiting {
  sinceMs: number;
  fail: () => void;
  done: boolean;
}
