import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** What the tills and the lorries were told, counted as they were told it. */
export class Tally {
  reserved = 0;
  confirmed = 0;
  confirmedLate = 0;
  released = 0;
  expired = 0;
  /** Expired, and sold to others when the customer came to pay. */
  paidTooLate = 0;
  failed = 0;
  unitsSold = 0;
  unitsDelivered = 0;
  /** Reservations, by outcome. */
  readonly refused = new Map<string, number>();
  /** Units and money (minor units) by category. */
  readonly sales = new Map<string, { units: number; money: number }>();
  /** Microseconds from asking to the answer, which is recorded by then. */
  readonly latency: RecordableHistogram = createHistogram();
  #lastSecond: RecordableHistogram = createHistogram();

  get refusals(): number {
    return [...this.refused.values()].reduce((sum, count) => sum + count, 0);
  }

  answered(microseconds: number): void {
    const value = Math.max(1, Math.round(microseconds));
    this.latency.record(value);
    this.#lastSecond.record(value);
  }

  refuse(status: string): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }

  sell(category: string, units: number, money: number): void {
    const sum = this.sales.get(category) ?? { units: 0, money: 0 };
    this.sales.set(category, { units: sum.units + units, money: sum.money + money });
    this.unitsSold += units;
  }

  /** Milliseconds, of the answers since the last call. */
  takeP99(): number {
    const p99 = this.#lastSecond.count === 0 ? 0 : this.#lastSecond.percentile(99) / 1_000;
    this.#lastSecond = createHistogram();
    return p99;
  }
}
