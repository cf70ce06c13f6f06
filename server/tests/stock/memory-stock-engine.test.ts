/** What no scenario can bring about: narrow windows, and commands that no route lets through. */
import { describe, expect, it } from 'vitest';
import { reservationIdOfOrder } from '../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import { WINDOW_BOUNDS } from '../../src/stock/operation-memory.ts';
import { decided, emptyHeads, HQ, recordAll, requestOf, reserveOf, stocked, unitsOf } from './requests.ts';

const MINUTE_MS = 60_000;

function engineAt(bounds = WINDOW_BOUNDS) {
  const clock = { nowMs: 1_000_000 };
  const engine = new MemoryStockEngine(() => clock.nowMs, bounds);
  engine.open(emptyHeads());
  stocked(engine, 10);
  return { engine, clock };
}

describe('the window', () => {
  it('keeps a hold that was confirmed late for as long after that as any other', () => {
    const { engine, clock } = engineAt();
    const reserve = reserveOf(2);
    decided(engine, reserve, 'reserve-1');
    clock.nowMs += MINUTE_MS;
    engine.expireDue();
    clock.nowMs += 59 * MINUTE_MS;
    const { reservationId } = reserve;
    decided(engine, { type: 'confirm', reservationId, orderId: 'O1', keepRest: false }, 'confirm-1');
    clock.nowMs += 2 * MINUTE_MS;
    recordAll(engine);
    decided(engine, reserveOf(1), 'reserve-2');
    // Forgotten here, an unrecorded late confirmation would be decided a second time from the projection.
    expect(engine.hold(reservationId)?.hold.status).toBe('confirmed');
    clock.nowMs += 60 * MINUTE_MS;
    recordAll(engine);
    decided(engine, reserveOf(1), 'reserve-3');
    expect(engine.hold(reservationId)).toBeNull();
  });

  it('has the ledger asked for a confirmation whose id was pushed out by many others', () => {
    const { engine, clock } = engineAt({ ...WINDOW_BOUNDS, countMax: 2, keepMs: 1_000 });
    const reserve = reserveOf(4, 30 * MINUTE_MS);
    decided(engine, reserve, 'reserve-1');
    const part = {
      type: 'confirm' as const,
      reservationId: reserve.reservationId,
      orderId: 'O1',
      items: [{ storeId: 'S1', productId: 'P1', quantity: 1 }],
      keepRest: true,
    };
    decided(engine, part, 'confirm-1');
    clock.nowMs += MINUTE_MS;
    recordAll(engine);
    for (const id of ['a', 'b', 'c']) decided(engine, reserveOf(1), id);
    expect(engine.decide(requestOf(part, 'confirm-1')).kind).toBe('look-up-operation');
  });

  it('forgets nothing that is not recorded, however far the clock jumps', () => {
    const { engine, clock } = engineAt({ ...WINDOW_BOUNDS, countMax: 0, keepMs: -1 });
    const reserve = reserveOf(2);
    const confirm = { type: 'confirm' as const, reservationId: reserve.reservationId, orderId: 'O1', keepRest: false };
    decided(engine, reserve, 'reserve-1');
    decided(engine, confirm, 'confirm-1');
    clock.nowMs += 120 * MINUTE_MS;
    decided(engine, reserveOf(1), 'reserve-2');
    expect(engine.decide(requestOf(reserve, 'reserve-1')).kind).toBe('repeated');
    expect(engine.decide(requestOf(confirm, 'confirm-1')).kind).toBe('repeated');
    expect(engine.hold(reserve.reservationId)?.hold.status).toBe('confirmed');
    recordAll(engine);
    decided(engine, reserveOf(1), 'reserve-3');
    expect(engine.hold(reserve.reservationId)).toBeNull();
  });

  it('has the ledger asked before an undo is decided a second time', () => {
    const { engine } = engineAt({ ...WINDOW_BOUNDS, countMax: 0, keepMs: -1 });
    const undo = { type: 'undo' as const, seq: 3, items: [{ storeId: 'S1', productId: 'P1', quantity: 1 }] };
    const request = requestOf(undo, 'undo/1/3');
    expect(engine.decide(request).kind).toBe('decided');
    expect(engine.decide(request).kind).toBe('repeated');
    recordAll(engine);
    decided(engine, reserveOf(1), 'r1');
    expect(engine.decide(request).kind).toBe('look-up-operation');
    expect(engine.decide({ ...request, lookedUpAt: 3 }).kind).toBe('look-up-operation');
  });

  it('has the ledger asked before a refusal that leaves no trace hides the first answer', () => {
    const { engine } = engineAt({ ...WINDOW_BOUNDS, countMax: 0, keepMs: -1 });
    const issue = {
      type: 'issue' as const,
      items: [{ storeId: 'S1', productId: 'P1', quantity: 1 }],
      expectedVersion: 1,
    };
    expect(engine.decide(requestOf(issue, 'issue-1')).kind).toBe('decided');
    recordAll(engine);
    decided(engine, reserveOf(1), 'r1');
    expect(engine.decide(requestOf(issue, 'issue-1')).kind).toBe('look-up-operation');
    expect(engine.decide({ ...requestOf(issue, 'issue-2'), lookedUpAt: 5 }).kind).toBe('observed');
  });
});

describe('a reserve by event', () => {
  const FORGETFUL = { ...WINDOW_BOUNDS, countMax: 0, keepMs: -1 };
  const orderOf = (orderId: string) => ({ ...reserveOf(2), reservationId: reservationIdOfOrder(HQ, orderId), orderId });

  it.each(['order/placed/O1', 'sku/created/P1'])('under %s is looked up once the window has forgotten it', (id) => {
    const { engine } = engineAt(FORGETFUL);
    const order = orderOf('O1');
    decided(engine, order, id);
    decided(engine, { type: 'confirm', reservationId: order.reservationId, orderId: 'O1', keepRest: false }, 'paid');
    recordAll(engine);
    decided(engine, reserveOf(1), 'other');
    recordAll(engine);
    decided(engine, reserveOf(1), 'one-more');
    // Sold, and forgotten: a second decision would hold under the same name, and the first could not be told from it.
    expect(engine.hold(order.reservationId)).toBeNull();
    const request = requestOf(order, id);
    expect(engine.decide(request).kind).toBe('look-up-operation');
    expect(engine.decide({ ...request, lookedUpAt: 3 }).kind).toBe('look-up-operation');
    expect(engine.decide(requestOf({ type: 'issue', items: [unitsOf(1)] }, id)).kind).toBe('look-up-operation');
    expect(engine.decide(requestOf(reserveOf(1), 'by-a-till')).kind).toBe('decided');
  });

  it('never takes the place of a reservation that is there', () => {
    const { engine } = engineAt();
    const order = orderOf('O1');
    const seq = decided(engine, order, 'order/placed/O1').seq;
    const again = requestOf({ ...order, items: [unitsOf(1)] }, 'order/placed/O2');
    expect(() => engine.decide(again)).toThrow('is there already');
    decided(engine, { type: 'release', reservationId: order.reservationId }, 'order/cancelled/O1');
    expect(() => engine.decide(again)).toThrow('is there already');
    expect(engine.hold(order.reservationId)?.hold).toMatchObject({ status: 'released', items: [{ reserved: 2 }] });
    expect(engine.head(HQ).seq).toBe(seq + 1);
  });
});

describe('a command that names a level twice', () => {
  it.each([
    [
      'a move from a place to itself',
      { type: 'transfer', fromStoreId: 'S1', toStoreId: 'S1', reason: 'r' } as const,
      1,
    ],
    ['lines that were not summed', { ...reserveOf(1) }, 2],
  ])('%s is refused as a bug and changes nothing', (_name, command, lines) => {
    const { engine } = engineAt();
    const items = Array.from({ length: lines }, () => ({ storeId: 'S1', productId: 'P1', quantity: 6 }));
    const request = { ...requestOf({ ...command, items }, 'op-1'), lookedUpAt: Number.MAX_SAFE_INTEGER };
    expect(() => engine.decide(request)).toThrow('names a level twice');
    const [level] = engine.levels(HQ, [{ storeId: 'S1', productId: 'P1' }]);
    expect(level).toMatchObject({ onHand: 10, reserved: 0, version: 1 });
    expect(engine.counts().unrecorded).toBe(3);
  });
});

it('does not open at a head up to which it was not filled', () => {
  const engine = new MemoryStockEngine(() => 0);
  expect(() => engine.open(emptyHeads().map((head) => ({ ...head, seq: 1 })))).toThrow('filled up to entry 0');
});
