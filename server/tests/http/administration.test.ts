import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
});
afterAll(() => server.stop());

const ADMIN = '/api/v1/admin/inventory';
const reason = 'test';

async function stockOf(storeId: string, productId: string): Promise<Record<string, unknown>> {
  return (await server.ask('GET', `/api/v1/stores/${storeId}/products/${productId}/stock`)).body;
}

let count = 0;
function command(path: string, body: object, headers: Record<string, string> = {}) {
  count += 1;
  return server.ask('POST', `${ADMIN}/${path}`, { body: { ...body, transactionId: `a-${count}` }, headers });
}

describe('goods', () => {
  it('are received in the pool, distributed, transferred and sent back, and the HQ has them all the while', async () => {
    const items = [{ productId: 'PRD002', quantity: 10 }];
    const received = await command('receive', { items, reference: 'delivery note 7' });
    expect(received.body).toEqual({ receiptId: expect.stringMatching(/^rcv_\d+_\d+$/), status: 'COMPLETED', items });
    const distributed = await command('distribute', { storeId: 'STORE001', items, reason });
    expect(distributed.body).toEqual({ distributionId: expect.stringMatching(/^dst_/), status: 'COMPLETED', items });
    await command('transfer', { fromStoreId: 'STORE001', toStoreId: 'STORE002', items, reason });
    const back = await command('transfer', { fromStoreId: 'STORE002', toStoreId: 'HQ', items, reason });
    expect(back.body).toEqual({ transferId: expect.stringMatching(/^trf_/), status: 'COMPLETED', items });
    expect(await stockOf('HQ', 'PRD002')).toMatchObject({ hqStock: 1_010, storeStock: 1_010 });
    const tooMany = await command('distribute', {
      storeId: 'STORE001',
      items: [{ productId: 'PRD002', quantity: 9_999 }],
      reason,
    });
    expect([tooMany.status, tooMany.body.code]).toEqual([409, 'INSUFFICIENT_STOCK']);
  });

  it('of one product are added and taken, and the sum of the SKU is answered', async () => {
    const added = await command('PRD002/add', { quantity: 5 });
    expect(added.body).toMatchObject({
      success: true,
      data: { skuId: 'PRD002', total: 1_015, reserved: 0, available: 1_015 },
    });
    const taken = await command('PRD002/decrease', { quantity: 15, reason: 'broken' });
    expect(taken.body.data).toMatchObject({ total: 1_000 });
    expect((await server.ask('GET', '/api/v1/inventory/PRD002')).body.data).toEqual(taken.body.data);
    const refused = await command('PRD002/decrease', { quantity: 1, storeId: 'STORE002' });
    expect([refused.status, refused.body.code]).toEqual([409, 'INSUFFICIENT_STOCK']);
  });

  it('are corrected, also below what is promised, never below nothing', async () => {
    await server.reserve(60, 'promised');
    const short = await command('adjust', {
      storeId: 'STORE001',
      items: [{ productId: 'PRD001', change: -50 }],
      reason,
    });
    expect(short.body).toMatchObject({
      items: [{ productId: 'PRD001', change: -50, onHand: 50, available: -10, shortfall: 10 }],
    });
    const below = await command('adjust', {
      storeId: 'STORE001',
      items: [{ productId: 'PRD001', change: -51 }],
      reason,
    });
    expect([below.status, below.body.code]).toEqual([409, 'INSUFFICIENT_STOCK']);
    const back = await command('adjust', { storeId: 'STORE001', items: [{ productId: 'PRD001', change: 50 }], reason });
    expect(back.body.items).toEqual([{ productId: 'PRD001', change: 50, onHand: 100, available: 40 }]);
  });
});

describe('a stock-take', () => {
  it('of the past keeps what was sold since', async () => {
    await command('PRD002/add', { quantity: 20, storeId: 'STORE002' });
    const countedAt = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await command('PRD002/decrease', { quantity: 3, storeId: 'STORE002' });
    const counted = await command('count', {
      storeId: 'STORE002',
      countedAt,
      items: [{ productId: 'PRD002', counted: 18 }],
      reason,
    });
    expect(counted.body).toMatchObject({
      countedAt,
      items: [{ productId: 'PRD002', counted: 18, difference: -2, onHand: 15 }],
    });
  });

  it('of now books the difference to now, and an older one comes too late', async () => {
    const counted = await command('count', {
      storeId: 'STORE002',
      items: [{ productId: 'PRD002', counted: 30 }],
      reason,
    });
    expect(counted.body).toMatchObject({ items: [{ counted: 30, onHand: 30 }] });
    const countedAt = '2026-01-01T00:00:00.000Z';
    const older = await command('count', {
      storeId: 'STORE002',
      countedAt,
      items: [{ productId: 'PRD002', counted: 1 }],
      reason,
    });
    expect([older.status, older.body.code]).toEqual([409, 'COUNT_SUPERSEDED']);
  });
});

describe('If-Match', () => {
  it('lets a write through only at the version that was read', async () => {
    const read = await server.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock');
    const match = { 'if-match': read.headers.etag as string };
    const first = await command('PRD001/add', { quantity: 1, storeId: 'STORE001' }, match);
    expect(first.status).toBe(200);
    expect(first.headers.etag).toBe(`"${(read.body.version as number) + 1}"`);
    for (const [path, body] of [
      ['PRD001/add', { quantity: 1, storeId: 'STORE001' }],
      ['PRD001/decrease', { quantity: 1, storeId: 'STORE001' }],
      ['adjust', { storeId: 'STORE001', items: [{ productId: 'PRD001', change: 1 }], reason }],
      ['count', { storeId: 'STORE001', items: [{ productId: 'PRD001', counted: 1 }], reason }],
    ] as const) {
      expect((await command(path, body, match)).status).toBe(412);
    }
    const put = { body: { safetyStock: 1 }, headers: match };
    expect((await server.ask('PUT', '/api/v1/admin/stores/STORE001/products/PRD001', put)).status).toBe(412);
  });

  it('is for one level, and names one ETag', async () => {
    const items = ['PRD001', 'PRD002'].map((productId) => ({ productId, change: 1 }));
    expect((await command('adjust', { storeId: 'STORE001', items, reason }, { 'if-match': '"1"' })).status).toBe(400);
    expect((await command('PRD001/add', { quantity: 1 }, { 'if-match': '1' })).status).toBe(400);
    expect((await command('PRD001/add', { quantity: 1 }, { 'if-match': '*' })).status).toBe(200);
    expect((await command('PRD001/add', { quantity: 1 }, { 'if-match': 'W/"1"' })).status).toBe(412);
  });
});

describe('master data', () => {
  it('is created, replaced and listed; what is left out is unset', async () => {
    const url = '/api/v1/admin/stores/STORE010';
    const body = { name: '강남점', type: 'mall', city: 'Seoul', openedAt: '2020-02-29', lowThreshold: 5 };
    const created = await server.ask('PUT', url, { body });
    expect([created.status, created.body]).toEqual([201, { hqId: 'HQ001', storeId: 'STORE010', ...body }]);
    const replaced = await server.ask('PUT', url, { body: { name: 'Gangnam' } });
    expect([replaced.status, replaced.body.city]).toEqual([200, null]);
    const listed = await server.ask('GET', '/api/v1/admin/stores');
    expect((listed.body.items as { storeId: string }[]).map(({ storeId }) => storeId)).toEqual([
      'STORE001',
      'STORE002',
      'STORE010',
    ]);
    expect((await server.ask('PUT', url, { body: { name: 'X', openedAt: '2021-02-29' } })).status).toBe(400);
  });

  it('pages by cursor', async () => {
    const first = await server.ask('GET', '/api/v1/admin/stores?limit=2');
    const next = await server.ask('GET', `/api/v1/admin/stores?limit=2&cursor=${first.body.nextCursor}`);
    expect(next.body).toMatchObject({ items: [{ storeId: 'STORE010' }], nextCursor: null });
  });

  it("a level's own settings win over the product's, those over the store's", async () => {
    const level = '/api/v1/admin/stores/STORE010/products/PRD010';
    await server.ask('PUT', '/api/v1/admin/stores/STORE010', { body: { name: 'X', lowThreshold: 5 } });
    await server.ask('PUT', '/api/v1/admin/products/PRD010', { body: { name: 'Y', safetyStock: 2 } });
    expect(await stockOf('STORE010', 'PRD010')).toMatchObject({ safetyStock: 2, lowThreshold: 5, availableStock: -2 });
    const own = await server.ask('PUT', level, { body: { safetyStock: 7, lowThreshold: 9 } });
    expect(own.body).toMatchObject({ safetyStock: 7, lowThreshold: 9 });
    expect((await server.ask('PUT', level, { body: {} })).body).toMatchObject({ safetyStock: 2, lowThreshold: 5 });
    expect((await server.ask('PUT', '/api/v1/admin/stores/NOWHERE/products/PRD010', { body: {} })).body.code).toBe(
      'UNKNOWN_STORE',
    );
  });
});

describe('the audit', () => {
  it('tells commands and master data in one list, newest first, by any page size', async () => {
    const whole = await server.ask('GET', '/api/v1/admin/audit?limit=500');
    const all = whole.body.items as { at: string; kind: string; entry?: { hash: string } }[];
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['stock', 'store', 'product']));
    expect(all.map(({ at }) => at)).toEqual(
      all
        .map(({ at }) => at)
        .toSorted()
        .reverse(),
    );
    expect(all.find(({ kind }) => kind === 'stock')?.entry?.hash).toMatch(/^[0-9a-f]{64}$/);
    const paged: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await server.ask(
        'GET',
        `/api/v1/admin/audit?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      paged.push(...(body.items as unknown[]));
      cursor = body.nextCursor as string | null;
    }
    expect(paged).toEqual(all);
    expect((await server.ask('GET', '/api/v1/admin/audit?actor=nobody')).body.items).toEqual([]);
  });

  it('names the conversation that the caller named', async () => {
    const headers = { 'x-correlation-id': 'conversation-7', 'x-request-id': 'my-request' };
    const made = await command('PRD002/add', { quantity: 1 }, headers);
    expect(made.headers['x-request-id']).toBe('my-request');
    const { body } = await server.ask('GET', '/api/v1/admin/audit?limit=1');
    expect(body.items).toMatchObject([{ correlationId: 'conversation-7', actor: { subject: 'admin', role: 'admin' } }]);
  });
});

describe('files', () => {
  const headers = { 'content-type': 'text/csv' };

  it('are imported, with a report of what was refused', async () => {
    const file = 'Shop,Article,Units\nSTORE001,PRD002,5\nNOWHERE,PRD002,5\nSTORE001,PRD002,-1\n';
    const query = 'map=Shop:storeId,Article:productId,Units:quantity';
    const stopped = await server.ask('POST', `/api/v1/admin/import/stock?${query}`, { body: file, headers });
    expect(stopped.body).toMatchObject({
      applied: false,
      imported: 0,
      refused: [{ line: 3, code: 'UNKNOWN_STORE' }, { line: 4 }],
    });
    const skipped = await server.ask('POST', `/api/v1/admin/import/stock?${query}&onError=skip`, {
      body: file,
      headers,
    });
    expect(skipped.body).toMatchObject({ applied: true, rows: 3, imported: 1, skipped: 2 });
    const again = await server.ask('POST', `/api/v1/admin/import/stock?${query}&onError=skip`, { body: file, headers });
    expect(again.body).toMatchObject({ imported: 0, replayed: 1 });
    expect((await server.ask('POST', '/api/v1/admin/import/stock?map=nonsense', { body: file, headers })).status).toBe(
      400,
    );
    expect((await server.ask('POST', '/api/v1/admin/import/stock', { body: {} })).status).toBe(415);
  });

  it('tell their progress when asked to', async () => {
    const response = await server.http.inject({
      method: 'POST',
      url: '/api/v1/admin/import/stores',
      headers: { ...headers, accept: 'application/x-ndjson', authorization: `Bearer ${server.admin}` },
      payload: 'storeId,name\nSTORE020,Twenty\n',
    });
    const lines = response.body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { result?: { imported: number } });
    expect(lines.at(-1)?.result?.imported).toBe(1);
  });

  it('are exported as they are imported', async () => {
    const stock = await server.ask('GET', '/api/v1/admin/export/stock');
    expect(stock.text).toMatch(/^storeId,productId,onHand,/);
    const movements = await server.ask('GET', '/api/v1/admin/export/movements?storeId=STORE002');
    expect(movements.text).toContain('COUNT');
    expect(movements.text).not.toContain('STORE001');
  });
});

describe('history', () => {
  it('shows levels at an instant, and movements of an operation', async () => {
    const before = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { body: earlier } = await server.ask('GET', '/api/v1/stock?storeId=STORE001&productId=PRD002');
    await server.ask('POST', `${ADMIN}/PRD002/add`, {
      body: { quantity: 100, storeId: 'STORE001', transactionId: 'history-1' },
    });
    const then = await server.ask('GET', `/api/v1/stock?storeId=STORE001&productId=PRD002&asOf=${before}`);
    const [level] = earlier.items as { onHand: number }[];
    expect((then.body.items as { onHand: number }[])[0]?.onHand).toBe(level?.onHand);
    const moved = await server.ask('GET', '/api/v1/movements?referenceId=history-1');
    expect(moved.body.items).toMatchObject([{ onHandChange: 100, changeReason: 'RECEIPT', storeId: 'STORE001' }]);
  });
});
