/** For how long a cluster answered nobody, as its callers had it. */
import type { Till } from '../tills.ts';

const LOOK_MS = 10;

export class Interruption {
  readonly #timer: NodeJS.Timeout;
  readonly #tills: { till: Till; count: number; at: number }[];
  /** The longest time without an answer for one HQ. */
  #longestMs = 0;

  /** From now on, until `end`. */
  constructor(tills: Iterable<Till>) {
    const at = performance.now();
    this.#tills = [...tills].map((till) => ({ till, count: till.acknowledged.length, at }));
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const now = performance.now();
    for (const seen of this.#tills) {
      const count = seen.till.acknowledged.length;
      this.#longestMs = Math.max(this.#longestMs, now - seen.at);
      if (count === seen.count) continue;
      seen.count = count;
      seen.at = now;
    }
  }

  end(): number {
    clearInterval(this.#timer);
    return Math.round(this.#longestMs);
  }
}
