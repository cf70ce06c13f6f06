import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
});
afterAll(() => server.stop());

const RESERVE = '/api/v1/inventory/reserve';
const reserveBody = (transactionId: string, quantity = 1, more: object = {}) => ({
  hqId: 'HQ001',
  storeId: 'STORE001',
  transactionId,
  items: [{ productId: 'PRD001', quantity, price: 10_000 }],
  ...more,
});

async function stock(): Promise<Record<string, unknown>> {
  return (await server.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock')).body;
}

describe('a reservation', () => {
  it('is made, looked up, extended, confirmed and looked up again', async () => {
    const made = await server.ask('POST', RESERVE, { body: reserveBody('walk-1', 2) });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ items: [{ productId: 'PRD001', reserved: 2 }] });
    expect(Object.keys(made.body)).toEqual(['reservationId', 'expiresAt', 'items']);
    const path = `${RESERVE}/${made.body.reservationId}`;
    const active = await server.ask('GET', path);
    expect(active.body).toMatchObject({
      transactionId: 'walk-1',
      hqId: 'HQ001',
      storeId: 'STORE001',
      status: 'active',
      orderId: null,
      items: [{ productId: 'PRD001', storeId: 'STORE001', reserved: 2, confirmed: 0, released: 0 }],
    });
    expect(await stock()).toMatchObject({ storeStock: 100, reservedStock: 2, availableStock: 98, hqStock: 1_000 });
    const extended = await server.ask('POST', `${path}/extend`, { body: { ttlMs: 600_000, transactionId: 'walk-2' } });
    expect(Date.parse(extended.body.expiresAt as string)).toBeGreaterThan(Date.parse(made.body.expiresAt as string));
    const confirmed = await server.ask('POST', `${path}/confirm`, {
      body: { orderId: 'O-1', transactionId: 'walk-3' },
    });
    expect(confirmed.body).toMatchObject({ status: 'confirmed', orderId: 'O-1', late: false });
    expect((await server.ask('GET', path)).body.status).toBe('confirmed');
    expect(await stock()).toMatchObject({ storeStock: 98, reservedStock: 0, availableStock: 98, hqStock: 998 });
  });

  it('of what is not there holds nothing and says what there is', async () => {
    const { status, body, headers } = await server.ask('POST', RESERVE, { body: reserveBody('too-many', 5_000) });
    expect(status).toBe(409);
    expect(headers['content-type']).toContain('application/problem+json');
    expect(body).toMatchObject({ code: 'INSUFFICIENT_STOCK', status: 409 });
    expect(body.lines).toMatchObject([{ productId: 'PRD001', storeId: 'STORE001', requested: 5_000, available: 98 }]);
  });

  it('of a known product that was never stocked is refused with 409, and its stock reads as zeros', async () => {
    const body = { ...reserveBody('never'), items: [{ productId: 'PRD002', quantity: 1 }] };
    expect((await server.ask('POST', RESERVE, { body })).status).toBe(409);
    const read = await server.ask('GET', '/api/v1/stores/STORE001/products/PRD002/stock');
    expect(read.body).toMatchObject({ storeStock: 0, availableStock: 0, reservedStock: 0, hqStock: 1_000 });
  });

  it.each([
    ['store', { storeId: 'NOWHERE' }, 'UNKNOWN_STORE'],
    ['product', { items: [{ productId: 'NOTHING', quantity: 1 }] }, 'UNKNOWN_PRODUCT'],
    ['HQ', { hqId: 'HQ999' }, 'UNKNOWN_HQ'],
  ])('of an unknown %s is refused with 404', async (_what, more, code) => {
    const { status, body } = await server.ask('POST', RESERVE, {
      body: { ...reserveBody(`unknown-${code}`), ...more },
    });
    expect([status, body.code]).toEqual([404, code]);
  });

  it('sums equal lines', async () => {
    const line = { productId: 'PRD001', quantity: 1 };
    const { body } = await server.ask('POST', RESERVE, { body: { ...reserveBody('sums'), items: [line, line, line] } });
    expect(body.items).toEqual([{ productId: 'PRD001', reserved: 3 }]);
    await server.ask('DELETE', `${RESERVE}/${body.reservationId}`);
  });

  it('over several stores names the other store in its line', async () => {
    await server.ask('POST', '/api/v1/admin/inventory/PRD002/add', {
      body: { quantity: 5, storeId: 'STORE002', transactionId: 'add-elsewhere' },
    });
    const items = [
      { productId: 'PRD001', quantity: 1 },
      { productId: 'PRD002', quantity: 1, storeId: 'STORE002' },
    ];
    const { body } = await server.ask('POST', RESERVE, { body: { ...reserveBody('over-two'), items } });
    expect(body.items).toEqual([
      { productId: 'PRD001', reserved: 1 },
      { productId: 'PRD002', reserved: 1, storeId: 'STORE002' },
    ]);
    const part = await server.ask('POST', `${RESERVE}/${body.reservationId}/confirm`, {
      body: { orderId: 'O-2', items: [{ productId: 'PRD002', quantity: 1 }], transactionId: 'over-two-confirm' },
    });
    expect(part.body).toMatchObject({ status: 'confirmed', items: [{ released: 1 }, { confirmed: 1 }] });
  });

  it('is released once and for all; released again it stays released; confirmed it cannot be', async () => {
    const path = `${RESERVE}/${await server.reserve(1, 'release-1')}`;
    expect((await server.ask('DELETE', path)).body).toMatchObject({ success: true });
    expect((await server.ask('DELETE', path, { headers: { 'content-type': 'application/json' } })).status).toBe(200);
    expect((await server.ask('GET', path)).body.status).toBe('released');
    const late = await server.ask('POST', `${path}/confirm`, { body: { orderId: 'O-3', transactionId: 'release-2' } });
    expect([late.status, late.body.code]).toEqual([409, 'RESERVATION_RELEASED']);
    const sold = `${RESERVE}/${await server.reserve(1, 'release-3')}`;
    await server.ask('POST', `${sold}/confirm`, { body: { orderId: 'O-4', transactionId: 'release-4' } });
    const refused = await server.ask('DELETE', sold);
    expect([refused.status, refused.body.code]).toEqual([409, 'RESERVATION_CONFIRMED']);
    const again = await server.ask('POST', `${sold}/confirm`, { body: { orderId: 'O-4', transactionId: 'release-5' } });
    expect(again.status).toBe(200);
    const other = await server.ask('POST', `${sold}/confirm`, { body: { orderId: 'O-5', transactionId: 'release-6' } });
    expect([other.status, other.body.code]).toEqual([409, 'RESERVATION_CONFIRMED']);
  });

  it('of which a part is confirmed keeps the rest when asked to', async () => {
    const path = `${RESERVE}/${await server.reserve(3, 'part-1')}`;
    const items = [{ productId: 'PRD001', quantity: 1 }];
    const kept = await server.ask('POST', `${path}/confirm`, {
      body: { orderId: 'O-6', items, keepRest: true, transactionId: 'part-2' },
    });
    expect(kept.body).toMatchObject({
      status: 'partly_confirmed',
      items: [{ reserved: 3, confirmed: 1, released: 0 }],
    });
    const tooMany = await server.ask('POST', `${path}/confirm`, {
      body: { orderId: 'O-6', items: [{ productId: 'PRD001', quantity: 3 }], transactionId: 'part-3' },
    });
    expect([tooMany.status, tooMany.body.code]).toEqual([409, 'QUANTITY_EXCEEDS_RESERVATION']);
    await server.ask('DELETE', path);
    expect((await server.ask('GET', path)).body).toMatchObject({
      status: 'confirmed',
      items: [{ confirmed: 1, released: 2 }],
    });
  });

  it('that ran out is confirmed late while there is stock, and cannot be extended', async () => {
    const path = `${RESERVE}/${await server.reserve(1, 'late-1', { ttlMs: 1_000 })}`;
    await expect.poll(async () => (await server.ask('GET', path)).body.status).toBe('expired');
    const extended = await server.ask('POST', `${path}/extend`, { body: { ttlMs: 5_000, transactionId: 'late-2' } });
    expect([extended.status, extended.body.code]).toEqual([409, 'RESERVATION_EXPIRED']);
    const late = await server.ask('POST', `${path}/confirm`, { body: { orderId: 'O-7', transactionId: 'late-3' } });
    expect(late.body).toMatchObject({ status: 'confirmed', late: true });
  });

  it('that never was is unknown to every route', async () => {
    const path = `${RESERVE}/rsv_9_0123456789abcdef01234567`;
    const asked = await Promise.all([
      server.ask('GET', path),
      server.ask('DELETE', path),
      server.ask('POST', `${path}/confirm`, { body: { orderId: 'O', transactionId: 'no-1' } }),
      server.ask('POST', `${path}/extend`, { body: { ttlMs: 5_000, transactionId: 'no-2' } }),
    ]);
    expect(asked.map(({ status, body }) => [status, body.code])).toEqual(asked.map(() => [404, 'UNKNOWN_RESERVATION']));
  });

  it('needs no HQ in its address when the token sees them all', async () => {
    const path = `${RESERVE}/${await server.reserve(1, 'all-1')}`;
    const token = await server.token('admin');
    expect((await server.ask('GET', path, { token })).body).toMatchObject({ hqId: 'HQ001' });
    const body = { orderId: 'O-8', transactionId: 'all-2' };
    expect((await server.ask('POST', `${path}/confirm`, { token, body })).status).toBe(200);
    const missing = { ...reserveBody('all-3'), hqId: undefined };
    expect((await server.ask('POST', RESERVE, { token, body: missing })).body.code).toBe('HQ_REQUIRED');
  });
});

describe('a batch of reservations', () => {
  it('answers each by itself, in order', async () => {
    const body = {
      reservations: [
        reserveBody('batch-1'),
        reserveBody('batch-2', 9_000),
        { ...reserveBody('batch-3'), storeId: 'NOWHERE' },
        reserveBody('batch-1'),
        { ...reserveBody('batch-4'), hqId: 'HQ999' },
      ],
    };
    const { status, body: answer } = await server.ask('POST', `${RESERVE}/batch`, { body });
    expect(status).toBe(200);
    const results = answer.results as { transactionId: string; status: number; body: Record<string, unknown> }[];
    expect(results.map((result) => result.status)).toEqual([201, 409, 404, 201, 404]);
    expect(results[3]?.body).toEqual(results[0]?.body);
    expect(results[4]?.body.code).toBe('UNKNOWN_HQ');
  });

  it('is refused as a whole when it is not as its schema says', async () => {
    const { transactionId: _, ...nameless } = reserveBody('x');
    for (const reservations of [
      [],
      [nameless],
      Array.from({ length: 1_001 }, (_each, index) => reserveBody(`b${index}`)),
    ]) {
      expect((await server.ask('POST', `${RESERVE}/batch`, { body: { reservations } })).status).toBe(400);
    }
  });

  it('may be larger than other bodies, up to 8 MiB', async () => {
    const reservations = Array.from({ length: 800 }, (_, index) => ({
      ...reserveBody(`large-${index}`),
      items: Array.from({ length: 10 }, () => ({ productId: 'PRD002', quantity: 100 })),
    }));
    expect(JSON.stringify({ reservations }).length).toBeGreaterThan(256 * 1024);
    expect((await server.ask('POST', `${RESERVE}/batch`, { body: { reservations } })).status).toBe(200);
    const padded = `${' '.repeat(8 * 1024 * 1024)}{}`;
    expect((await server.ask('POST', `${RESERVE}/batch`, { body: padded })).status).toBe(413);
  });
});
