import { setTimeout as delay } from 'node:timers/promises';
import type { HeldLocks } from './held-locks.ts';
import { roleLock } from './lock-key.ts';
import type { AcquireOptions, Locks } from './locks.ts';

/** While another one leads. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 1_000;

/** One time of leading. */
export interface Term {
  /** Greater than that of every earlier leader. */
  fencingToken: number;
  /** Aborted when the lead is lost. */
  signal: AbortSignal;
}

export interface LeadershipParts {
  locks: Locks;
  /** `relay`, `scheduler`, … */
  role: string;
  /** How long the others wait for a leader that died. */
  ttlMs?: number;
  onGained: (term: Term) => void;
  /** `reason` is null when it was given up by `stop`. */
  onLost: (reason: string | null) => void;
  onError: (error: unknown) => void;
}

/**
 * Leads in a role whenever no other process does. Between two leaders there may be a moment of both only for one that
 * was stalled: what it does then must be fenced, or harmless when it is done twice.
 */
export class Leadership {
  readonly #parts: LeadershipParts;
  readonly #stopping = new AbortController();
  #isLeading = () => false;
  #running: Promise<void> | null = null;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  get leads(): boolean {
    return this.#isLeading();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Lets another one lead. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { locks, role, ttlMs, onError } = this.#parts;
    const options: AcquireOptions = {
      tries: Number.POSITIVE_INFINITY,
      backoffMs: RETRY_MS,
      backoffMsMax: RETRY_MS_MAX,
      signal: this.#stopping.signal,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    };
    while (!this.#stopping.signal.aborted) {
      try {
        const acquisition = await locks.acquire([roleLock(role)], options);
        if (acquisition.status === 'held') await this.#lead(acquisition.held);
      } catch (error) {
        onError(error);
        await delay(RETRY_MS_MAX, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  async #lead(held: HeldLocks): Promise<void> {
    const { role, onGained, onLost } = this.#parts;
    const giveUp = () => void held.release();
    this.#stopping.signal.addEventListener('abort', giveUp, { once: true });
    if (this.#stopping.signal.aborted) giveUp();
    this.#isLeading = () => held.held;
    try {
      onGained({ fencingToken: held.fencingToken(roleLock(role)), signal: held.signal });
      onLost(await held.ended);
    } finally {
      this.#isLeading = () => false;
      this.#stopping.signal.removeEventListener('abort', giveUp);
      await held.release();
    }
  }
}
