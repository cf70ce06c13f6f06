export interface DueHold {
  dueAt: number;
  hqId: string;
  reservationId: string;
}

/**
 * A binary min-heap by `dueAt`. It is a hint, not the truth: a hold closed or extended since keeps its place
 * here, and whoever takes it out looks at the hold itself.
 */
export class DueHolds {
  readonly #heap: DueHold[] = [];

  get size(): number {
    return this.#heap.length;
  }

  add(due: DueHold): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(due);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as DueHold;
      if (above.dueAt <= due.dueAt) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = due;
  }

  /** Takes out the earliest hold that is due at `now`. */
  take(now: number): DueHold | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueAt > now) return undefined;
    const last = this.#heap.pop() as DueHold;
    if (this.#heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(due: DueHold): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as DueHold).dueAt < (heap[child] as DueHold).dueAt) child += 1;
      const below = heap[child] as DueHold;
      if (below.dueAt >= due.dueAt) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = due;
  }
}
