import type { onRequestHookHandler } from 'fastify';
import { sendProblem } from './errors.ts';
import { Problem } from './problems.ts';
import { callerOf } from './scope.ts';

const SECOND_MS = 1_000;
/** Subjects that are kept before those are forgotten who have their whole second's worth again. */
const SUBJECTS_MAX = 10_000;

/**
 * A bucket for each token subject, of one second's worth of requests, filled at the rate. What is kept of each is one
 * instant: when its bucket will be full again (the generic cell rate algorithm of ITU-T I.371).
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #fullAt = new Map<string, number>();
  #sweepAt = SUBJECTS_MAX;

  /** `now` gives milliseconds and never falls. */
  constructor(perSecond: number, now: () => number) {
    this.#intervalMs = SECOND_MS / perSecond;
    this.#now = now;
  }

  /** Milliseconds until the next request is let in; 0: this one is. */
  take(subject: string): number {
    const now = this.#now();
    const fullAt = Math.max(this.#fullAt.get(subject) ?? 0, now) + this.#intervalMs;
    const early = fullAt - now - SECOND_MS;
    // Intervals are fractions: what is early by a rounding error is not early.
    if (early > this.#intervalMs / SECOND_MS) return early;
    this.#fullAt.set(subject, fullAt);
    if (this.#fullAt.size > this.#sweepAt) this.#sweep(now);
    return 0;
  }

  #sweep(now: number): void {
    for (const [subject, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(subject);
    this.#sweepAt = Math.max(SUBJECTS_MAX, 2 * this.#fullAt.size);
  }
}

/** Behind the authentication, before the body is read. */
export function rateLimited(limit: RateLimit): onRequestHookHandler {
  return (request, reply, done) => {
    const { hqId, subject } = callerOf(request);
    const waitMs = limit.take(`${hqId ?? ''}/${subject}`);
    if (waitMs === 0) {
      done();
      return;
    }
    reply.header('retry-after', String(Math.ceil(waitMs / SECOND_MS)));
    const detail = `Nothing was done: "${subject}" asks more often than HOLDFAST_RATE_LIMIT allows.`;
    sendProblem(reply, request.id, new Problem('RATE_LIMITED', detail));
  };
}
