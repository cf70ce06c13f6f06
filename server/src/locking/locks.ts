import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HeldLocks } from './held-locks.ts';
import { type Lease, type Lock, LockUnavailable } from './lock.ts';
import { inLockOrder, type LockKind, lockKindOf } from './lock-key.ts';
import { writeLockValue } from './lock-value.ts';

/** A lease that nobody extends ends after this. */
const TTL_MS = 10_000;
const TRIES = 3;
/** Before the second try, doubled before each further one. */
const BACKOFF_MS = 200;
const BACKOFF_MS_MAX = 2_000;
/** That share of each pause is drawn by lot, so that those who met once do not meet again. */
const JITTER_SHARE = 0.5;

/** What is told of locks, for the metrics. */
export interface LockObserver {
  /** All keys were taken, or given up, so long after they were asked for. */
  waited(ms: number): void;
  /** A key was held by somebody else; once for each key of an acquisition. */
  contended(kind: LockKind): void;
  /** A lock ended before it was given back. */
  lost(kind: LockKind): void;
  /** Of several keys, asked for in an order in which two could have waited for each other, one was held by somebody. */
  deadlockAvoided(): void;
  /** The servers could not be asked; what that means is told to the caller, or mends itself. */
  failed(error: unknown): void;
}

export interface AcquireOptions {
  ttlMs?: number;
  tries?: number;
  backoffMs?: number;
  backoffMsMax?: number;
  /** The request that it is for, as the lock's value shows it; drawn by lot without. */
  requestId?: string;
  /** Gives up waiting. */
  signal?: AbortSignal;
}

export type Acquisition =
  | { status: 'held'; held: HeldLocks }
  /** This key stayed with somebody else for all tries; nothing is held. */
  | { status: 'contended'; key: string };

/** Locks as a process takes them: by several tries, several keys in one order, extended until they are given back. */
export class Locks {
  readonly lock: Lock;
  readonly #nodeId: string;
  readonly #observer: LockObserver;

  /** @throws RangeError for a node id that could not stand in a lock's value. */
  constructor(parts: { lock: Lock; nodeId: string; observer: LockObserver }) {
    writeLockValue({ nodeId: parts.nodeId, timestampMs: 0, requestId: '' });
    this.lock = parts.lock;
    this.#nodeId = parts.nodeId;
    this.#observer = parts.observer;
  }

  /**
   * All of the keys, or none.
   * @throws LockUnavailable when the servers could not be asked at the last try.
   */
  async acquire(keys: readonly string[], options: AcquireOptions = {}): Promise<Acquisition> {
    const startedMs = performance.now();
    const { ttlMs = TTL_MS, requestId = randomUUID() } = options;
    const ordered = inLockOrder(keys);
    const contended = new Set<string>();
    const leases: Lease[] = [];
    try {
      for (const key of ordered) {
        const lease = await this.#takeOne(key, { ...options, ttlMs, requestId }, contended);
        if (lease === null) {
          await this.#giveBack(leases);
          return { status: 'contended', key };
        }
        leases.push(lease);
      }
    } catch (error) {
      await this.#giveBack(leases);
      throw error;
    } finally {
      this.#observer.waited(performance.now() - startedMs);
      if (contended.size > 0 && !isOrdered(keys, ordered)) this.#observer.deadlockAvoided();
    }
    return { status: 'held', held: new HeldLocks({ lock: this.lock, leases, ttlMs, observer: this.#observer }) };
  }

  /**
   * Does work that costs less when nobody else does the like: while the keys are held, or without them when they stay
   * with somebody else, or cannot be asked for.
   */
  async preferablyAlone<T>(keys: readonly string[], requestId: string, work: () => Promise<T>): Promise<T> {
    const held = await this.acquire(keys, { requestId }).then(
      (acquisition) => (acquisition.status === 'held' ? acquisition.held : null),
      (error: unknown) => {
        if (!(error instanceof LockUnavailable)) throw error;
        this.#observer.failed(error);
        return null;
      },
    );
    try {
      return await work();
    } finally {
      await held?.release();
    }
  }

  async #takeOne(
    key: string,
    options: AcquireOptions & { ttlMs: number; requestId: string },
    contended: Set<string>,
  ): Promise<Lease | null> {
    const { tries = TRIES, requestId, ttlMs, signal } = options;
    for (let tried = 1; ; tried += 1) {
      const last = tried === tries;
      const waitMs = pauseMs(tried, options);
      const startedMs = performance.now();
      // Each try is a lease of its own: an answer that comes late must not pass for that of the next one.
      const value = writeLockValue({
        nodeId: this.#nodeId,
        timestampMs: Date.now(),
        requestId: `${requestId}.${tried}`,
      });
      try {
        const lease = await this.lock.take({ key, value, ttlMs, waitMs: last ? 0 : waitMs });
        if (lease !== null) return lease;
        if (!contended.has(key)) this.#observer.contended(lockKindOf(key));
        contended.add(key);
      } catch (error) {
        if (last || !(error instanceof LockUnavailable)) throw error;
        this.#observer.failed(error);
      }
      if (last || signal?.aborted) return null;
      const leftMs = waitMs - (performance.now() - startedMs);
      if (leftMs > 0) await delay(leftMs, undefined, signal ? { signal } : {}).catch(() => undefined);
    }
  }

  async #giveBack(leases: readonly Lease[]): Promise<void> {
    for (const lease of leases.toReversed()) {
      await this.lock.release(lease).catch((error: unknown) => this.#observer.failed(error));
    }
  }
}

function pauseMs(tried: number, { backoffMs = BACKOFF_MS, backoffMsMax = BACKOFF_MS_MAX }: AcquireOptions): number {
  const whole = Math.min(backoffMsMax, backoffMs * 2 ** (tried - 1));
  return whole * (1 - JITTER_SHARE * Math.random());
}

function isOrdered(asked: readonly string[], ordered: readonly string[]): boolean {
  return [...new Set(asked)].every((key, index) => key === ordered[index]);
}
