import { WINDOW_COUNT_HARD, WINDOW_COUNT_MAX, WINDOW_KEEP_MS, WINDOW_MS } from '../operation-memory.ts';
import type { Place } from '../stock-engine.ts';

export interface RememberedOperation {
  place: Place;
  fingerprint: string;
  at: number;
}

/** The operation ids decided lately in one partition, oldest first. */
export class OperationWindow {
  readonly #operations = new Map<string, RememberedOperation>();
  /** Every operation of a later `seq` is here. */
  #floorSeq: number;

  constructor(floorSeq: number) {
    this.#floorSeq = floorSeq;
  }

  get size(): number {
    return this.#operations.size;
  }

  get floorSeq(): number {
    return this.#floorSeq;
  }

  find(hqId: string, operationId: string): RememberedOperation | undefined {
    return this.#operations.get(`${hqId}/${operationId}`);
  }

  add(hqId: string, operationId: string, operation: RememberedOperation): void {
    this.#operations.set(`${hqId}/${operationId}`, operation);
  }

  /** Forgets what may be forgotten; false when the window is full of what may not. */
  makeRoom(now: number): boolean {
    for (const [key, operation] of this.#operations) {
      const age = now - operation.at;
      const old = age > WINDOW_MS || (this.#operations.size > WINDOW_COUNT_MAX && age > WINDOW_KEEP_MS);
      if (!old) break;
      this.#operations.delete(key);
      this.#floorSeq = operation.place.seq;
    }
    return this.#operations.size < WINDOW_COUNT_HARD;
  }
}
