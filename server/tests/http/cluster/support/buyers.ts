/** Callers that reserve one unit after the other, each under an id of its own, and keep what they were told. */
import { expect } from 'vitest';

const ASKING_AGAIN = 16;

export interface Reply {
  status: number;
  text: string;
}

/** Reserves one unit of PRD001 at STORE001 under the operation id. */
export type Send = (operationId: string) => Promise<Reply>;

export class Buyers {
  readonly replies = new Map<string, Reply>();
  longestMs = 0;
  #sold = 0;
  #stopped = false;
  readonly #send: Send;
  readonly #working: Promise<unknown>;

  constructor(send: Send, count: number) {
    this.#send = send;
    this.#working = Promise.all(Array.from({ length: count }, (_, buyer) => this.#buy(buyer)));
  }

  /** Reservations that were acknowledged so far. */
  get sold(): number {
    return this.#sold;
  }

  async #buy(buyer: number): Promise<void> {
    for (let index = 0; !this.#stopped; index += 1) {
      const operationId = `buyer-${buyer}:${index}`;
      const startedAt = performance.now();
      const reply = await this.#send(operationId);
      this.longestMs = Math.max(this.longestMs, performance.now() - startedAt);
      this.replies.set(operationId, reply);
      if (reply.status === 201) this.#sold += 1;
    }
  }

  /** Until more are sold than now. */
  async untilSelling(timeout: number): Promise<void> {
    const before = this.#sold;
    await expect.poll(() => this.#sold, { timeout, interval: 20 }).toBeGreaterThan(before + 20);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  /** How many replies there are of each status. */
  counts(): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const { status } of this.replies.values()) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  /**
   * Asks again for everything. What was acknowledged is told again byte for byte; what was refused with 503 never
   * happened, and happens now; of the rest it is learnt. Returns how many reservations there are.
   */
  async settle(): Promise<number> {
    const left = [...this.replies];
    const askAgain = async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const [operationId, first] = next;
        const again = await this.#send(operationId);
        expect(again.status, again.text).toBe(201);
        if (first.status === 201) expect(again.text).toBe(first.text);
      }
    };
    await Promise.all(Array.from({ length: ASKING_AGAIN }, askAgain));
    return this.replies.size;
  }
}
