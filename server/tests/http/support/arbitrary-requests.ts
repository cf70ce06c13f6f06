/** Requests made from the API page: good ones, nearly good ones, and wild ones. */
import fc from 'fast-check';
import type { DeclaredRoute } from './declared.ts';

interface JsonSchema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  pattern?: string;
  format?: string;
}

export interface WildRequest {
  url: string;
  body?: unknown;
  headers: Record<string, string>;
  /** Index of the token to use. */
  token: number;
}

/** Ids that there are, so that a request gets past the first checks. */
const KNOWN: Record<string, string[]> = {
  hqId: ['HQ001', 'HQ001', 'HQ002'],
  storeId: ['STORE001', 'STORE002', 'HQ'],
  fromStoreId: ['STORE001', 'STORE002', 'HQ'],
  toStoreId: ['STORE001', 'STORE002', 'HQ'],
  productId: ['PRD001', 'PRD002'],
  skuId: ['PRD001', 'PRD002'],
};

const ARRAY_LENGTH_MAX = 4;
const ascii = fc.string({ unit: 'binary-ascii', maxLength: 40 }).map((text) => text.replace(/[^\x20-\x7e]/g, '~'));

export function requestsOf(route: DeclaredRoute, reservations: readonly string[]): fc.Arbitrary<WildRequest> {
  const known = { ...KNOWN, reservationId: [...reservations] };
  const { operation } = route;
  const body = operation.requestBody?.content['application/json']?.schema as JsonSchema | undefined;
  return fc.record({
    url: urlsOf(route, known),
    ...(body === undefined ? {} : { body: bodiesOf(body, known) }),
    headers: headersOf(),
    token: fc.nat({ max: 7 }),
  }) as fc.Arbitrary<WildRequest>;
}

type Known = Record<string, string[]>;

function urlsOf(route: DeclaredRoute, known: Known): fc.Arbitrary<string> {
  const parameters = route.operation.parameters ?? [];
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const parts = fc.record(
    Object.fromEntries(
      inPath.map(({ name, schema }) => [
        name,
        textOf(name, schema, known).filter((text) => !['', '.', '..'].includes(text)),
      ]),
    ),
  ) as fc.Arbitrary<Record<string, string>>;
  // A cursor that is made up is refused, and so would be most requests.
  const asked = inQuery.filter(({ name, required }) => name !== 'cursor' || required === true);
  const query = fc.record(Object.fromEntries(asked.map(({ name, schema }) => [name, textOf(name, schema, known)])), {
    requiredKeys: asked.filter(({ required }) => required === true).map(({ name }) => name),
  }) as fc.Arbitrary<Record<string, string>>;
  return fc.tuple(parts, query, rarely(ascii, fc.constant(null))).map(([named, wanted, more]) => {
    const path = route.path.replace(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(named[name] ?? ''));
    const search = new URLSearchParams({ ...wanted, ...(more === null ? {} : { [more]: more }) }).toString();
    return search === '' ? path : `${path}?${search}`;
  });
}

/** Mostly what the schema asks for, sometimes any text. */
function textOf(name: string, schema: JsonSchema, known: Known): fc.Arbitrary<string> {
  const good = valuesOf(schema, known, name).map((value) =>
    typeof value === 'string' ? value : JSON.stringify(value),
  );
  return fc.oneof({ weight: 24, arbitrary: good }, { weight: 1, arbitrary: ascii });
}

function bodiesOf(schema: JsonSchema, known: Known): fc.Arbitrary<unknown> {
  const good = valuesOf(schema, known, '');
  return fc.oneof(
    { weight: 12, arbitrary: good },
    {
      weight: 4,
      arbitrary: fc.tuple(good, fc.nat(), fc.jsonValue()).map(([body, at, value]) => broken(body, at, value)),
    },
    { weight: 1, arbitrary: fc.jsonValue() },
    { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
  );
}

/** The body with one field replaced, dropped or added. */
function broken(body: unknown, at: number, value: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return value;
  const keys = Object.keys(body);
  const key = keys[at % (keys.length + 1)];
  if (key === undefined) return { ...body, colour: value };
  const { [key]: _dropped, ...rest } = body as Record<string, unknown>;
  return at % 2 === 0 ? rest : { ...rest, [key]: value };
}

/** Mostly the second, in one of ten the first. */
function rarely<A, B>(wild: fc.Arbitrary<A>, good: fc.Arbitrary<B>, weight = 1): fc.Arbitrary<A | B> {
  return fc.oneof({ weight, arbitrary: wild }, { weight: 9, arbitrary: good });
}

function headersOf(): fc.Arbitrary<Record<string, string>> {
  const headers = fc.record(
    {
      'idempotency-key': rarely(ascii, fc.uuid(), 4),
      'if-match': rarely(
        ascii,
        fc.nat({ max: 30 }).map((version) => `"${version}"`),
        4,
      ),
      'x-request-id': ascii,
      'x-correlation-id': ascii,
      accept: ascii,
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, string>>;
  return rarely(headers, fc.constant({}), 3) as fc.Arbitrary<Record<string, string>>;
}

function valuesOf(schema: JsonSchema, known: Known, name: string): fc.Arbitrary<unknown> {
  const ids = known[name];
  if (ids !== undefined && ids.length > 0 && schema.type === 'string') {
    return fc.oneof(
      { weight: 24, arbitrary: fc.constantFrom(...ids) },
      { weight: 1, arbitrary: plainOf(schema, known) },
    );
  }
  return plainOf(schema, known);
}

function plainOf(schema: JsonSchema, known: Known): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((each) => valuesOf(each, known, '')));
  switch (schema.type) {
    case 'string':
      return stringsOf(schema);
    case 'integer':
      return integersOf(schema);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}, known, ''), {
        minLength: schema.minItems ?? 0,
        maxLength: ARRAY_LENGTH_MAX,
      });
    case 'object':
      return objectsOf(schema, known);
    default:
      return fc.jsonValue();
  }
}

function stringsOf({ format, pattern }: JsonSchema): fc.Arbitrary<string> {
  const day = fc.date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true });
  if (format === 'date-time') return day.map((date) => date.toISOString());
  if (format === 'date') return day.map((date) => date.toISOString().slice(0, 10));
  if (pattern === undefined || pattern.includes('\\p'))
    return fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' });
  return fc.stringMatching(new RegExp(pattern));
}

function integersOf({ minimum = -1_000, maximum = 1_000_000 }: JsonSchema): fc.Arbitrary<number> {
  const near = Math.min(maximum, minimum + 50);
  return fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: minimum, max: near }) },
    { weight: 1, arbitrary: fc.integer({ min: minimum, max: maximum }) },
  );
}

function objectsOf({ properties = {}, required = [] }: JsonSchema, known: Known): fc.Arbitrary<unknown> {
  const fields = Object.entries(properties).map(([name, field]) => [name, valuesOf(field, known, name)] as const);
  return fc.record(Object.fromEntries(fields), { requiredKeys: required });
}
