import type { Entry } from '../entry.ts';
import type { JournalBatch, MaybePromise, RecordedHead } from '../stock-engine.ts';

/** Decided entries on their way to the ledger, per partition in order. */
export class MemoryJournal {
  readonly #waiting: { entry: Entry; mark: string }[] = [];
  /** Handed to the recorder, not yet recorded. */
  #taken = 0;
  readonly #recordedSeq = new Map<number, number>();
  #wake: (() => void) | null = null;
  #closed = false;

  get size(): number {
    return this.#waiting.length + this.#taken;
  }

  append(entry: Entry, mark: string): void {
    this.#waiting.push({ entry, mark });
    this.#wakeUp();
  }

  /** All that waits, up to `limit`, grouped by partition; an empty list once closed. */
  next(limit: number): MaybePromise<JournalBatch[]> {
    return this.#waiting.length > 0 || this.#closed ? this.#take(limit) : this.#waitAndTake(limit);
  }

  async #waitAndTake(limit: number): Promise<JournalBatch[]> {
    while (this.#waiting.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      // What this turn of the event loop decides goes along: requests that came together are one batch.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return this.#take(limit);
  }

  #take(limit: number): JournalBatch[] {
    const entries = this.#waiting.splice(0, limit);
    this.#taken += entries.length;
    return group(entries);
  }

  open({ partition, seq }: RecordedHead): void {
    this.#closed = false;
    this.#recordedSeq.set(partition, seq);
  }

  /** What was taken is recorded up to `head`. */
  trim({ partition, seq }: RecordedHead): void {
    this.#taken -= seq - (this.#recordedSeq.get(partition) ?? 0);
    this.#recordedSeq.set(partition, seq);
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#taken = 0;
  }

  close(): void {
    this.#closed = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function group(entries: readonly { entry: Entry; mark: string }[]): JournalBatch[] {
  const batches = new Map<number, JournalBatch>();
  for (const item of entries) {
    const { partition, epoch } = item.entry;
    const batch = batches.get(partition);
    if (batch === undefined) batches.set(partition, { partition, epoch, entries: [item] });
    else batch.entries.push(item);
  }
  return [...batches.values()].sort((one, other) => one.partition - other.partition);
}
