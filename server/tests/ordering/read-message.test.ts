/** What is accepted from producers, and what each thing that is not is called. */
import { describe, expect, it } from 'vitest';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import type { OrderEventBody } from '../../src/ordering/messages/message.ts';
import { binary, GOOD, message, plain, read, refusalOf, structured, TOPICS } from './messages.ts';

const BODIES: Record<ConsumedTopic, OrderEventBody> = {
  'order.placed': {
    kind: 'placed',
    hqId: 'HQ001',
    orderId: 'ORD123456',
    storeId: 'STORE001',
    items: [{ storeId: 'STORE001', productId: 'PRD001', quantity: 2 }],
    ttlMs: 60_000,
  },
  'order.completed': {
    kind: 'completed',
    hqId: 'HQ001',
    orderId: 'ORD123456',
    reservationId: 'RES789',
    items: [{ storeId: 'STORE001', productId: 'PRD001', quantity: 2, price: 10_000 }],
  },
  'order.confirmed': { kind: 'completed', hqId: 'HQ001', orderId: 'ORD123456', reservationId: null, items: null },
  'order.cancelled': {
    kind: 'cancelled',
    hqId: 'HQ001',
    orderId: 'ORD123456',
    reservationId: null,
    reason: 'PAYMENT_FAILED',
  },
  'sku.created': {
    kind: 'sku-created',
    hqId: 'HQ001',
    skuId: 'SKU-1',
    name: '사과',
    initialStock: 10,
    storeId: 'STORE001',
  },
};

function readAs(topic: ConsumedTopic, source: string) {
  const id = topic === 'sku.created' ? 'SKU-1' : 'ORD123456';
  const rest = { topic, key: id, eventId: 'evt-1', source, correlationId: id, encrypted: false };
  return { ok: true, message: { ...rest, body: BODIES[topic] } };
}

describe('a good message', () => {
  it.each(TOPICS)('%s: in the plain envelope, as a structured and as a binary CloudEvent', (topic) => {
    const data = GOOD[topic];
    const base64 = { data: undefined, data_base64: Buffer.from(JSON.stringify(data)).toString('base64') };
    const type = { headers: new Map([['content-type', 'application/cloudevents+json; charset=UTF-8']]) };
    expect(read(message(topic, plain(topic, data)))).toEqual(readAs(topic, topic));
    expect(read(message(topic, structured(topic, data)))).toEqual(readAs(topic, '/shop'));
    expect(read(message(topic, structured(topic, data), type))).toEqual(readAs(topic, '/shop'));
    expect(read(message(topic, structured(topic, data, base64)))).toEqual(readAs(topic, '/shop'));
    expect(read(binary(topic, data))).toEqual(readAs(topic, '/shop'));
    expect(read(message(topic, `\ufeff${JSON.stringify(plain(topic, data))}`))).toEqual(readAs(topic, topic));
  });

  it.each(TOPICS)('%s: in every spelling of its type', (topic) => {
    const words = topic.split('.');
    const camel = words.map((word) => (word[0] as string).toUpperCase() + word.slice(1)).join('');
    const upper = words.join('_').toUpperCase();
    for (const name of [topic, camel, upper]) {
      for (const prefix of ['', 'koosco.commerce.', 'com.shop/', 'SHOP_', 'Shop.']) {
        for (const version of ['', '.v1']) {
          const type = prefix + name + version;
          expect
            .soft(read(message(topic, plain(topic, GOOD[topic], { eventType: type }))), type)
            .toMatchObject({ ok: true });
          expect.soft(read(message(topic, structured(topic, GOOD[topic], { type }))), type).toMatchObject({ ok: true });
          expect.soft(read(binary(topic, GOOD[topic], { ce_type: type })), type).toMatchObject({ ok: true });
        }
      }
    }
  });

  it('sums equal lines, and takes the store of a line before that of its order', () => {
    const items = [
      { productId: 'A', quantity: 1 },
      { productId: 'A', quantity: 2, storeId: 'HQ' },
      { productId: 'A', quantity: 3 },
    ];
    const result = read(message('order.placed', plain('order.placed', { ...GOOD['order.placed'], items })));
    expect(result).toMatchObject({
      message: {
        body: {
          items: [
            { storeId: 'STORE001', productId: 'A', quantity: 4 },
            { storeId: 'HQ', productId: 'A', quantity: 2 },
          ],
        },
      },
    });
  });

  it('leaves the store of what was sold open where nothing names it', () => {
    const items = [
      { productId: 'A', quantity: 1 },
      { productId: 'A', quantity: 2, storeId: 'HQ' },
      { productId: 'A', quantity: 3 },
    ];
    const completed = { ...GOOD['order.completed'], storeId: null, items };
    const lines = [
      { storeId: null, productId: 'A', quantity: 4 },
      { storeId: 'HQ', productId: 'A', quantity: 2 },
    ];
    expect(read(message('order.completed', plain('order.completed', completed)))).toMatchObject({
      message: { body: { items: lines } },
    });
  });

  it('fills in what may be left out', () => {
    const { ttlMs: _, ...placed } = GOOD['order.placed'];
    const created = { skuId: 'P1', hqId: 'HQ001', name: null };
    expect(read(message('order.placed', plain('order.placed', placed)))).toMatchObject({
      message: { body: { ttlMs: 300_000 } },
    });
    expect(read(message('sku.created', plain('sku.created', created)))).toMatchObject({
      message: { body: { name: 'P1', initialStock: 0, storeId: 'HQ' } },
    });
  });

  it('keeps the correlation id that came: of the data, else of the envelope, else of a header', () => {
    const topic = 'order.cancelled';
    const headers = new Map([['x-correlation-id', 'of-header']]);
    const correlationOf = (sent: ReturnType<typeof message>) => {
      const result = read(sent);
      return result.ok ? result.message.correlationId : result.reason;
    };
    const own = { ...GOOD[topic], correlationId: 'of-data' };
    const extension = { correlationid: 'of-event' };
    expect(correlationOf(message(topic, structured(topic, own, extension), { headers }))).toBe('of-data');
    expect(correlationOf(message(topic, structured(topic, GOOD[topic], extension), { headers }))).toBe('of-event');
    expect(correlationOf(binary(topic, GOOD[topic], { ce_correlationid: 'of-event' }))).toBe('of-event');
    expect(correlationOf(message(topic, plain(topic, GOOD[topic]), { headers }))).toBe('of-header');
    const unfit = { ...GOOD[topic], correlationId: 'not one of ours' };
    expect(correlationOf(message(topic, plain(topic, unfit)))).toBe('ORD123456');
  });

  it('reads a type of the other name of the same thing, no type, and a schema of another house', () => {
    const data = GOOD['order.completed'];
    const sent = (more: object) => refusalOf(message('order.completed', structured('order.completed', data, more)));
    expect(sent({ type: 'OrderConfirmed' })).toBe('ok');
    expect(sent({ type: undefined })).toBe('ok');
    expect(sent({ dataschema: 'https://shop.example/schemas/ids/17' })).toBe('ok');
    expect(sent({ dataschema: 'urn:holdfast:schema:order.completed:1' })).toBe('ok');
  });
});

describe('a message that cannot be read', () => {
  const topic = 'order.completed';
  const data = GOOD[topic];
  const line = data.items[0];
  const withData = (change: object) => message(topic, plain(topic, { ...data, ...change }));
  const deep = `${'['.repeat(300_000)}${']'.repeat(300_000)}`;

  it.each([
    ['no value', message(topic, null), 'NOT_JSON there is no value'],
    ['an empty value', message(topic, ''), 'NOT_JSON the value is empty'],
    ['no JSON', message(topic, 'rubbish'), 'NOT_JSON the value is not JSON: Unexpected token'],
    ['NaN', message(topic, '{"eventId":NaN}'), 'NOT_JSON the value is not JSON'],
    ['cut off', message(topic, JSON.stringify(plain(topic, data)).slice(0, -1)), 'NOT_JSON the value is not JSON'],
    ['Latin-1', message(topic, Buffer.from('{"eventId":"é"}', 'latin1')), 'NOT_JSON the value is not text in UTF-8'],
    ['over 1 MiB', message(topic, ' '.repeat(1024 * 1024 + 1)), 'TOO_LARGE the value has 1048577 bytes'],
    ['a list', message(topic, []), 'UNKNOWN_ENVELOPE it is a list of 0'],
    ['deep nesting', message(topic, deep), 'UNKNOWN_ENVELOPE it is a list of 1'],
    ['null', message(topic, 'null'), 'UNKNOWN_ENVELOPE it is null'],
    ['data alone', message(topic, data), 'UNKNOWN_ENVELOPE it has neither specversion'],
    ['a prototype', message(topic, '{"__proto__":{"eventId":"1","data":{}}}'), 'UNKNOWN_ENVELOPE it has neither'],
    [
      'CloudEvents 0.3',
      message(topic, structured(topic, data, { specversion: '0.3' })),
      'UNKNOWN_ENVELOPE specversion is "0.3"',
    ],
    [
      'binary 2.0',
      binary(topic, data, { ce_specversion: '2.0' }),
      'UNKNOWN_ENVELOPE the header ce_specversion is "2.0"',
    ],
    ['no id', message(topic, structured(topic, data, { id: undefined })), 'INVALID id is absent'],
    ['a number as id', message(topic, plain(topic, data, { eventId: 7 })), 'INVALID eventId is 7'],
    ['no data', message(topic, plain(topic, data, { data: undefined })), 'INVALID data is absent'],
    ['binary, no object', binary(topic, '"text"'), 'INVALID data is "text", but it must be an object'],
    [
      'base64 of rubbish',
      message(topic, structured(topic, data, { data: undefined, data_base64: '!!' })),
      'NOT_JSON data_base64 is empty',
    ],
    [
      'another type',
      message(topic, plain(topic, data, { eventType: 'OrderCancelled' })),
      'WRONG_TYPE the type is "OrderCancelled"',
    ],
    ['half a type', message(topic, plain(topic, data, { eventType: 'reorder.completed' })), 'WRONG_TYPE the type'],
    ['no text as type', message(topic, structured(topic, data, { type: [] })), 'WRONG_TYPE the type is a list of 0'],
    [
      'a later type',
      message(topic, structured(topic, data, { type: `${topic}.v2` })),
      'UNKNOWN_SCHEMA the type "order.completed.v2" names a version',
    ],
    [
      'a later schema',
      message(topic, structured(topic, data, { dataschema: `urn:holdfast:schema:${topic}:2` })),
      'UNKNOWN_SCHEMA dataschema',
    ],
    [
      'a later schema elsewhere',
      binary(topic, data, { ce_dataschema: 'https://a.example/order/v9.json' }),
      'UNKNOWN_SCHEMA dataschema',
    ],
    [
      'a schema of another event',
      message(topic, structured(topic, data, { dataschema: 'urn:holdfast:schema:sku.created:1' })),
      'UNKNOWN_SCHEMA dataschema',
    ],
    ['no order', withData({ orderId: undefined }), 'INVALID orderId is absent'],
    [
      'an id that does not fit',
      withData({ orderId: 'a b' }),
      'INVALID orderId is "a b", but it must be 1 to 64 letters, digits',
    ],
    ['a long id', withData({ hqId: 'x'.repeat(10_000) }), 'INVALID hqId is "xxx'],
    [
      'data with a prototype',
      message(topic, `{"eventId":"1","data":{"__proto__":${JSON.stringify(data)}}}`),
      'INVALID orderId is absent',
    ],
    ['no lines', withData({ items: [] }), 'INVALID items is a list of 0, but it must be a list of 1 to 500 lines'],
    ['501 lines', withData({ items: Array(501).fill(line) }), 'INVALID items is a list of 501'],
    [
      'a million bytes of lines',
      withData({ items: Array(300_000).fill({}) }),
      'INVALID items is a list of 300000, but it must be a list of 1 to 500 lines',
    ],
    [
      'quantity 0',
      withData({ items: [{ ...line, quantity: 0 }] }),
      'INVALID items[0].quantity is 0, but it must be a whole number from 1 to 1000000',
    ],
    ['quantity -1', withData({ items: [line, line, { ...line, quantity: -1 }] }), 'INVALID items[2].quantity is -1'],
    ['quantity 1.5', withData({ items: [{ ...line, quantity: 1.5 }] }), 'INVALID items[0].quantity is 1.5'],
    ['quantity as text', withData({ items: [{ ...line, quantity: '2' }] }), 'INVALID items[0].quantity is "2"'],
    [
      'a huge quantity',
      message(topic, JSON.stringify(plain(topic, data)).replace('"quantity":2', '"quantity":1e999')),
      'INVALID items[0].quantity is Infinity',
    ],
    ['a line that is null', withData({ items: [null] }), 'INVALID items[0] is null, but it must be an object'],
    [
      'lines past the maximum',
      withData({ items: Array(2).fill({ ...line, quantity: 600_000 }) }),
      'INVALID the lines of PRD001 at STORE001 come to 1200000',
    ],
    [
      'ttlMs out of range',
      message('order.placed', plain('order.placed', { ...GOOD['order.placed'], ttlMs: 999 })),
      'INVALID ttlMs is 999, but it must be a whole number from 1000 to 3600000',
    ],
    [
      'encrypted, no keys',
      message(topic, 'x', { headers: new Map([['holdfast-key-id', 'k']]) }),
      'UNKNOWN_KEY_ID it is encrypted, and no keys',
    ],
  ])('%s', (_name, sent, reason) => {
    const refusal = refusalOf(sent);
    expect(refusal.slice(0, reason.length)).toBe(reason);
    expect(refusal.length).toBeLessThan(300);
  });

  it('is parked with the ids that could be read of it', () => {
    expect(read(withData({ items: [] }))).toMatchObject({ hqId: 'HQ001', orderId: 'ORD123456', eventId: 'evt-1' });
    expect(read(binary(topic, '?'))).toMatchObject({ hqId: null, orderId: null, eventId: 'evt-1' });
    expect(read(withData({ hqId: '<script>' }))).toMatchObject({ hqId: null, orderId: 'ORD123456' });
    const later = message(topic, structured(topic, data, { specversion: '2.0' }));
    expect(read(later)).toMatchObject({ eventId: null });
  });

  it('shows nothing of what it holds that acts on a terminal', () => {
    expect(refusalOf(withData({ orderId: '\u001b[31m\u202eevil\n' }))).toContain('"\ufffd[31m\ufffdevil\ufffd"');
  });
});
