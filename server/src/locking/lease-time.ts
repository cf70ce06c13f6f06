/** Two clocks that differ by 1 % in speed, and the coarseness of a server's clock. */
const DRIFT_SHARE = 0.01;
const DRIFT_MS = 2;

/**
 * Until when a lease is certainly held that was asked for at `askedAtMs`: the server counts from when it heard of it,
 * which was later. Method: Redlock, https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/
 */
export function validUntil(askedAtMs: number, ttlMs: number): number {
  return askedAtMs + ttlMs - (ttlMs * DRIFT_SHARE + DRIFT_MS);
}

/** Rejects with `late()` when the answer takes longer; the answer itself is then nobody's. */
export function answerWithin<T>(answer: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
