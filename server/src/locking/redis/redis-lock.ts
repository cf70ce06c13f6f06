import { validUntil } from '../lease-time.ts';
import type { Lease, LeaseRequest, Lock, LockHolder } from '../lock.ts';
import { RedisLockNode, type RedisLockServer } from './redis-lock-node.ts';

const ANSWER_MS_MAX = 2_000;

/**
 * Locks in one Redis, standalone, behind Sentinel, or Cluster. A failover to a replica that has not heard of a lease
 * lets two hold it: where that costs more than work done twice, take `Redlock`, or compare fencing tokens.
 */
export class RedisLock implements Lock {
  readonly queues = false;
  readonly #node: RedisLockNode;

  constructor(server: RedisLockServer, answerMsMax = ANSWER_MS_MAX) {
    this.#node = new RedisLockNode(server, answerMsMax);
  }

  async take(request: LeaseRequest): Promise<Lease | null> {
    const { key, value, ttlMs } = request;
    const askedAtMs = performance.now();
    try {
      const fencingToken = await this.#node.take(request);
      if (fencingToken === null) return null;
      return { key, value, fencingToken, validUntilMs: validUntil(askedAtMs, ttlMs) };
    } catch (error) {
      // It may be taken all the same, now or in a moment; this goes the same way behind it.
      this.#node.release(request).catch(() => undefined);
      throw error;
    }
  }

  async extend(lease: Lease, ttlMs: number): Promise<Lease | null> {
    const askedAtMs = performance.now();
    if (!(await this.#node.extend(lease, ttlMs))) return null;
    return { ...lease, validUntilMs: validUntil(askedAtMs, ttlMs) };
  }

  release(lease: Lease): Promise<boolean> {
    return this.#node.release(lease);
  }

  holders(): Promise<LockHolder[]> {
    return this.#node.holders();
  }

  async close(): Promise<void> {
    this.#node.close();
  }
}
