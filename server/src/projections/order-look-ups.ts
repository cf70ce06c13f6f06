import type { Hold } from '../stock/entry.ts';

/** Orders of one read; what comes meanwhile is in the next. */
const ORDERS_MAX = 200;

type Read = (hqId: string, orderIds: readonly string[]) => Promise<(Hold | null)[]>;

interface Waiter {
  orderId: string;
  resolve: (hold: Hold | null) => void;
  reject: (error: unknown) => void;
}

/**
 * Every order that comes by event is looked up, hundreds at once: while one read of an HQ is under way the next ones are
 * gathered, so that they cost a few round trips together. Each is in a read that began after it was asked for.
 */
export class OrderLookUps {
  readonly #read: Read;
  /** By HQ: those that wait for the next read. */
  readonly #waiting = new Map<string, Waiter[]>();

  constructor(read: Read) {
    this.#read = read;
  }

  find(hqId: string, orderId: string): Promise<Hold | null> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(hqId);
      if (waiting !== undefined) {
        waiting.push({ orderId, resolve, reject });
        return;
      }
      this.#waiting.set(hqId, [{ orderId, resolve, reject }]);
      void this.#serve(hqId);
    });
  }

  async #serve(hqId: string): Promise<void> {
    for (;;) {
      const some = this.#waiting.get(hqId)?.splice(0, ORDERS_MAX) ?? [];
      if (some.length === 0) break;
      await this.#answer(hqId, some);
    }
    this.#waiting.delete(hqId);
  }

  async #answer(hqId: string, waiters: readonly Waiter[]): Promise<void> {
    try {
      const orderIds = [...new Set(waiters.map(({ orderId }) => orderId))];
      const holds = await this.#read(hqId, orderIds);
      for (const { orderId, resolve } of waiters) resolve(holds[orderIds.indexOf(orderId)] ?? null);
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }
}
