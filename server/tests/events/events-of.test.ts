/** What each entry publishes: types, keys, order and data, from the entries of the real engine. */

import { Compile } from 'typebox/compile';
import { beforeEach, describe, expect, it } from 'vitest';
import { catalogue, type EventType } from '../../src/events/catalogue/catalogue.ts';
import { eventsOf } from '../../src/events/events-of.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/stock/entry-codec.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import { decided, emptyHeads, reserveOf, stocked, unitsOf } from '../stock/requests.ts';

const NOW = Date.UTC(2026, 0, 5, 9);

let engine: MemoryStockEngine;
let now: number;

beforeEach(() => {
  now = NOW;
  engine = new MemoryStockEngine(() => now);
  engine.open(emptyHeads());
  stocked(engine, 10);
});

function summary(entry: Entry): string[] {
  return eventsOf(entry).map((event) => `${event.type} ${event.subject}`);
}

function configure(safetyStock: number | null, lowThreshold: number | null): Entry {
  const settings = { safetyStock, lowThreshold };
  return decided(engine, { type: 'configure-level', storeId: 'S1', productId: 'P1', settings });
}

describe('the life of a reservation', () => {
  it('publishes reserved, then confirmed with one update per level', () => {
    const reserve = reserveOf(3);
    const reserved = eventsOf(decided(engine, reserve, 'op-reserve'));
    expect(reserved).toHaveLength(1);
    expect(reserved[0]).toMatchObject({
      type: 'stock.reserved',
      subject: reserve.reservationId,
      causationid: 'op-reserve',
      data: { items: [{ productId: 'P1', storeId: 'S1', quantity: 3 }], transactionId: 'trx-1' },
    });
    const { reservationId } = reserve;
    const confirmed = decided(
      engine,
      { type: 'confirm', reservationId, orderId: 'ORD1', keepRest: false },
      'op-confirm',
    );
    expect(summary(confirmed)).toEqual([`stock.confirmed ${reservationId}`, 'stock.updated HQ001:S1:P1']);
    expect(eventsOf(confirmed)[1]?.data).toEqual({
      hqId: 'HQ001',
      storeId: 'S1',
      productId: 'P1',
      stockLevels: { hqStock: { previous: 10, current: 7 }, storeStock: { previous: 10, current: 7 } },
      changeAmount: -3,
      changeReason: 'SALE',
      referenceId: 'ORD1',
    });
  });

  it('confirms a part: the event tells what this confirmation sold, not what was sold before', () => {
    const reserve = reserveOf(5);
    decided(engine, reserve, 'op-1');
    const { reservationId } = reserve;
    const part = { type: 'confirm', reservationId, orderId: 'ORD1', keepRest: true } as const;
    decided(engine, { ...part, items: [unitsOf(2)] }, 'op-2');
    const second = decided(engine, { ...part, items: [unitsOf(1)] }, 'op-3');
    expect(eventsOf(second)[0]?.data).toMatchObject({ items: [{ quantity: 1 }] });
  });

  it('says nothing of a confirmation that had no effect', () => {
    const reserve = reserveOf(5);
    decided(engine, reserve, 'op-1');
    const confirm = {
      type: 'confirm',
      reservationId: reserve.reservationId,
      orderId: 'ORD1',
      keepRest: false,
    } as const;
    decided(engine, confirm, 'op-2');
    expect(summary(decided(engine, confirm, 'op-3'))).toEqual([]);
  });

  it('publishes released, expired, and what failed with its reason', () => {
    const [first, second] = [reserveOf(1), reserveOf(1, 1_000)];
    decided(engine, first, 'op-1');
    decided(engine, second, 'op-2');
    const released = decided(engine, { type: 'release', reservationId: first.reservationId }, 'op-3');
    expect(summary(released)).toEqual([`stock.released ${first.reservationId}`]);
    now += 2_000;
    decided(engine, reserveOf(9), 'op-4');
    const late = decided(
      engine,
      { type: 'confirm', reservationId: first.reservationId, orderId: 'O', keepRest: false },
      'op-5',
    );
    expect(eventsOf(late)[0]).toMatchObject({ type: 'stock.confirm.failed', data: { reason: 'RELEASED' } });
    const refused = decided(engine, reserveOf(99), 'op-6');
    expect(eventsOf(refused)[0]).toMatchObject({
      type: 'stock.reservation.failed',
      subject: 'trx-1',
      data: { reason: 'INSUFFICIENT_STOCK', lines: [{ requested: 99, hqAvailable: 0 }] },
    });
  });
});

describe('levels', () => {
  it('shows the HQ unchanged by a transfer', () => {
    decided(engine, { type: 'configure-store', storeId: 'S2', settings: { safetyStock: null, lowThreshold: null } });
    const command: Command = {
      type: 'transfer',
      fromStoreId: 'S1',
      toStoreId: 'S2',
      items: [unitsOf(4)],
      reason: 'rebalance',
    };
    const updates = eventsOf(decided(engine, command, 'op-1')).map(({ data }) => data);
    expect(updates).toMatchObject([
      { storeId: 'S1', changeAmount: -4, stockLevels: { hqStock: { previous: 10, current: 10 } } },
      { storeId: 'S2', changeAmount: 4, stockLevels: { hqStock: { previous: 10, current: 10 } } },
    ]);
  });

  it('says low once per crossing, and again after it has risen', () => {
    configure(null, 4);
    const lowOf = (entry: Entry) => summary(entry).filter((line) => line.startsWith('stock.low'));
    const issue = (quantity: number, id: string) => decided(engine, { type: 'issue', items: [unitsOf(quantity)] }, id);
    expect(lowOf(issue(5, 'op-1'))).toEqual([]);
    expect(lowOf(issue(1, 'op-2'))).toEqual(['stock.low HQ001:S1:P1']);
    expect(lowOf(issue(1, 'op-3'))).toEqual([]);
    decided(engine, { type: 'receive', items: [unitsOf(5)] }, 'op-4');
    expect(lowOf(issue(6, 'op-5'))).toEqual(['stock.low HQ001:S1:P1']);
  });

  it('says shortfall when a safety stock, an adjustment or a default of the product pushes available below zero', () => {
    expect(summary(configure(11, null))).toEqual(['stock.shortfall HQ001:S1:P1']);
    configure(null, null);
    decided(engine, reserveOf(8), 'op-1');
    const adjusted: Command = {
      type: 'adjust',
      items: [{ storeId: 'S1', productId: 'P1', change: -5 }],
      reason: 'broken',
    };
    expect(summary(decided(engine, adjusted, 'op-2'))).toEqual([
      'stock.updated HQ001:S1:P1',
      'stock.shortfall HQ001:S1:P1',
    ]);
    decided(engine, { type: 'receive', items: [unitsOf(20)] }, 'op-3');
    const settings = { safetyStock: 100, lowThreshold: null };
    const product = decided(engine, { type: 'configure-product', productId: 'P1', settings });
    expect(summary(product)).toEqual(['stock.shortfall HQ001:S1:P1']);
  });
});

describe('the envelope', () => {
  it('is the same from the entry as it is stored', () => {
    const entry = decided(engine, reserveOf(2), 'op-1');
    expect(eventsOf(decodeEntry(encodeEntry(entry)))).toEqual(eventsOf(entry));
  });

  it('has a rising sequence and a stable id, and data that match the catalogue', () => {
    configure(1, 9);
    const reserve = reserveOf(3);
    const entries = [
      decided(engine, reserve, 'op-1'),
      decided(
        engine,
        { type: 'confirm', reservationId: reserve.reservationId, orderId: 'O1', keepRest: false },
        'op-2',
      ),
      decided(engine, reserveOf(99), 'op-3'),
    ];
    const events = entries.flatMap(eventsOf);
    const sequences = events.map(({ sequence }) => sequence);
    expect([...sequences].sort()).toEqual(sequences);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    for (const event of events) {
      const schema = Compile(catalogue[event.type as EventType].data);
      expect([...schema.Errors(event.data)], event.type).toEqual([]);
    }
  });
});

describe('the answer to an event of an order', () => {
  const orderOf = (event: 'placed' | 'completed' | 'cancelled', named = {}): Command => ({
    type: 'answer-order',
    event,
    orderId: 'ORD1',
    items: [unitsOf(2)],
    reason: event === 'completed' ? 'UNKNOWN_RESERVATION' : 'CANCELLED',
    ...named,
  });
  const items = [{ productId: 'P1', storeId: 'S1', quantity: 2 }];

  it('says that a cancelled order was not reserved', () => {
    const [event, ...more] = eventsOf(
      decided(engine, orderOf('placed', { storeId: 'S1' }), 'order/placed/ORD1/cancelled'),
    );
    expect(more).toEqual([]);
    expect(event).toMatchObject({ type: 'stock.reservation.failed', subject: 'ORD1', partitionkey: 'ORD1' });
    const said = { storeId: 'S1', orderId: 'ORD1', transactionId: 'ORD1', items, reason: 'CANCELLED', lines: [] };
    expect(event?.data).toEqual({ hqId: 'HQ001', ...said });
  });

  it('says that nothing was there to be confirmed, by the reservation, else by the order', () => {
    const [byOrder] = eventsOf(decided(engine, orderOf('completed'), 'order/completed/ORD1/unknown'));
    expect(byOrder).toMatchObject({ type: 'stock.confirm.failed', subject: 'ORD1' });
    const said = { orderId: 'ORD1', transactionId: 'ORD1', items, reason: 'UNKNOWN_RESERVATION', lines: [] };
    expect(byOrder?.data).toEqual({ hqId: 'HQ001', ...said });
    const [named] = eventsOf(
      decided(engine, orderOf('completed', { reservationId: 'RES789' }), 'order/completed/ORD2/unknown'),
    );
    expect(named).toMatchObject({ subject: 'RES789', data: { reservationId: 'RES789' } });
    for (const event of [byOrder, named]) {
      expect([...Compile(catalogue['stock.confirm.failed'].data).Errors(event?.data)]).toEqual([]);
    }
  });

  it('says nothing of a cancellation that came first', () => {
    expect(eventsOf(decided(engine, orderOf('cancelled'), 'order/placed/ORD1'))).toEqual([]);
  });
});

describe('corrections', () => {
  it('publish only where on-hand stock moved', () => {
    const reserve = reserveOf(2);
    const duplicate = { ...decided(engine, reserve, 'op-1'), duplicateOf: 1 };
    expect(eventsOf(duplicate)).toEqual([]);
    decided(engine, { type: 'issue', items: [unitsOf(2)] }, 'op-2');
    const undone = decided(engine, { type: 'undo', seq: 6, items: [unitsOf(2)] }, 'undo/1/6');
    expect(eventsOf(undone)).toMatchObject([{ type: 'stock.updated', data: { changeReason: 'CORRECTION' } }]);
  });
});
