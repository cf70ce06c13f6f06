/** No schema may change in a way that whoever has the released one would notice; and each such change is found. */
import avro, { type Schema } from 'avsc';
import { describe, expect, it } from 'vitest';
import {
  type AvroRecord,
  type EventSchemas,
  eventSchemas,
  type JsonSchema,
} from '../../../src/events/catalogue/schemas.ts';
import { incompatibilities } from './compatibility.ts';
import { faultsSince, releasedSchemas } from './released.ts';

describe('the catalogue', () => {
  it('is compatible with what was released', () => {
    const released = releasedSchemas();
    expect(released).not.toHaveLength(0);
    expect(faultsSince(released, eventSchemas()).join('\n')).toBe('');
  });

  it('lacks no event that was released', () => {
    const without = eventSchemas().filter(({ topic }) => topic !== 'stock.low');
    const released = [schemasOf('stock.low'), schemasOf('order.placed')];
    expect(faultsSince(released, without)).toEqual([
      expect.stringContaining('stock.low 1: it was released and is not in the catalogue any more'),
    ]);
  });
});

function schemasOf(topic: string): EventSchemas {
  return structuredClone(eventSchemas().find((each) => each.topic === topic) as EventSchemas);
}

type Change = (fields: Record<string, JsonSchema>, json: JsonSchema, line: JsonSchema) => void;

/** What is found after a change of the JSON Schema, with the Avro schema as it was. */
function afterJson(topic: string, change: Change): string[] {
  const [released, now] = [schemasOf(topic), schemasOf(topic)];
  const fields = now.json.properties ?? {};
  change(fields, now.json, fields.items?.items ?? now.json);
  return incompatibilities(released, now);
}

/** The other way about. */
function afterAvro(topic: string, change: (fields: AvroRecord['fields'], line: AvroRecord['fields']) => void) {
  const [released, now] = [schemasOf(topic), schemasOf(topic)];
  const items = now.avro.fields.find(({ name }) => name === 'items')?.type as { items: AvroRecord } | undefined;
  change(now.avro.fields, items?.items.fields ?? []);
  return incompatibilities(released, now);
}

function rename(fields: Record<string, JsonSchema>, from: string, to: string): void {
  fields[to] = fields[from] as JsonSchema;
  delete fields[from];
}

const string: JsonSchema = { type: 'string' };

describe('in JSON Schema', () => {
  it.each<[string, string, Change, string]>([
    ['a removed field', 'stock.low', (fields) => delete fields.threshold, '"threshold" is gone'],
    ['a removed optional field', 'stock.reserved', (fields) => delete fields.orderId, '"orderId" is gone'],
    ['a renamed field', 'stock.low', (fields) => rename(fields, 'available', 'free'), '"available" is gone'],
    [
      'one in a line',
      'stock.reserved',
      (_, __, line) => rename(line.properties ?? {}, 'quantity', 'n'),
      '"items[].quantity"',
    ],
    [
      'another type',
      'stock.low',
      (fields) => Object.assign(fields, { threshold: string }),
      'was integer and is string',
    ],
    [
      'null in what is published',
      'stock.low',
      (f) => Object.assign(f, { storeId: { type: ['string', 'null'] } }),
      'is string or null',
    ],
    [
      'null no more in what is consumed',
      'order.placed',
      (f) => Object.assign(f, { correlationId: string }),
      'and is string',
    ],
    [
      'a new required field',
      'order.placed',
      (f, json) => {
        f.channel = string;
        json.required?.push('channel');
      },
      'the new field "channel" is required',
    ],
    ['a field that is required now', 'order.placed', (_, json) => json.required?.push('ttlMs'), '"ttlMs" was optional'],
    [
      'a published field that may be absent',
      'stock.low',
      (_, json) => json.required?.pop(),
      '"threshold" was required',
    ],
    [
      'a lower maximum',
      'order.placed',
      (_, __, line) => Object.assign(line.properties?.quantity ?? {}, { maximum: 9 }),
      'the maximum of "items[].quantity" was 1000000 and is 9',
    ],
    [
      'a higher minimum',
      'sku.created',
      (f) => Object.assign(f.initialStock ?? {}, { minimum: 1 }),
      'the minimum of "initialStock"',
    ],
    [
      'a new bound',
      'stock.low',
      (f) => Object.assign(f.available ?? {}, { maximum: 9 }),
      'the maximum of "available" was none',
    ],
    ['fewer lines', 'order.placed', (f) => Object.assign(f.items ?? {}, { maxItems: 1 }), 'the maxItems of "items"'],
    [
      'another pattern',
      'order.placed',
      (f) => Object.assign(f.orderId ?? {}, { pattern: '^x$' }),
      'the pattern of "orderId"',
    ],
    [
      'a format less in what is published',
      'stock.reserved',
      (f) => Object.assign(f, { expiresAt: string }),
      'the format of "expiresAt"',
    ],
  ])('%s is refused', (_, topic, change, fault) => {
    const found = afterJson(topic, change);
    expect(found).not.toHaveLength(0);
    expect(found[0]).toContain(fault);
    expect(found[0]).toContain('take the change back, or make it version 2 and leave this one beside it');
  });

  it.each<[string, string, Change]>([
    ['a new optional field', 'stock.low', (fields) => Object.assign(fields, { unit: string })],
    ['another description', 'stock.low', (fields) => Object.assign(fields.available ?? {}, { description: 'pieces' })],
    [
      'more lines in what is consumed',
      'order.placed',
      (fields) => Object.assign(fields.items ?? {}, { maxItems: 900 }),
    ],
    ['a consumed field that may be absent', 'order.placed', (_, json) => json.required?.pop()],
  ])('%s is let pass', (_, topic, change) => {
    expect(afterJson(topic, change)).toEqual([]);
  });
});

describe('in Avro', () => {
  const unreadable = 'cannot read what';

  it.each<[string, string, Parameters<typeof afterAvro>[1], string]>([
    ['a removed field', 'stock.low', (fields) => fields.pop(), '"threshold" was long and is gone'],
    [
      'a removed optional field',
      'stock.reserved',
      (fields) => fields.splice(3, 1),
      '"orderId" was null or string and is gone',
    ],
    [
      'a renamed field',
      'stock.low',
      (fields) => Object.assign(fields[3] ?? {}, { name: 'free' }),
      '"available" was long and is gone',
    ],
    ['one in a line', 'stock.reserved', (_, line) => Object.assign(line[2] ?? {}, { name: 'n' }), '"items[].quantity"'],
    [
      'another type',
      'stock.low',
      (fields) => Object.assign(fields[3] ?? {}, { type: 'string' }),
      'was long and is string',
    ],
    ['a wider type', 'stock.low', (fields) => Object.assign(fields[3] ?? {}, { type: 'double' }), unreadable],
    ['a new required field', 'stock.low', (fields) => fields.push({ name: 'unit', type: 'string' }), unreadable],
    [
      'an optional field that is required now',
      'stock.reserved',
      (fields) => {
        fields[3] = { name: 'orderId', type: 'string' };
      },
      unreadable,
    ],
  ])('%s is refused', (_, topic, change, fault) => {
    expect(afterAvro(topic, change).join('\n')).toContain(fault);
  });

  it('a new optional field is let pass', () => {
    const change = (fields: AvroRecord['fields']) =>
      fields.push({ name: 'unit', type: ['null', 'string'], default: null });
    expect(afterAvro('stock.low', change)).toEqual([]);
  });
});

describe('an Avro schema', () => {
  it.each(eventSchemas().map((each) => [each.topic, each] as const))('of %s is one', (_, { avro: schema }) => {
    const type = avro.Type.forSchema(schema as Schema);
    expect(type.name).toBe(`holdfast.${schema.name}`);
  });

  it('carries the greatest and the least of our integers, and what is absent', () => {
    const { avro: schema } = schemasOf('stock.sync.alert');
    const type = avro.Type.forSchema(schema as Schema);
    const alert = {
      eventId: 'evt-uuid',
      productId: 'PRD-001',
      dbStock: 1_000_000_000_000,
      redisStock: -1_000_000_000_000,
      discrepancy: 2_000_000_000_000,
      action: 'REDIS_RESTORED',
      severity: 'LOW',
      detectedAt: 1_699_999_999_000,
    };
    expect({ ...(type.fromBuffer(type.toBuffer(alert)) as object) }).toEqual(alert);
    const order = avro.Type.forSchema(schemasOf('order.cancelled').avro as Schema);
    const sent = { orderId: 'O1', reservationId: null, hqId: 'HQ', storeId: null, reason: null, correlationId: null };
    expect({ ...(order.fromBuffer(order.toBuffer(sent)) as object) }).toEqual(sent);
  });
});
