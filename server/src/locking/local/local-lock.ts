import { validUntil } from '../lease-time.ts';
import type { Lease, LeaseRequest, Lock, LockHolder } from '../lock.ts';

interface Held {
  value: string;
  fencingToken: number;
  endsAtMs: number;
}

/** Locks among the callers of one process. They end with it. */
export class LocalLock implements Lock {
  readonly queues = false;
  readonly #held = new Map<string, Held>();
  #lastToken = 0;

  async take({ key, value, ttlMs }: LeaseRequest): Promise<Lease | null> {
    const nowMs = performance.now();
    const held = this.#of(key, nowMs);
    if (held !== undefined && held.value !== value) return null;
    const fencingToken = held?.fencingToken ?? ++this.#lastToken;
    this.#held.set(key, { value, fencingToken, endsAtMs: nowMs + ttlMs });
    return { key, value, fencingToken, validUntilMs: validUntil(nowMs, ttlMs) };
  }

  async extend(lease: Lease, ttlMs: number): Promise<Lease | null> {
    const nowMs = performance.now();
    const held = this.#of(lease.key, nowMs);
    if (held?.value !== lease.value) return null;
    held.endsAtMs = nowMs + ttlMs;
    return { ...lease, validUntilMs: validUntil(nowMs, ttlMs) };
  }

  async release({ key, value }: Lease): Promise<boolean> {
    if (this.#of(key, performance.now())?.value !== value) return false;
    return this.#held.delete(key);
  }

  async holders(): Promise<LockHolder[]> {
    const nowMs = performance.now();
    return [...this.#held.keys()].sort().flatMap((key) => {
      const held = this.#of(key, nowMs);
      if (held === undefined) return [];
      return [{ key, value: held.value, remainingMs: held.endsAtMs - nowMs }];
    });
  }

  async close(): Promise<void> {
    this.#held.clear();
  }

  #of(key: string, nowMs: number): Held | undefined {
    const held = this.#held.get(key);
    if (held === undefined || held.endsAtMs > nowMs) return held;
    this.#held.delete(key);
    return undefined;
  }
}
