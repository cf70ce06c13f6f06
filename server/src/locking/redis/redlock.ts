import { validUntil } from '../lease-time.ts';
import { type Lease, type LeaseRequest, type Lock, type LockHolder, LockUnavailable } from '../lock.ts';
import { RedisLockNode, type RedisLockServer } from './redis-lock-node.ts';

const NODES_MIN = 3;
/** A node that does not answer must not use up the lease that the others gave. */
const ANSWER_MS_MAX = 500;

/**
 * Locks over several Redis servers that know nothing of each other: held by whoever has a majority of them, so a
 * minority may be down, stalled or cut off. Method: Redlock,
 * https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/, with one round more: the greatest fencing
 * token is told to a majority before the lease counts, so that the next one, whose majority shares a server with this,
 * gets a greater one. A server that restarts without its data forgets what it gave: let it keep `appendonly` with
 * `appendfsync always`, or start it one TTL late.
 */
export class Redlock implements Lock {
  readonly queues = false;
  readonly #nodes: readonly RedisLockNode[];
  readonly #majority: number;

  /** @throws RangeError for fewer than three servers, or an even number: one more would survive no more failures. */
  constructor(servers: readonly RedisLockServer[], answerMsMax = ANSWER_MS_MAX) {
    if (servers.length < NODES_MIN || servers.length % 2 === 0) {
      throw new RangeError(
        `Redlock takes an odd number of servers from ${NODES_MIN} on, and was given ${servers.length}`,
      );
    }
    this.#nodes = servers.map((server) => new RedisLockNode(server, answerMsMax));
    this.#majority = Math.floor(servers.length / 2) + 1;
  }

  async take(request: LeaseRequest): Promise<Lease | null> {
    const { key, value, ttlMs } = request;
    const askedAtMs = performance.now();
    const validUntilMs = validUntil(askedAtMs, ttlMs);
    try {
      const tokens = await this.#ask((node) => node.take(request));
      if (tokens !== null) {
        const fencingToken = Math.max(...tokens);
        const raised = await this.#ask(async (node) => (await node.raise(request, fencingToken)) || null);
        if (raised !== null && performance.now() < validUntilMs) return { key, value, fencingToken, validUntilMs };
      }
    } catch (error) {
      this.#giveBack(request);
      throw error;
    }
    this.#giveBack(request);
    return null;
  }

  async extend(lease: Lease, ttlMs: number): Promise<Lease | null> {
    const askedAtMs = performance.now();
    const extended = await this.#ask(async (node) => (await node.extend(lease, ttlMs)) || null);
    if (extended !== null) return { ...lease, validUntilMs: validUntil(askedAtMs, ttlMs) };
    this.#giveBack(lease);
    return null;
  }

  async release(lease: Lease): Promise<boolean> {
    return (await this.#ask(async (node) => (await node.release(lease)) || null)) !== null;
  }

  /** Those that a majority of the servers names. */
  async holders(): Promise<LockHolder[]> {
    const answers = await Promise.allSettled(this.#nodes.map((node) => node.holders()));
    const lists = answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value);
    if (lists.length < this.#majority) throw unavailable(answers);
    const byLease = Map.groupBy(lists.flat(), ({ key, value }) => `${key} ${value}`);
    return [...byLease.values()]
      .filter((named) => named.length >= this.#majority)
      .map((named) => ({
        key: named[0]!.key,
        value: named[0]!.value,
        remainingMs: Math.min(...named.map(({ remainingMs }) => remainingMs ?? 0)),
      }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async close(): Promise<void> {
    for (const node of this.#nodes) node.close();
  }

  /** On every server, for a server that did not answer may have it all the same. */
  #giveBack(lease: Pick<Lease, 'key' | 'value'>): void {
    for (const node of this.#nodes) node.release(lease).catch(() => undefined);
  }

  /**
   * The answers of a majority, as soon as there are so many; null when a majority said no.
   * @throws LockUnavailable when servers that did not answer could have made the majority.
   */
  #ask<T>(question: (node: RedisLockNode) => Promise<T | null>): Promise<T[] | null> {
    return new Promise((resolve, reject) => {
      const answers: T[] = [];
      const failures: PromiseRejectedResult[] = [];
      let open = this.#nodes.length;
      const count = (add: () => void) => {
        add();
        open -= 1;
        if (answers.length >= this.#majority) resolve(answers);
        else if (answers.length + failures.length + open < this.#majority) resolve(null);
        else if (open === 0) reject(unavailable(failures));
      };
      for (const node of this.#nodes) {
        question(node).then(
          (answer) => count(() => answer !== null && answers.push(answer)),
          (reason: unknown) => count(() => failures.push({ status: 'rejected', reason })),
        );
      }
    });
  }
}

function unavailable(answers: readonly PromiseSettledResult<unknown>[]): LockUnavailable {
  const failures = answers.filter((answer) => answer.status === 'rejected').map(({ reason }) => reason as Error);
  return new LockUnavailable(
    `Too few of the Redis servers that keep the locks answer: ${failures.map(({ message }) => message).join('; ')}`,
    { cause: failures[0] },
  );
}
