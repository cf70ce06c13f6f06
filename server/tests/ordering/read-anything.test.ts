/** Whatever comes: an answer, never an exception; and what is read is valid. */
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { consumed } from '../../src/events/catalogue/consumed.ts';
import type { ConsumedMessage } from '../../src/ordering/messages/message.ts';
import { ID_PATTERN } from '../../src/stock/identifiers.ts';
import { binary, GOOD, message, plain, read, structured, TOPICS } from './messages.ts';

const ID = new RegExp(ID_PATTERN);
const CODES = [
  'TOO_LARGE',
  'NOT_JSON',
  'UNKNOWN_ENVELOPE',
  'UNKNOWN_SCHEMA',
  'WRONG_TYPE',
  'INVALID',
  'UNKNOWN_KEY_ID',
];

const topic = fc.constantFrom(...TOPICS);
const name = fc.constantFrom(
  'orderId',
  'skuId',
  'hqId',
  'storeId',
  'items',
  'quantity',
  'ttlMs',
  '__proto__',
  'toString',
);
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, '', 'HQ', 'O1', 0, -1, 1, 2.5, 1e21, 1_000_001, true, [], {}, 'v2', '1.0'),
);
const headers = fc
  .dictionary(
    fc.constantFrom(
      'ce_specversion',
      'ce_id',
      'ce_type',
      'content-type',
      'ce_dataschema',
      'x-correlation-id',
      'holdfast-hq',
    ),
    fc.oneof(fc.string(), fc.constantFrom('1.0', 'application/cloudevents+json', 'order.placed')),
  )
  .map((fields) => new Map(Object.entries(fields)));

function expectAnswer(sent: ConsumedMessage): void {
  const result = read(sent);
  if (!result.ok) {
    expect(CODES).toContain(result.code);
    expect(result.reason.length).toBeGreaterThan(0);
    expect(result.reason.length).toBeLessThan(400);
    for (const id of [result.hqId, result.orderId]) if (id !== null) expect(id).toMatch(ID);
    return;
  }
  const { body, key, eventId, correlationId } = result.message;
  expect(key).toBe(body.kind === 'sku-created' ? body.skuId : body.orderId);
  for (const text of [key, body.hqId]) expect(text).toMatch(ID);
  for (const text of [eventId, correlationId]) expect(text.length).toBeGreaterThan(0);
  if (body.kind !== 'placed' && body.kind !== 'completed') return;
  for (const { storeId, productId, quantity } of body.items ?? []) {
    expect(`${storeId ?? ''}${productId}`).toMatch(/^[\w.-]{1,128}$/);
    expect(Number.isInteger(quantity) && quantity >= 1 && quantity <= 1_000_000).toBe(true);
  }
}

/** One value somewhere in a good message is another one, is gone, or a stranger stands beside it. */
const mutated = fc
  .record({
    of: topic,
    envelope: fc.constantFrom(plain, structured),
    path: fc.array(fc.nat(5), { maxLength: 4 }),
    name,
    value: anything,
  })
  .map(({ of, envelope, path, name: field, value }) => {
    const root = JSON.parse(JSON.stringify(envelope(of, GOOD[of]))) as Record<string, unknown>;
    let node = root;
    for (const step of path) {
      const keys = Object.keys(node);
      const key = keys[step % keys.length] ?? field;
      if (typeof node[key] !== 'object' || node[key] === null) {
        node[key] = value;
        return { of, root };
      }
      node = node[key] as Record<string, unknown>;
    }
    Object.defineProperty(node, field, { value, enumerable: true, configurable: true, writable: true });
    return { of, root };
  });

describe('never throws', () => {
  it('on arbitrary bytes and headers', () => {
    const property = fc.property(topic, fc.uint8Array({ maxLength: 64 }), headers, (of, value, found) =>
      expectAnswer(message(of, value, { headers: found })),
    );
    fc.assert(property, { numRuns: 3_000 });
  });

  it('on arbitrary JSON, keys and headers', () => {
    const property = fc.property(topic, fc.json(), fc.option(fc.string()), headers, (of, text, key, found) =>
      expectAnswer(message(of, text, { key, headers: found })),
    );
    fc.assert(property, { numRuns: 3_000 });
  });

  it('on good messages of which something is changed', () => {
    fc.assert(
      fc.property(mutated, headers, ({ of, root }, found) => expectAnswer(message(of, root, { headers: found }))),
      {
        numRuns: 5_000,
      },
    );
  });

  it('on good messages of which bytes are changed, cut or doubled', () => {
    const edits = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    const property = fc.property(topic, edits, fc.nat(400), (of, changes, end) => {
      const bytes = Buffer.from(JSON.stringify(structured(of, GOOD[of])));
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      expectAnswer(message(of, end % 3 === 0 ? bytes.subarray(0, end) : bytes));
    });
    fc.assert(property, { numRuns: 5_000 });
  });
});

it('takes no data that its schema refuses', () => {
  const schemas = new Map(TOPICS.map((each) => [each, Compile(consumed[each].data)] as const));
  const property = fc.property(topic, fc.dictionary(name, anything), (of, change) => {
    const data = JSON.parse(JSON.stringify({ ...GOOD[of], ...change })) as object;
    const result = read(binary(of, data));
    if (schemas.get(of)?.Check(data) === false) expect(result).toMatchObject({ ok: false, code: 'INVALID' });
    else if (!result.ok) expect(result.reason).toMatch(/come to/);
  });
  fc.assert(property, { numRuns: 3_000 });
});
