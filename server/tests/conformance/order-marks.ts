/** Orders and their cancellations that come at the same moment: one of both has the id, the other sees whose it is. */
import { expect } from 'vitest';
import { type Command, type Item, sumItems } from '../../src/stock/commands.ts';
import { reservationIdOfOrder } from '../../src/stock/identifiers.ts';
import type { CommandPipeline } from './command-pipeline.ts';

const HQ = 'HQ-marks';
const ORDERS = 40;
const UNSET = { safetyStock: null, lowThreshold: null };
const item: Item = { storeId: 'S1', productId: 'P1', quantity: 1 };

export async function everyOrderOrItsCancellation(pipeline: CommandPipeline): Promise<void> {
  const ask = (operationId: string, command: Command) =>
    pipeline.execute({ hqId: HQ, operationId, fingerprint: `${operationId} ${command.type}`, command });
  await ask('store', { type: 'configure-store', storeId: 'S1', settings: UNSET });
  await ask('product', { type: 'configure-product', productId: 'P1', settings: UNSET });
  await ask('stock', { type: 'receive', items: [{ ...item, quantity: ORDERS }] });
  const place = (orderId: string) => {
    const reservationId = reservationIdOfOrder(HQ, orderId);
    const order = { storeId: 'S1', transactionId: orderId, orderId, ttlMs: 3_600_000, items: sumItems([item]) };
    return ask(`order/placed/${orderId}`, { type: 'reserve', reservationId, ...order });
  };
  const cancel = (orderId: string) =>
    ask(`order/placed/${orderId}`, {
      type: 'answer-order',
      event: 'cancelled',
      orderId,
      items: [],
      reason: 'CANCELLED',
    });
  const race = async (orderId: string, cancelFirst: boolean) => {
    const started = cancelFirst ? [cancel(orderId), place(orderId)] : [place(orderId), cancel(orderId)];
    const both = await Promise.all(started);
    const [won, ...more] = both.flatMap((each) => (each.status === 'recorded' ? [each.entry] : []));
    expect(more, orderId).toEqual([]);
    const [told] = both.flatMap((each) => (each.status === 'mismatch' ? [each.entry] : []));
    expect(told?.command, orderId).toEqual(won?.command);
    const hold = await pipeline.findHold(HQ, reservationIdOfOrder(HQ, orderId));
    expect(hold !== null, orderId).toBe(won?.command.type === 'reserve');
    return won?.command.type;
  };
  const orders = Array.from({ length: ORDERS }, (_, index) => race(`O${index}`, index % 2 === 0));
  const held = (await Promise.all(orders)).filter((type) => type === 'reserve').length;
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThan(ORDERS);
  const [level] = await pipeline.engine.levels(HQ, [item]);
  expect(level).toMatchObject({ onHand: ORDERS, reserved: held });
}
