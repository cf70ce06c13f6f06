/** What data of consumed topics may look like: the shapes of the contract, and each bound at its edge. */
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { type ConsumedData, consumed } from '../../../src/events/catalogue/consumed.ts';
import type { ConsumedTopic } from '../../../src/events/topics.ts';
import { LINES_MAX, QUANTITY_MAX, TTL_MS_MAX } from '../../../src/stock/limits.ts';

const good: { [T in ConsumedTopic]: ConsumedData<T> } = {
  'order.placed': { orderId: 'O1', hqId: 'HQ001', storeId: 'S1', items: [{ productId: 'P1', quantity: 2 }] },
  'order.completed': {
    orderId: 'O1',
    reservationId: 'RES789',
    hqId: 'HQ001',
    storeId: 'S1',
    items: [{ productId: 'P1', quantity: 2, actualPrice: 10_000 }],
  },
  'order.confirmed': { orderId: 'O1', hqId: 'HQ001', reservationId: null, items: null, correlationId: null },
  'order.cancelled': { orderId: 'O1', hqId: 'HQ001', reason: '' },
  'sku.created': { skuId: 'P1', hqId: 'HQ001', initialStock: 0, storeId: 'S1', name: '사과' },
};
const topics = Object.keys(good) as ConsumedTopic[];

function errorsOf(topic: ConsumedTopic, change: object): string[] {
  const data = { ...good[topic], ...change };
  return Compile(consumed[topic].data)
    .Errors(data)
    .map(({ instancePath, message }) => `${instancePath} ${message}`);
}

describe('data of a consumed topic', () => {
  it.each(topics)('%s: as documented, with fields that nobody knows, and null for what may be absent', (topic) => {
    const { required = [], properties } = consumed[topic].data as { required?: string[]; properties: object };
    const nulls = Object.keys(properties).filter((name) => !required.includes(name));
    expect(errorsOf(topic, { totalAmount: 'much', ...Object.fromEntries(nulls.map((name) => [name, null])) })).toEqual(
      [],
    );
    for (const name of required) expect(errorsOf(topic, { [name]: null })).not.toEqual([]);
  });

  it.each([
    ['order.placed', { orderId: 'x'.repeat(65) }, '/orderId must match pattern'],
    ['order.placed', { items: [] }, '/items must not have fewer than 1 items'],
    [
      'order.placed',
      { items: Array(LINES_MAX + 1).fill({ productId: 'P1', quantity: 1 }) },
      '/items must not have more',
    ],
    ['order.placed', { items: [{ productId: 'P1', quantity: 0 }] }, '/items/0/quantity must be >= 1'],
    ['order.placed', { items: [{ productId: 'P1', quantity: 1.5 }] }, '/items/0/quantity must be integer'],
    ['order.placed', { items: [{ productId: 'P1', quantity: '2' }] }, '/items/0/quantity must be integer'],
    ['order.placed', { items: [{ productId: 'P1', quantity: QUANTITY_MAX + 1 }] }, '/items/0/quantity must be <='],
    ['order.placed', { ttlMs: TTL_MS_MAX + 1 }, '/ttlMs must be <='],
    ['order.completed', { items: [{ productId: 'P1', quantity: 1, actualPrice: -1 }] }, '/items/0/actualPrice must be'],
    ['order.completed', { reservationId: 'not an id' }, '/reservationId must match pattern'],
    ['order.cancelled', { reason: 'x'.repeat(501) }, '/reason must not have more than 500 characters'],
    ['order.cancelled', { reason: 'a\u0000b' }, '/reason must match pattern'],
    ['sku.created', { initialStock: -1 }, '/initialStock must be >= 0'],
  ] as const)('%s: %j is refused', (topic, change, message) => {
    expect(errorsOf(topic, change)).toEqual([expect.stringContaining(message)]);
  });
});
