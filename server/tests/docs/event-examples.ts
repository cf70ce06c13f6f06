/** An example of the data of every event, as `docs/reference/events.md` shows it. */

import type { Static } from 'typebox';
import type { published } from '../../src/events/catalogue/catalogue.ts';
import type { ConsumedData } from '../../src/events/catalogue/consumed.ts';
import type { ConsumedTopic } from '../../src/events/topics.ts';

type Published = typeof published;

export const consumedExamples: { [T in ConsumedTopic]: ConsumedData<T> } = {
  'order.placed': {
    orderId: 'ORD123456',
    hqId: 'HQ001',
    storeId: 'STORE001',
    items: [{ productId: 'PRD001', quantity: 2 }],
    ttlMs: 600_000,
  },
  'order.completed': {
    orderId: 'ORD123456',
    reservationId: 'rsv_17_0123456789abcdef01234567',
    hqId: 'HQ001',
    storeId: 'STORE001',
    items: [{ productId: 'PRD001', quantity: 2, actualPrice: 10_000 }],
  },
  'order.confirmed': { orderId: 'ORD123456', hqId: 'HQ001' },
  'order.cancelled': { orderId: 'ORD123456', hqId: 'HQ001', storeId: 'STORE001', reason: 'payment failed' },
  'sku.created': { skuId: 'PRD001', hqId: 'HQ001', name: 'Rain jacket', initialStock: 100, storeId: 'STORE001' },
};

const reservation = {
  hqId: 'HQ001',
  storeId: 'STORE001',
  reservationId: 'rsv_17_0123456789abcdef01234567',
  orderId: 'ORD123456',
  transactionId: 'till-7-00042',
  items: [{ productId: 'PRD001', storeId: 'STORE001', quantity: 2 }],
};
const { reservationId: _, ...unreserved } = reservation;
const level = { hqId: 'HQ001', storeId: 'STORE001', productId: 'PRD001' };

export const publishedExamples: { [T in keyof Published]: Static<Published[T]['data']> } = {
  'stock.reserved': { ...reservation, expiresAt: '2026-11-21T09:05:00.000Z' },
  'stock.reservation.failed': {
    ...unreserved,
    reason: 'INSUFFICIENT_STOCK',
    lines: [{ productId: 'PRD001', storeId: 'STORE001', requested: 2, available: 1, hqAvailable: 40 }],
  },
  'stock.confirmed': reservation,
  'stock.confirm.failed': { ...reservation, reason: 'EXPIRED', lines: [] },
  'stock.released': reservation,
  'stock.reservation.expired': reservation,
  'stock.updated': {
    ...level,
    stockLevels: { hqStock: { previous: 1_000, current: 998 }, storeStock: { previous: 100, current: 98 } },
    changeAmount: -2,
    changeReason: 'SALE',
    referenceId: 'ORD123456',
  },
  'stock.low': { ...level, available: 5, threshold: 5 },
  'stock.shortfall': { ...level, available: -3, threshold: 0 },
  'stock.sync.alert': {
    eventId: 'evt-uuid',
    productId: 'PRD001',
    dbStock: 100,
    redisStock: 95,
    discrepancy: 5,
    action: 'REDIS_RESTORED',
    severity: 'LOW',
    detectedAt: 1_699_999_999_000,
  },
};
