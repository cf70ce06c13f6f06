import type { StockEngine } from '../stock/stock-engine.ts';

/** How often due holds are looked for: well within the second that they may be late. */
const EXPIRY_EVERY_MS = 100;
/** Batches in one go; more are due only after a halt, and then commands get their turn in between. */
const BATCHES_PER_TICK = 20;

/** Has the engine decide, again and again, what is due. */
export class ExpirySchedule {
  readonly #engine: StockEngine;
  readonly #onExpired: (latenessMs: number) => void;
  readonly #timer: NodeJS.Timeout;
  #busy = false;

  /** `onExpired` hears how late the latest hold of a batch was, in milliseconds. */
  constructor(engine: StockEngine, onExpired: (latenessMs: number) => void) {
    this.#engine = engine;
    this.#onExpired = onExpired;
    this.#timer = setInterval(() => void this.#tick(), EXPIRY_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #tick(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let batch = 0; batch < BATCHES_PER_TICK; batch += 1) {
        const { holds, latestMs } = await this.#engine.expireDue();
        if (holds === 0) break;
        this.#onExpired(latestMs);
      }
    } finally {
      this.#busy = false;
    }
  }
}
