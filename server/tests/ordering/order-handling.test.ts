/** What becomes of each event of an order, whatever came before it, over each engine and ledger. */
import { beforeEach, describe, expect, it } from 'vitest';
import { OrderHandler } from '../../src/ordering/handling/order-handling.ts';
import { operationIdOf } from '../../src/ordering/handling/order-operations.ts';
import type { OrderMessage } from '../../src/ordering/messages/message.ts';
import { HistoryBehind } from '../../src/projections/history-reads.ts';
import { reservationIdOfOrder } from '../../src/stock/identifiers.ts';
import { ID_LENGTH_MAX, OPERATION_ID_LENGTH_MAX } from '../../src/stock/limits.ts';
import { describeOrderRigs, type OrderRig, sweep } from './order-rigs.ts';
import { ORDER, ShopOrders, told } from './shop-orders.ts';

const MINUTE = 60_000;

it('makes operation ids that fit, whatever order or product they name', () => {
  const longest = 'x'.repeat(ID_LENGTH_MAX);
  const lengths = Object.values(operationIdOf).map((of) => of(longest).length);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(OPERATION_ID_LENGTH_MAX);
});

describeOrderRigs('orders by event', (rig: () => OrderRig) => {
  let shop: ShopOrders;
  beforeEach(async () => {
    shop = await ShopOrders.open(rig());
  });

  const expire = async () => {
    rig().clock.nowMs += 2 * MINUTE;
    await sweep(rig());
  };

  it('reserves for an order once, whatever event says so and in whatever order its lines are', async () => {
    const placed = shop.placed(['S1/P1 2', 'S2/P2 1']);
    expect(await shop.tell(placed)).toBe('done');
    expect(await shop.tell(placed)).toBe('done again');
    expect(await shop.tell(shop.placed(['S2/P2 1', 'S1/P1 2'], { ttlMs: 5_000 }))).toBe('done again');
    expect(await shop.published()).toEqual(['stock.reserved']);
    expect(await shop.level()).toBe('10 2');
    const [event] = await shop.events();
    expect(event).toMatchObject({
      subject: reservationIdOfOrder(shop.hqId, ORDER),
      correlationid: 'visit-1',
      causationid: placed.eventId,
    });
    expect(event?.data).toMatchObject({ orderId: ORDER, storeId: 'S1' });
    const entry = (await shop.entries()).at(-1);
    expect(entry).toMatchObject({ origin: 'order.placed', actor: { subject: '/shop', role: 'system' } });
  });

  it('parks the same order with other lines, and leaves the first as it is', async () => {
    await shop.handle(shop.placed());
    expect(await shop.tell(shop.placed(['S1/P1 3']))).toBe('park OTHER_LINES');
    expect(await shop.tell(shop.placed(['S2/P1 2']))).toBe('park OTHER_LINES');
    expect(await shop.level()).toBe('10 2');
  });

  it('answers an order that the stock does not allow, and never again otherwise', async () => {
    expect(await shop.tell(shop.placed(['S1/P1 11']))).toBe('done');
    await shop.command({ type: 'receive', items: [{ storeId: 'S1', productId: 'P1', quantity: 5 }] });
    expect(await shop.tell(shop.placed(['S1/P1 11']))).toBe('done again');
    expect(await shop.published()).toEqual(['stock.reservation.failed INSUFFICIENT_STOCK', 'stock.updated S1/P1 5']);
    expect(await shop.tell(shop.completed(['S1/P1 11']))).toBe('early');
    expect(await shop.tell(shop.cancelled())).toBe('done again');
  });

  it('parks what names a store or product that nobody knows, and handles it once it is known', async () => {
    expect(await shop.tell(shop.placed(['S9/P1 1']))).toBe('park UNKNOWN_STORE');
    const placed = shop.placed(['S1/P9 1']);
    expect(await shop.tell(placed)).toBe('park UNKNOWN_PRODUCT');
    expect(await shop.tell(shop.created('P9', 1, 'S1'))).toBe('done');
    expect(await shop.tell(placed)).toBe('done');
    expect(await shop.level('S1', 'P9')).toBe('1 1');
  });

  it.each([
    ['all that is held', null, '8 0', '9 0'],
    ['the same lines', ['S2/P2 1', 'S1/P1 2'], '8 0', '9 0'],
    ['lines without a store', ['P1 2', 'P2 1'], '8 0', '9 0'],
    ['fewer, the rest released', ['S1/P1 1'], '9 0', '10 0'],
  ])('sells what was reserved: %s', async (_, items, one, other) => {
    await shop.handle(shop.placed(['S1/P1 2', 'S2/P2 1']));
    const completed = shop.completed(items);
    expect(await shop.tell(completed)).toBe('done');
    expect(await shop.tell(completed)).toBe('done again');
    expect(await shop.tell(shop.completed(items, { topic: 'order.confirmed' }))).toBe('done again');
    expect([await shop.level(), await shop.level('S2', 'P2')]).toEqual([one, other]);
    expect((await shop.published()).slice(0, 2)).toEqual(['stock.reserved', 'stock.confirmed']);
    expect(await shop.tell(shop.completed(['S1/P1 2', 'S2/P2 7']))).toBe('park OTHER_LINES');
  });

  it('sells nothing where more is sold than was reserved', async () => {
    await shop.handle(shop.placed());
    expect(await shop.tell(shop.completed(['P1 3']))).toBe('done');
    expect(await shop.published()).toEqual(['stock.reserved', 'stock.confirm.failed QUANTITY_EXCEEDS_RESERVATION']);
    expect(await shop.level()).toBe('10 2');
  });

  it('takes a line without a store from wherever its product is held', async () => {
    await shop.handle(shop.placed(['S1/P1 2', 'S2/P1 3']));
    expect(await shop.tell(shop.completed(['P1 4']))).toBe('done');
    expect([await shop.level('S1'), await shop.level('S2')]).toEqual(['8 0', '8 0']);
    expect(await shop.tell(shop.completed(['S1/P1 2', 'S2/P1 2']))).toBe('done again');
    expect(await shop.tell(shop.completed(null))).toBe('park OTHER_LINES');
  });

  it('takes a sale that lists everything for the same as one that lists nothing', async () => {
    await shop.handle(shop.placed());
    expect(await shop.tell(shop.completed(null))).toBe('done');
    expect(await shop.tell(shop.completed(['S1/P1 2']))).toBe('done again');
    expect(await shop.tell(shop.completed(['S1/P1 1']))).toBe('park OTHER_LINES');
  });

  it('sells the reservation that is named, which was made over HTTP', async () => {
    const reservationId = await shop.reserveOverHttp('S1/P1 2');
    expect(await shop.tell(shop.completed(['S1/P1 2'], { reservationId }))).toBe('done');
    expect(await shop.published()).toEqual(['stock.reserved', 'stock.confirmed', 'stock.updated S1/P1 -2']);
    expect(await shop.hold(reservationId)).toMatchObject({ status: 'confirmed', orderId: ORDER });
    expect(await shop.tell(shop.completed())).toBe('done again');
    expect(await shop.tell(shop.cancelled())).toBe('park ORDER_COMPLETED');
  });

  it('parks a completion of what was sold over HTTP with other lines', async () => {
    const reservationId = await shop.reserveOverHttp('S1/P1 2');
    const items = [{ storeId: 'S1', productId: 'P1', quantity: 1 }];
    await shop.command({ type: 'confirm', reservationId, orderId: ORDER, items, keepRest: false });
    expect(await shop.tell(shop.completed(['S1/P1 2']))).toBe('park OTHER_LINES');
    expect(await shop.level()).toBe('9 0');
  });

  it('parks every completion of what was sold for another order, whatever its lines', async () => {
    const reservationId = await shop.reserveOverHttp('S1/P1 2');
    await shop.command({ type: 'confirm', reservationId, orderId: 'ORD-2', keepRest: false });
    expect(await shop.tell(shop.completed(['S1/P1 1'], { reservationId }))).toBe('park OTHER_LINES');
    expect(await shop.tell(shop.completed(['S1/P1 2'], { reservationId }))).toBe('park OTHER_LINES');
    expect(await shop.level()).toBe('8 0');
  });

  it('sells the rest of what was sold in part over HTTP, and names that part when the rest is cancelled', async () => {
    const items = [{ storeId: 'S1', productId: 'P1', quantity: 1 }];
    const reservationId = await shop.reserveOverHttp('S1/P1 4');
    await shop.command({ type: 'confirm', reservationId, orderId: ORDER, items, keepRest: true });
    expect(await shop.tell(shop.completed(['P1 2']))).toBe('done');
    expect(await shop.level()).toBe('7 0');

    const other = await shop.reserveOverHttp('S2/P1 4');
    await shop.command({
      type: 'confirm',
      reservationId: other,
      orderId: 'ORD-2',
      items: [{ ...items[0], storeId: 'S2' } as never],
      keepRest: true,
    });
    const cancelled = shop.message({ kind: 'cancelled', orderId: 'ORD-2', reservationId: null, reason: null });
    expect(await shop.handle(cancelled)).toMatchObject({
      status: 'park',
      code: 'ORDER_COMPLETED',
      reason: expect.stringContaining('1 of its units'),
    });
    expect(await shop.level('S2')).toBe('9 0');
  });

  it('waits for a completion that came before its order, then answers and parks it; a redrive is decided anew', async () => {
    const completed = shop.completed();
    expect(await shop.tell(completed)).toBe('early');
    expect(await shop.giveUp(completed)).toBe('park UNKNOWN_RESERVATION');
    expect(await shop.giveUp(completed)).toBe('park UNKNOWN_RESERVATION');
    expect(await shop.published()).toEqual(['stock.confirm.failed UNKNOWN_RESERVATION']);
    expect((await shop.events())[0]).toMatchObject({ subject: ORDER, causationid: completed.eventId });
    await shop.handle(shop.placed());
    expect(await shop.tell(completed)).toBe('done');
    expect(await shop.level()).toBe('8 0');
  });

  it('does not give up what has come meanwhile', async () => {
    const completed = shop.completed();
    expect(await shop.tell(completed)).toBe('early');
    await shop.handle(shop.placed());
    expect(await shop.giveUp(completed)).toBe('done');
  });

  it('knows no reservation of another HQ', async () => {
    const other = await ShopOrders.open(rig());
    const reservationId = await other.reserveOverHttp('S1/P1 2');
    for (const items of [null, ['S1/P1 2'], ['P1 2']])
      expect(await shop.tell(shop.completed(items, { reservationId }))).toBe('early');
    expect(await shop.tell(shop.cancelled({ reservationId }))).toBe('done');
    expect(await other.level()).toBe('10 2');
    expect(await shop.giveUp(shop.completed(['S1/P1 2'], { reservationId }))).toBe('park UNKNOWN_RESERVATION');
  });

  it('sells an expired reservation late while there is stock, else says EXPIRED', async () => {
    await shop.handle(shop.placed());
    await expire();
    expect(await shop.level()).toBe('10 0');
    expect(await shop.tell(shop.completed())).toBe('done');
    expect(await shop.level()).toBe('8 0');

    await shop.handle(shop.placed(['S2/P1 6'], { orderId: 'ORD-2' }));
    await expire();
    await shop.command({ type: 'issue', items: [{ storeId: 'S2', productId: 'P1', quantity: 5 }] });
    const completed = shop.completed(['S2/P1 6'], { orderId: 'ORD-2' });
    expect(await shop.tell(completed)).toBe('done');
    expect((await shop.published()).at(-1)).toBe('stock.confirm.failed EXPIRED');
    expect(await shop.level('S2')).toBe('5 0');
  });

  it('releases on cancellation, once; a completion after it is told RELEASED', async () => {
    await shop.handle(shop.placed());
    expect(await shop.tell(shop.cancelled())).toBe('done');
    expect(await shop.tell(shop.cancelled())).toBe('done again');
    expect(await shop.tell(shop.completed())).toBe('done');
    expect(await shop.tell(shop.placed())).toBe('done again');
    expect(await shop.published()).toEqual(['stock.reserved', 'stock.released', 'stock.confirm.failed RELEASED']);
    expect(await shop.level()).toBe('10 0');
  });

  it('sells nothing late of what had expired and was cancelled then', async () => {
    await shop.handle(shop.placed());
    await expire();
    expect(await shop.tell(shop.cancelled())).toBe('done');
    expect(await shop.tell(shop.completed())).toBe('done');
    expect(await shop.tell(shop.completed())).toBe('done again');
    expect(await shop.tell(shop.cancelled())).toBe('done again');
    expect(await shop.published()).toEqual([
      'stock.reserved',
      'stock.reservation.expired',
      'stock.confirm.failed RELEASED',
    ]);
    expect(await shop.level()).toBe('10 0');
  });

  it('parks a cancellation of what was sold, in time or late', async () => {
    await shop.handle(shop.placed());
    await shop.handle(shop.completed());
    expect(await shop.tell(shop.cancelled())).toBe('park ORDER_COMPLETED');
    expect(await shop.level()).toBe('8 0');
  });

  it('refuses the order that comes after its cancellation', async () => {
    const cancelled = shop.cancelled();
    expect(await shop.tell(cancelled)).toBe('done');
    expect(await shop.tell(shop.cancelled())).toBe('done again');
    expect(await shop.published()).toEqual([]);
    const placed = shop.placed();
    expect(await shop.tell(placed)).toBe('done');
    expect(await shop.tell(placed)).toBe('done again');
    expect(await shop.published()).toEqual(['stock.reservation.failed CANCELLED']);
    expect((await shop.events())[0]).toMatchObject({ subject: ORDER, causationid: placed.eventId });
    expect(await shop.level()).toBe('10 0');
    expect(await shop.tell(shop.completed())).toBe('early');
  });

  it('releases the reservation that a cancellation names, and refuses the order that comes late', async () => {
    const reservationId = await shop.reserveOverHttp('S1/P1 2');
    expect(await shop.tell(shop.cancelled({ reservationId }))).toBe('done');
    expect(await shop.tell(shop.cancelled({ reservationId }))).toBe('done again');
    expect(await shop.tell(shop.cancelled())).toBe('done again');
    expect(await shop.tell(shop.placed())).toBe('done');
    expect(await shop.published()).toEqual(['stock.reserved', 'stock.released', 'stock.reservation.failed CANCELLED']);
    expect(await shop.level()).toBe('10 0');
  });

  it('releases both, where a cancellation names a reservation and the order made one of its own', async () => {
    const reservationId = await shop.reserveOverHttp('S1/P1 2');
    await shop.handle(shop.placed(['S1/P1 3']));
    expect(await shop.level()).toBe('10 5');
    expect(await shop.tell(shop.cancelled({ reservationId }))).toBe('done');
    expect(await shop.level()).toBe('10 0');
    expect(await shop.tell(shop.cancelled({ reservationId: await shop.reserveOverHttp('S1/P1 1') }))).toBe(
      'park OTHER_LINES',
    );
  });

  it('the same order 8 times at once: one reservation', async () => {
    const handled = await Promise.all(Array.from({ length: 8 }, () => shop.tell(shop.placed())));
    expect(handled.sort()).toEqual(['done', ...Array.from({ length: 7 }, () => 'done again')]);
    const sold = await Promise.all(Array.from({ length: 8 }, () => shop.tell(shop.completed())));
    expect(sold.sort()).toEqual(['done', ...Array.from({ length: 7 }, () => 'done again')]);
    expect(await shop.published()).toEqual(['stock.reserved', 'stock.confirmed', 'stock.updated S1/P1 -2']);
  });

  it('orders and their cancellations at once: nothing stays held', async () => {
    const orders = Array.from({ length: 20 }, (_, index) => `RACE-${index}`);
    const handled = await Promise.all(
      orders.flatMap((orderId, index) => {
        const placed = () => shop.tell(shop.placed(['S1/P1 1'], { orderId }));
        const cancelled = () =>
          shop.tell(shop.message({ kind: 'cancelled', orderId, reservationId: null, reason: null }));
        return index % 2 === 0 ? [placed(), cancelled()] : [cancelled(), placed()];
      }),
    );
    expect(new Set(handled)).not.toContain('early');
    expect(handled.filter((each) => !each.startsWith('done'))).toEqual([]);
    expect(await shop.level()).toBe('10 0');
    // Each order was refused, or reserved and released.
    const published = await shop.published();
    const count = (wanted: string) => published.filter((each) => each.startsWith(wanted)).length;
    expect(count('stock.reserved')).toBe(count('stock.released'));
    expect(count('stock.reserved') + count('stock.reservation.failed')).toBe(orders.length);
  });

  it('completions and expiry at once, and cancellations with them: each order sold once, or not at all', async () => {
    const orders = Array.from({ length: 8 }, (_, index) => `RACE-${index}`);
    for (const orderId of orders) await shop.handle(shop.placed(['S1/P1 1'], { orderId }));
    rig().clock.nowMs += 2 * MINUTE;
    const ends = await Promise.all([
      sweep(rig()),
      ...orders.map((orderId) => shop.tell(shop.completed(['S1/P1 1'], { orderId }))),
      ...orders.map((orderId) =>
        shop.tell(shop.message({ kind: 'cancelled', orderId, reservationId: null, reason: null })),
      ),
    ]);
    const [completions, cancellations] = [ends.slice(1, 9), ends.slice(9)];
    expect(new Set(completions)).toEqual(new Set(['done']));
    const parked = cancellations.filter((each) => each === 'park ORDER_COMPLETED').length;
    const published = await shop.published();
    const sold = published.filter((each) => each === 'stock.confirmed').length;
    expect(published.filter((each) => each.startsWith('stock.confirm.failed'))).toHaveLength(orders.length - sold);
    expect(parked).toBe(sold);
    expect(await shop.level()).toBe(`${10 - sold} 0`);
  });

  it('creates a product with its stock, and changes none that is there', async () => {
    expect(await shop.tell(shop.created('P7', 40, 'HQ', 'Lamp'))).toBe('done');
    expect(await shop.tell(shop.created('P7', 40, 'HQ', 'Other'))).toBe('done again');
    expect(await rig().catalog.product(shop.hqId, 'P7')).toMatchObject({ name: 'Lamp', price: null });
    expect(await shop.level('HQ', 'P7')).toBe('40 0');
    expect(await shop.published()).toEqual(['stock.updated HQ/P7 40']);
    expect(await shop.tell(shop.created('P7', 41, 'HQ'))).toBe('park OTHER_LINES');
    expect(await shop.tell(shop.created('P7', 40, 'S1'))).toBe('park OTHER_LINES');
    expect(await shop.tell(shop.created('P8', 0))).toBe('done');
    expect(await shop.tell(shop.created('P8', 0))).toBe('done again');
    expect(await shop.tell(shop.created('P10', 5, 'S9'))).toBe('park UNKNOWN_STORE');
  });

  it('heals a product whose creation ended halfway', async () => {
    const { catalog } = rig();
    const unset = { category: null, price: null, cost: null, safetyStock: null, lowThreshold: null };
    const change = {
      hqId: shop.hqId,
      at: 0,
      provenance: { actor: { subject: 'x', role: 'system' }, origin: 'x', correlationId: 'x', causationId: null },
    };
    await catalog.addProduct(change, { productId: 'P5', name: 'Half', ...unset });
    expect(await shop.tell(shop.placed(['S1/P5 1']))).toBe('park UNKNOWN_PRODUCT');
    expect(await shop.tell(shop.created('P5', 3, 'S1'))).toBe('done');
    expect(await shop.level('S1', 'P5')).toBe('3 0');
  });

  describe('an event that was encrypted', () => {
    const hidden = '(not shown: it was encrypted)';
    /** As it is told of a plain event, and what of that is told of an encrypted one. */
    const reasonsOf = async (message: OrderMessage, orders = shop.orders) => {
      const plain = await orders.giveUp(message);
      const secret = await orders.giveUp({ ...message, encrypted: true });
      if (!('reason' in plain && 'reason' in secret)) throw new Error(`it was ${told(plain)}, then ${told(secret)}`);
      expect(plain.reason).not.toMatch(/[\u2068\u2069]/);
      expect(secret).toEqual({ ...plain, reason: expect.not.stringMatching(SECRET) });
      return { plain: plain.reason, secret: secret.reason };
    };
    /** Ids that events name here, and quantities. */
    const SECRET = /ORD-|order\/|[SP]\d|rsv_|visit|http-|\b[2-9]\b/;

    it('is told nothing of in plain: no id, no quantity', async () => {
      await shop.handle(shop.placed());
      for (const message of [shop.placed(['S1/P1 3']), shop.placed(['S2/P2 7'])]) {
        expect((await reasonsOf(message)).plain).toMatch(/^Order ORD-1 came before .*order\/placed\/ORD-1 .*visit-1/);
      }
      const named = shop.completed(['S1/P1 2'], { orderId: 'ORD-2', reservationId: 'RES-9' });
      expect((await reasonsOf(named)).plain).toContain('has no reservation RES-9, and none came');
      const unnamed = shop.completed(['S1/P1 2'], { orderId: 'ORD-3' });
      expect((await reasonsOf(unnamed)).plain).toContain('has no reservation for order ORD-3, and none came');
      expect((await reasonsOf(shop.placed(['S9/P1 1'], { orderId: 'ORD-4' }))).plain).toContain('no store S9.');
      const unknown = await reasonsOf(shop.placed(['S1/P9 1'], { orderId: 'ORD-4' }));
      expect(unknown.plain).toContain('has no product P9.');
      expect(unknown.secret).toContain(`has no product ${hidden}. Make it known`);
      await shop.handle(shop.completed());
      expect((await reasonsOf(shop.cancelled())).plain).toMatch(
        /^Order ORD-1 cannot be cancelled: 2 of its units .*rsv_/,
      );
      await shop.handle(shop.created('P9', 3, 'S1'));
      expect((await reasonsOf(shop.created('P9', 4, 'S1'))).plain).toMatch(/^Product P9 was created before/);
    });

    it('is told nothing of what was sold over HTTP, and of no error that may quote it', async () => {
      const reservationId = await shop.reserveOverHttp('S1/P1 2');
      await shop.command({ type: 'confirm', reservationId, orderId: 'ORD-2', keepRest: false });
      const { plain } = await reasonsOf(shop.completed(['S1/P1 1'], { reservationId }));
      expect(plain).toContain(`Reservation ${reservationId} was sold before`);
      const broken = { execute: () => Promise.reject(new Error('no such thing as S1/P1 2')) };
      const orders = new OrderHandler({ ...rig().parts, executor: broken });
      const failed = await reasonsOf(shop.placed(), orders);
      expect(failed).toEqual({ plain: 'It failed: no such thing as S1/P1 2', secret: `It failed: ${hidden}` });
    });
  });

  it('keeps the event for later when a part of the installation does not answer', async () => {
    const { parts } = rig();
    const behind = {
      ...parts.history,
      reservationOfOrder: () => Promise.reject(new HistoryBehind()),
    } as typeof parts.history;
    expect(told(await new OrderHandler({ ...parts, history: behind }).handle(shop.completed()))).toMatch(
      /^retry away: the history/,
    );
    const broken = { execute: () => Promise.reject(new Error('no such thing')) };
    expect(told(await new OrderHandler({ ...parts, executor: broken }).handle(shop.placed()))).toBe(
      'retry: It failed: no such thing',
    );
    for (const [reason, away] of [
      ['not-open', true],
      ['discarded', false],
    ] as const) {
      const unavailable = { execute: async () => ({ status: 'unavailable', reason }) as const };
      const handler = new OrderHandler({ ...parts, executor: unavailable });
      for (const message of [shop.placed(), shop.completed(), shop.cancelled(), shop.created('P1', 1)])
        expect(await handler.handle(message)).toMatchObject({ status: 'retry', away });
    }
    const unknown = { execute: async () => ({ status: 'unknown' }) as const };
    expect(await new OrderHandler({ ...parts, executor: unknown }).giveUp(shop.completed())).toMatchObject({
      status: 'retry',
    });
    expect(await shop.published()).toEqual([]);
  });
});
