import type { Place, RecordedHead } from '../stock/stock-engine.ts';

/** What became of a decided entry. */
export type Acknowledgement =
  | { status: 'recorded'; duplicateOf: number | null }
  /** Proven: the ledger does not hold it and never will. */
  | { status: 'discarded' }
  /** It cannot be told yet; the same operation id will tell. */
  | { status: 'unknown' };

const RECORDED: Acknowledgement = { status: 'recorded', duplicateOf: null };
const DISCARDED: Acknowledgement = { status: 'discarded' };
const UNKNOWN: Acknowledgement = { status: 'unknown' };

interface Waiter {
  mark: string;
  /** Since when it waits, by `performance.now`. */
  since: number;
  resolve: (acknowledgement: Acknowledgement) => void;
}

/** A recorded entry, as the recorder announces it. */
export interface RecordedMark {
  seq: number;
  mark: string;
  duplicateOf: number | null;
}

/** Callers that wait until the entry on which their answer rests is in the ledger. */
export class Acknowledgements {
  readonly #recordedSeq = new Map<number, number>();
  readonly #waiters = new Map<number, Map<number, Waiter[]>>();

  /** Where a partition is recorded when an engine opens; nobody may be waiting. */
  open(heads: readonly RecordedHead[]): void {
    for (const head of heads) this.#recordedSeq.set(head.partition, head.seq);
  }

  recordedSeq(partition: number): number {
    return this.#recordedSeq.get(partition) ?? 0;
  }

  wait({ partition, seq, mark }: Place): Acknowledgement | Promise<Acknowledgement> {
    if (seq <= this.recordedSeq(partition)) return RECORDED;
    return new Promise((resolve) => this.#add(partition, seq, { mark, since: performance.now(), resolve }));
  }

  #add(partition: number, seq: number, waiter: Waiter): void {
    let bySeq = this.#waiters.get(partition);
    if (bySeq === undefined) {
      bySeq = new Map();
      this.#waiters.set(partition, bySeq);
    }
    const waiters = bySeq.get(seq);
    if (waiters === undefined) bySeq.set(seq, [waiter]);
    else waiters.push(waiter);
  }

  /** From now on nobody waits for what is recorded up to this head. */
  recorded(head: RecordedHead): void {
    this.#recordedSeq.set(head.partition, head.seq);
  }

  /** Releases the waiters of these entries by their marks: another entry under the same seq answers nobody. */
  release(partition: number, marks: readonly RecordedMark[]): void {
    const bySeq = this.#waiters.get(partition);
    if (bySeq === undefined) return;
    for (const { seq, mark, duplicateOf } of marks) {
      const waiters = bySeq.get(seq);
      if (waiters === undefined) continue;
      bySeq.delete(seq);
      const recorded = duplicateOf === null ? RECORDED : ({ status: 'recorded', duplicateOf } as const);
      for (const waiter of waiters) waiter.resolve(waiter.mark === mark ? recorded : DISCARDED);
    }
  }

  /** The engine was emptied: what was decided and not recorded is gone for certain. */
  discardAll(): void {
    this.#resolveAll(DISCARDED);
  }

  giveUpAll(): void {
    this.#resolveAll(UNKNOWN);
  }

  /** Those that have waited since before this instant (`performance.now`) are told that it cannot be told. */
  giveUp(sinceBefore: number): void {
    for (const bySeq of this.#waiters.values()) {
      for (const [seq, waiters] of bySeq) {
        const patient = waiters.filter((waiter) => waiter.since >= sinceBefore);
        if (patient.length === waiters.length) continue;
        if (patient.length === 0) bySeq.delete(seq);
        else bySeq.set(seq, patient);
        for (const waiter of waiters) if (waiter.since < sinceBefore) waiter.resolve(UNKNOWN);
      }
    }
  }

  #resolveAll(acknowledgement: Acknowledgement): void {
    const waiters = [...this.#waiters.values()].flatMap((bySeq) => [...bySeq.values()].flat());
    this.#waiters.clear();
    for (const waiter of waiters) waiter.resolve(acknowledgement);
  }
}
