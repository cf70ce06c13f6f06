import type { Lease, Lock } from './lock.ts';
import { lockKindOf } from './lock-key.ts';
import type { LockObserver } from './locks.ts';

/** Extended after this part of the time for which they are held. */
const EXTEND_SHARE = 1 / 3;
/** And after an extension that was not answered. */
const RETRY_SHARE = 1 / 10;

export interface HeldParts {
  lock: Lock;
  leases: readonly Lease[];
  ttlMs: number;
  observer: LockObserver;
}

/**
 * Locks that are held, and extended until they are given back. They are lost together: when one was not extended in
 * time, or was found to be held no more. A process that was stalled learns it when it goes on, so work that must not
 * be done by two asks `held` before each step, and what it writes to compares the fencing token.
 */
export class HeldLocks {
  readonly #lock: Lock;
  readonly #ttlMs: number;
  readonly #observer: LockObserver;
  readonly #lost = new AbortController();
  readonly #ended = Promise.withResolvers<string | null>();
  #leases: readonly Lease[];
  #extension: NodeJS.Timeout | undefined;
  #end: NodeJS.Timeout | undefined;
  #heldForMs = 0;
  #open = true;

  constructor({ lock, leases, ttlMs, observer }: HeldParts) {
    this.#lock = lock;
    this.#leases = leases;
    this.#ttlMs = ttlMs;
    this.#observer = observer;
    this.#watch();
  }

  /** Whether all of them are certainly held at this moment. */
  get held(): boolean {
    return this.#open && performance.now() < this.#validUntilMs;
  }

  /** Aborted when they are lost; its reason says how. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Resolves when they are held no more: with the reason when they were lost, with null when they were given back. */
  get ended(): Promise<string | null> {
    return this.#ended.promise;
  }

  /** @throws RangeError for a key that is not among them. */
  fencingToken(key: string): number {
    const lease = this.#leases.find((each) => each.key === key);
    if (lease === undefined) throw new RangeError(`${key} is not among the locks that are held`);
    return lease.fencingToken;
  }

  /** Gives them back; what the servers cannot be told ends by itself. */
  async release(): Promise<void> {
    if (!this.#open) return;
    this.#close();
    this.#ended.resolve(null);
    await this.#giveBack();
  }

  get #validUntilMs(): number {
    return Math.min(...this.#leases.map(({ validUntilMs }) => validUntilMs));
  }

  #watch(): void {
    this.#heldForMs = Math.max(0, this.#validUntilMs - performance.now());
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#lose('it was not extended in time'), this.#heldForMs);
    this.#end.unref();
    this.#extendIn(this.#heldForMs * EXTEND_SHARE);
  }

  #extendIn(ms: number): void {
    this.#extension = setTimeout(() => void this.#extend(), ms);
    this.#extension.unref();
  }

  async #extend(): Promise<void> {
    // After a stall this may be called before the end is: what has ended is not extended, though nobody else took it.
    if (!this.held) return this.#lose('it was not extended in time');
    try {
      const extended = await Promise.all(this.#leases.map((lease) => this.#lock.extend(lease, this.#ttlMs)));
      if (!this.#open) return;
      const gone = extended.indexOf(null);
      if (gone >= 0) return this.#lose(`${this.#leases[gone]!.key} is held no more`);
      this.#leases = extended.filter((lease) => lease !== null);
      this.#watch();
    } catch (error) {
      this.#observer.failed(error);
      if (this.#open) this.#extendIn(this.#heldForMs * RETRY_SHARE);
    }
  }

  #lose(reason: string): void {
    if (!this.#open) return;
    this.#close();
    for (const { key } of this.#leases) this.#observer.lost(lockKindOf(key));
    this.#ended.resolve(reason);
    this.#lost.abort(new Error(`The lock was lost: ${reason}.`));
    // An extension may be under way that keeps the key from others for another TTL.
    void this.#giveBack();
  }

  #close(): void {
    this.#open = false;
    clearTimeout(this.#extension);
    clearTimeout(this.#end);
  }

  async #giveBack(): Promise<void> {
    for (const lease of this.#leases.toReversed()) {
      await this.#lock.release(lease).catch((error: unknown) => this.#observer.failed(error));
    }
  }
}
