import type { WindowBounds } from '../operation-memory.ts';
import type { Place } from '../stock-engine.ts';

export interface RememberedOperation {
  place: Place;
  at: number;
}

/** Forgotten places at the front of the queue that are worth moving the rest for. */
const COMPACT_MIN = 4_096;

/**
 * The operation ids decided lately in one partition. Their order is kept in a queue beside the map: taking the oldest
 * from the map itself walks over every place that was emptied before it (1 ms a command at a million ids).
 */
export class OperationWindow {
  readonly #operations = new Map<string, RememberedOperation>();
  #queue: string[] = [];
  #queueStart = 0;
  /** Every operation of a later `seq` is here. */
  #floorSeq: number;
  readonly #bounds: WindowBounds;

  constructor(floorSeq: number, bounds: WindowBounds) {
    this.#floorSeq = floorSeq;
    this.#bounds = bounds;
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
    const key = `${hqId}/${operationId}`;
    this.#operations.set(key, operation);
    this.#queue.push(key);
  }

  /** Forgets what may be forgotten, nothing after `recordedSeq`; false when the window is full of what may not. */
  makeRoom(now: number, recordedSeq: number): boolean {
    const { windowMs, countMax, keepMs, countHard } = this.#bounds;
    for (;;) {
      const key = this.#queue[this.#queueStart];
      const operation = key === undefined ? undefined : this.#operations.get(key);
      if (key === undefined || operation === undefined || operation.place.seq > recordedSeq) break;
      const age = now - operation.at;
      if (age <= windowMs && !(this.#operations.size > countMax && age > keepMs)) break;
      this.#operations.delete(key);
      this.#queueStart += 1;
      this.#floorSeq = operation.place.seq;
    }
    if (this.#queueStart > COMPACT_MIN && this.#queueStart * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#queueStart);
      this.#queueStart = 0;
    }
    return this.#operations.size < countHard;
  }
}
