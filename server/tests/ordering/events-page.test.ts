/** What the page on events shows producers is read as it stands. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import { message, read, refusalOf } from './messages.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/concepts/events.md'), 'utf8');

it('the examples of messages are read', () => {
  const examples = [...PAGE.matchAll(/^```json (\S+)\n([\s\S]*?)^```$/gm)];
  const results = examples.map(([, topic, text]) => read(message(topic as ConsumedTopic, text)));
  const line = { storeId: 'STORE001', productId: 'PRD001', quantity: 2 };
  expect(results).toMatchObject([
    { ok: true, message: { source: '/shop', body: { kind: 'completed', items: [{ ...line, price: 10_000 }] } } },
    {
      ok: true,
      message: { correlationId: 'cart-77', body: { items: [line, { storeId: 'STORE002', productId: 'PRD002' }] } },
    },
  ]);
});

it('the example of a reason is what is said', () => {
  const data = {
    orderId: 'O1',
    hqId: 'HQ001',
    storeId: 'S1',
    items: [1, 1, -1].map((quantity) => ({ productId: 'P', quantity })),
  };
  const reason = refusalOf(message('order.placed', { eventId: 'e', data })).replace('INVALID ', '');
  expect(PAGE).toContain(`\`${reason}\``);
});
