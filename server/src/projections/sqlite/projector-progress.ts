import { PARTITION_COUNT } from '../../stock/limits.ts';

const WORD_BYTES = 8;

/**
 * Memory that the projector shares with the main thread: how far each partition is projected, and whether the
 * projector sleeps, so that a call wakes it only when it does. A message per commit would cost more than the rest.
 */
export class ProjectorProgress {
  readonly memory: SharedArrayBuffer;
  readonly #words: BigInt64Array;

  constructor(memory = new SharedArrayBuffer((PARTITION_COUNT + 1) * WORD_BYTES)) {
    this.memory = memory;
    this.#words = new BigInt64Array(memory);
  }

  get(partition: number): number {
    return Number(Atomics.load(this.#words, partition));
  }

  set(partition: number, seq: number): void {
    Atomics.store(this.#words, partition, BigInt(seq));
  }

  asleep(): void {
    Atomics.store(this.#words, PARTITION_COUNT, 1n);
  }

  /** True to one caller for each time that the projector fell asleep. */
  mustWake(): boolean {
    return Atomics.exchange(this.#words, PARTITION_COUNT, 0n) === 1n;
  }
}
