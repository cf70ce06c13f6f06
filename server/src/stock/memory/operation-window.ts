import type { WindowBounds } from '../operation-memory.ts';
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
  #floorAt: number;
  readonly #bounds: WindowBounds;

  constructor(floorSeq: number, floorAt: number, bounds: WindowBounds) {
    this.#floorSeq = floorSeq;
    this.#floorAt = floorAt;
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#operations.size;
  }

  get floorSeq(): number {
    return this.#floorSeq;
  }

  /** Every operation decided later than this is here. */
  get floorAt(): number {
    return this.#floorAt;
  }

  find(hqId: string, operationId: string): RememberedOperation | undefined {
    return this.#operations.get(`${hqId}/${operationId}`);
  }

  add(hqId: string, operationId: string, operation: RememberedOperation): void {
    this.#operations.set(`${hqId}/${operationId}`, operation);
  }

  /** Forgets what may be forgotten; false when the window is full of what may not. */
  makeRoom(now: number): boolean {
    const { windowMs, countMax, keepMs, countHard } = this.#bounds;
    for (const [key, operation] of this.#operations) {
      const age = now - operation.at;
      const old = age > windowMs || (this.#operations.size > countMax && age > keepMs);
      if (!old) break;
      this.#operations.delete(key);
      this.#floorSeq = operation.place.seq;
      this.#floorAt = operation.at;
    }
    return this.#operations.size < countHard;
  }
}
