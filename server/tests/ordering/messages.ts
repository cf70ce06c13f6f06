/** Messages as other teams' services send them. */
import type { ConsumedTopic } from '../../src/events/topics.ts';
import type { ConsumedMessage, ReadResult } from '../../src/ordering/messages/message.ts';
import { valueOpener } from '../../src/ordering/messages/open-value.ts';
import { readMessage } from '../../src/ordering/messages/read-message.ts';

/** As in the contract. */
export const GOOD = {
  'order.placed': {
    orderId: 'ORD123456',
    hqId: 'HQ001',
    storeId: 'STORE001',
    items: [{ productId: 'PRD001', quantity: 2 }],
    ttlMs: 60_000,
  },
  'order.completed': {
    orderId: 'ORD123456',
    reservationId: 'RES789',
    hqId: 'HQ001',
    storeId: 'STORE001',
    items: [{ productId: 'PRD001', quantity: 2, actualPrice: 10_000 }],
    totalAmount: 20_000,
  },
  'order.confirmed': { orderId: 'ORD123456', hqId: 'HQ001' },
  'order.cancelled': { orderId: 'ORD123456', hqId: 'HQ001', reason: 'PAYMENT_FAILED' },
  'sku.created': { skuId: 'SKU-1', hqId: 'HQ001', name: '사과', initialStock: 10, storeId: 'STORE001' },
} as const satisfies Record<ConsumedTopic, object>;

export const TOPICS = Object.keys(GOOD) as ConsumedTopic[];

export function message(topic: ConsumedTopic, value: unknown, more: Partial<ConsumedMessage> = {}): ConsumedMessage {
  const bytes = value === null || value instanceof Uint8Array ? value : Buffer.from(textOf(value));
  return { topic, partition: 0, offset: 0n, key: null, headers: new Map(), value: bytes, at: 0, ...more };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function plain(topic: ConsumedTopic, data: object, more: object = {}): object {
  return { eventId: 'evt-1', eventType: topic, timestamp: '2026-11-21T09:00:00Z', data, ...more };
}

export function structured(topic: ConsumedTopic, data: object, more: object = {}): object {
  return { specversion: '1.0', id: 'evt-1', source: '/shop', type: topic, data, ...more };
}

export function binary(topic: ConsumedTopic, data: unknown, more: Record<string, string> = {}): ConsumedMessage {
  const headers = { ce_specversion: '1.0', ce_id: 'evt-1', ce_source: '/shop', ce_type: topic, ...more };
  return message(topic, data, { headers: new Map(Object.entries(headers)) });
}

const acceptPlain = valueOpener(null, 'accepted');

export function read(sent: ConsumedMessage): ReadResult {
  return readMessage(sent, acceptPlain);
}

/** `INVALID items is absent` */
export function refusalOf(sent: ConsumedMessage): string {
  const result = read(sent);
  return result.ok ? 'ok' : `${result.code} ${result.reason}`;
}
