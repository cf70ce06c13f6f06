/**
 * A lock that several processes share. It keeps work from being done twice at a time; no guarantee of stock rests on
 * it, for no lock can stop a process that was stalled while its lease ended. What must not be written by such a one
 * compares fencing tokens.
 */

/** A key, held for a time. */
export interface Lease {
  readonly key: string;
  /** Who holds it: `{nodeId}:{timestamp}:{requestId}` ([lock-value.ts](lock-value.ts)). */
  readonly value: string;
  /** Greater than that of every earlier lease of this key; a safe integer. */
  readonly fencingToken: number;
  /** Until then nobody else holds the key, while clocks run at about the same speed; as `performance.now()`, in ms. */
  readonly validUntilMs: number;
}

export interface LeaseRequest {
  key: string;
  /** Names this lease alone: two leases never have the same. */
  value: string;
  ttlMs: number;
  /** For adapters that queue: how long to stand in line. */
  waitMs: number;
}

export interface LockHolder {
  key: string;
  value: string;
  /** Until it ends unless it is extended; null where it ends with the holder's session. */
  remainingMs: number | null;
}

/** Passes the conformance suite in `server/tests/locking`. */
export interface Lock {
  /** Whether `take` stands in line for `waitMs` (and is called when its turn comes), or answers at once. */
  readonly queues: boolean;
  /**
   * Takes the key, or finds it held: null.
   * @throws LockUnavailable when too few servers answer; what was taken all the same ends by itself.
   */
  take(request: LeaseRequest): Promise<Lease | null>;
  /**
   * Puts the end off to `ttlMs` from now (where leases end with a session: proves that it lives). Null: it is held no
   * more, and perhaps by somebody else.
   * @throws LockUnavailable when too few servers answer: the lease ends when it would have.
   */
  extend(lease: Lease, ttlMs: number): Promise<Lease | null>;
  /**
   * Gives it back, and nobody else's. False: it was held no more.
   * @throws LockUnavailable when too few servers answer: it ends by itself.
   */
  release(lease: Lease): Promise<boolean>;
  /**
   * Who holds what, by key.
   * @throws LockUnavailable
   */
  holders(): Promise<LockHolder[]>;
  /** Gives up the connections; leases end by themselves. */
  close(): Promise<void>;
}

/** The servers that keep the locks cannot be asked. */
export class LockUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LockUnavailable';
  }
}
