import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answered, TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
});
afterAll(() => server.stop());

const RESERVE = '/api/v1/inventory/reserve';
const ADMIN = '/api/v1/admin/inventory';
const items = [{ productId: 'PRD001', quantity: 1 }];
const reason = 'test';

interface Command {
  name: string;
  url: () => string;
  body: object;
  other: object;
}

let reservation = '';
beforeAll(async () => {
  reservation = await server.reserve(3, 'the-reservation');
});

/** Every command that takes an operation id, with a body and another one. */
const commands: Command[] = [
  {
    name: 'reserve',
    url: () => RESERVE,
    body: { storeId: 'STORE001', items },
    other: { storeId: 'STORE001', items, ttlMs: 9_000 },
  },
  {
    name: 'a reserve that is refused',
    url: () => RESERVE,
    body: { storeId: 'STORE001', items: [{ productId: 'PRD001', quantity: 100_000 }] },
    other: { storeId: 'STORE001', items },
  },
  { name: 'extend', url: () => `${RESERVE}/${reservation}/extend`, body: { ttlMs: 60_000 }, other: { ttlMs: 61_000 } },
  {
    name: 'confirm',
    url: () => `${RESERVE}/${reservation}/confirm`,
    body: { orderId: 'O-1', items, keepRest: true },
    other: { orderId: 'O-2', items, keepRest: true },
  },
  { name: 'receive', url: () => `${ADMIN}/receive`, body: { items }, other: { items, reference: 'another' } },
  {
    name: 'distribute',
    url: () => `${ADMIN}/distribute`,
    body: { storeId: 'STORE001', items, reason },
    other: { storeId: 'STORE002', items, reason },
  },
  {
    name: 'transfer',
    url: () => `${ADMIN}/transfer`,
    body: { fromStoreId: 'STORE001', toStoreId: 'STORE002', items, reason },
    other: { fromStoreId: 'STORE001', toStoreId: 'HQ', items, reason },
  },
  {
    name: 'adjust',
    url: () => `${ADMIN}/adjust`,
    body: { storeId: 'STORE001', items: [{ productId: 'PRD001', change: 2 }], reason },
    other: { storeId: 'STORE001', items: [{ productId: 'PRD001', change: 3 }], reason },
  },
  {
    name: 'count',
    url: () => `${ADMIN}/count`,
    body: { storeId: 'STORE002', items: [{ productId: 'PRD002', counted: 7 }], reason },
    other: { storeId: 'STORE002', items: [{ productId: 'PRD002', counted: 8 }], reason },
  },
  { name: 'add', url: () => `${ADMIN}/PRD002/add`, body: { quantity: 4 }, other: { quantity: 5 } },
  { name: 'decrease', url: () => `${ADMIN}/PRD002/decrease`, body: { quantity: 1 }, other: { quantity: 2 } },
];

function plain({ status, text, headers }: Answered): unknown {
  return { status, text, type: headers['content-type'], etag: headers.etag };
}

describe.each(commands)('$name', ({ name, url, body, other }) => {
  const id = `idempotent:${name.replaceAll(' ', '-')}`;
  let first: Answered;

  it('is answered the same again, byte for byte, by header or field', async () => {
    first = await server.ask('POST', url(), { body: { ...body, transactionId: id } });
    expect([200, 201, 409]).toContain(first.status);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    const again = await server.ask('POST', url(), {
      body: { ...body, transactionId: id },
      headers: { 'idempotency-key': id },
    });
    expect(plain(again)).toEqual(plain(first));
    expect(again.headers['idempotent-replayed']).toBe('true');
  });

  it('is answered the same whatever the order of the fields', async () => {
    const reversed = Object.fromEntries(Object.entries({ ...body, transactionId: id }).reverse());
    const again = await server.ask('POST', url(), { body: JSON.stringify(reversed, null, 4) });
    expect(plain(again)).toEqual(plain(first));
  });

  it('with another body is refused', async () => {
    const { status, body: problem } = await server.ask('POST', url(), { body: { ...other, transactionId: id } });
    expect([status, problem.code]).toEqual([422, 'IDEMPOTENCY_MISMATCH']);
  });

  it('of another route is refused', async () => {
    const body = { items, reference: 'elsewhere', transactionId: id };
    expect((await server.ask('POST', `${ADMIN}/receive`, { body })).status).toBe(422);
  });

  it('is answered the same after a restart', async () => {
    server = await server.restart();
    const again = await server.ask('POST', url(), { body: { ...body, transactionId: id } });
    expect(plain(again)).toEqual(plain(first));
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect((await server.ask('POST', url(), { body: { ...other, transactionId: id } })).status).toBe(422);
  });
});

it('a release with an operation id is replayed like any other command', async () => {
  const path = `${RESERVE}/${await server.reserve(1, 'to-release')}`;
  const headers = { 'idempotency-key': 'release-it' };
  const first = await server.ask('DELETE', path, { headers });
  const again = await server.ask('DELETE', path, { headers });
  expect([again.status, again.text, again.headers['idempotent-replayed']]).toEqual([200, first.text, 'true']);
});

it('the addresses with and without v1 are one route', async () => {
  const body = { storeId: 'STORE001', items, transactionId: 'old-and-new' };
  const first = await server.ask('POST', '/api/inventory/reserve', { body });
  const again = await server.ask('POST', RESERVE, { body });
  expect([again.status, again.text]).toEqual([201, first.text]);
});

it('eight at once have one effect and one answer', async () => {
  const before = (await server.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock')).body
    .reservedStock as number;
  const body = { storeId: 'STORE001', items, transactionId: 'eight-at-once' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => server.ask('POST', RESERVE, { body })));
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
  const after = (await server.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock')).body.reservedStock as number;
  expect(after - before).toBe(1);
});

it('two tills that send the same id and body without a store are not one operation', async () => {
  const body = { items: [{ productId: 'PRD002', quantity: 1 }], transactionId: 'receipt-0001' };
  const one = await server.ask('POST', RESERVE, { token: await server.token('pos', 'HQ001', 'STORE001'), body });
  const other = await server.ask('POST', RESERVE, { token: await server.token('pos', 'HQ001', 'STORE002'), body });
  expect(one.status).toBe(409);
  expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_MISMATCH']);
});

it('a till is not shown the replay of another store', async () => {
  const path = `${RESERVE}/${await server.reserve(1, 'of-store-one')}/confirm`;
  const body = { orderId: 'O-9', transactionId: 'confirm-of-store-one' };
  expect((await server.ask('POST', path, { body })).status).toBe(200);
  const token = await server.token('pos', 'HQ001', 'STORE002');
  const foreign = await server.ask('POST', path, { token, body });
  expect([foreign.status, foreign.body.code]).toEqual([404, 'UNKNOWN_RESERVATION']);
});

it('what does not stick may be tried again under the same id', async () => {
  const body = { storeId: 'STORE003', items, transactionId: 'later' };
  expect((await server.ask('POST', RESERVE, { body })).status).toBe(404);
  await server.ask('PUT', '/api/v1/admin/stores/STORE003', { body: { name: 'New' } });
  expect((await server.ask('POST', RESERVE, { body })).status).toBe(409);
});
