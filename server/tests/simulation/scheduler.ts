/** Time that passes only when nothing is left to do: events in the order of their instants, ties in order of booking. */
import { setImmediate } from 'node:timers/promises';

interface Booked {
  at: number;
  order: number;
  work: Work;
}

/** `false`: nothing came of it, so nothing can follow from it at once. */
type Work = () => unknown;

/** Turns of the event loop after which promises that rest on promises have run; the recorder uses one itself. */
const TURNS = 3;

export class Scheduler {
  nowMs = 0;
  /** Work under way that is not booked: the clock stands still until it is done. */
  busy = 0;
  readonly #heap: Booked[] = [];
  #order = 0;

  after(ms: number, work: Work): void {
    this.#add({ at: this.nowMs + Math.max(0, ms), order: this.#order, work });
    this.#order += 1;
  }

  /** Runs the next event and all that follows from it at once; false: there is none up to then. */
  async step(untilMs: number): Promise<boolean> {
    const next = this.#heap[0];
    if (next === undefined || next.at > untilMs) return false;
    this.#take();
    this.nowMs = next.at;
    if (next.work() !== false) await this.settle();
    return true;
  }

  async settle(): Promise<void> {
    do for (let turn = 0; turn < TURNS; turn += 1) await setImmediate();
    while (this.busy > 0);
  }

  #add(booked: Booked): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(booked);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(booked, heap[parent] as Booked)) break;
      heap[index] = heap[parent] as Booked;
      index = parent;
    }
    heap[index] = booked;
  }

  #take(): void {
    const heap = this.#heap;
    const last = heap.pop() as Booked;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Booked, heap[child] as Booked)) child += 1;
      if (!isBefore(heap[child] as Booked, last)) break;
      heap[index] = heap[child] as Booked;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(one: Booked, other: Booked): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
