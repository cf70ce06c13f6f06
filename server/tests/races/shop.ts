/** A pipeline with one HQ in it, and short names for what races ask of it. */
import type { Execution } from '../../src/recording/command-executor.ts';
import type { Command } from '../../src/stock/commands.ts';
import { newReservationId, partitionOf } from '../../src/stock/identifiers.ts';
import { requestedEngines } from '../conformance/engine-adapters.ts';
import { Pipeline } from '../conformance/pipeline.ts';

export const HQ = 'HQ001';
const UNSET = { safetyStock: null, lowThreshold: null };

export class Shop {
  readonly pipeline: Pipeline;
  #nextId = 1;

  private constructor(pipeline: Pipeline) {
    this.pipeline = pipeline;
  }

  /** With the first of the engines that this run tests. */
  static async open(): Promise<Shop> {
    const [adapter] = requestedEngines();
    if (adapter === undefined) throw new Error('this run tests no engine');
    const shop = new Shop(new Pipeline(adapter));
    await shop.pipeline.start();
    await shop.ask({ type: 'configure-store', storeId: 'S1', settings: UNSET });
    return shop;
  }

  close(): Promise<void> {
    return this.pipeline.dispose();
  }

  ask(command: Command, operationId = `op-${this.#nextId++}`): Promise<Execution> {
    return this.pipeline.execute({ hqId: HQ, operationId, fingerprint: operationId, command });
  }

  async stock(productId: string, quantity: number): Promise<void> {
    await this.ask({ type: 'configure-product', productId, settings: UNSET });
    await this.receive(productId, quantity);
  }

  receive(productId: string, quantity: number): Promise<Execution> {
    return this.ask({ type: 'receive', items: [{ storeId: 'S1', productId, quantity }] });
  }

  issue(productId: string, quantity: number, operationId?: string): Promise<Execution> {
    return this.ask({ type: 'issue', items: [{ storeId: 'S1', productId, quantity }] }, operationId);
  }

  /** A reservation of one unit, and its id. */
  reserve(productId: string, ttlMs = 60_000): { reservationId: string; execution: Promise<Execution> } {
    const reservationId = newReservationId(partitionOf(HQ));
    const items = [{ storeId: 'S1', productId, quantity: 1 }];
    const execution = this.ask({
      type: 'reserve',
      reservationId,
      storeId: 'S1',
      transactionId: reservationId,
      ttlMs,
      items,
    });
    return { reservationId, execution };
  }

  confirm(reservationId: string): Promise<Execution> {
    return this.ask({ type: 'confirm', reservationId, orderId: 'O1', keepRest: false });
  }

  async level(productId: string): Promise<{ onHand: number; reserved: number }> {
    const [level] = await this.pipeline.engine.levels(HQ, [{ storeId: 'S1', productId }]);
    if (level === undefined || level === null) throw new Error(`${productId} is not known`);
    return { onHand: level.onHand, reserved: level.reserved };
  }
}

/** The outcome of what must have made an entry. */
export function statusOf(execution: Execution): string {
  return execution.status === 'recorded' ? execution.entry.outcome.status : execution.status;
}

export function shuffled<T>(values: readonly T[]): T[] {
  const all = [...values];
  for (let index = all.length - 1; index > 0; index -= 1) {
    const other = Math.floor(Math.random() * (index + 1));
    [all[index], all[other]] = [all[other] as T, all[index] as T];
  }
  return all;
}
