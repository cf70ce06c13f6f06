import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../src/http/problems.ts';
import { LedgerUnavailable } from '../../src/ledger/ledger.ts';
import { HistoryBehind } from '../../src/projections/history-reads.ts';
import type { Execution } from '../../src/recording/command-executor.ts';
import { type Answered, TestServer } from './support/test-server.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/errors.md'), 'utf8');

it('the reference page lists every error as the table has it, and no others', () => {
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| (yes|no) \| (.*?) \| .+ \|$/gm)];
  const listed = rows.map(([, code, status, repeat, title]) => [
    code,
    { status: Number(status), retryable: repeat === 'yes', title },
  ]);
  expect(Object.fromEntries(listed)).toEqual(PROBLEMS);
  expect(listed.length).toBe(Object.keys(PROBLEMS).length);
});

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
});
afterAll(() => server.stop());

const RESERVE = '/api/v1/inventory/reserve';
const ADMIN = '/api/v1/admin/inventory';
const LETTERS = '/api/v1/admin/dead-letters';
let letters = 0n;
function parked(key: string): Promise<string> {
  letters += 1n;
  return server.park({ topic: 'order.placed', offset: letters, key, hqId: 'HQ001', text: '{}' });
}

const items = [{ productId: 'PRD001', quantity: 1 }];
const reason = 'test';

let count = 0;
function reserve(more: object = {}, ask: Parameters<TestServer['ask']>[2] = {}): Promise<Answered> {
  count += 1;
  return server.ask('POST', RESERVE, {
    body: { storeId: 'STORE001', transactionId: `p-${count}`, items, ...more },
    ...ask,
  });
}

/** The application with one part that fails, for as long as the request takes. */
async function failing(parts: object, ask: () => Promise<Answered>): Promise<Answered> {
  server.service.open({ ...server.application, ...parts });
  try {
    return await ask();
  } finally {
    server.service.open(server.application);
  }
}

function executing(execution: Execution) {
  return { executor: { execute: async () => execution } };
}

async function closed(how: 'release' | 'confirm' | 'expire'): Promise<string> {
  count += 1;
  const path = `${RESERVE}/${await server.reserve(1, `closed-${count}`, how === 'expire' ? { ttlMs: 1_000 } : {})}`;
  if (how === 'release') await server.ask('DELETE', path);
  if (how === 'confirm')
    await server.ask('POST', `${path}/confirm`, { body: { orderId: 'O', transactionId: `closed-c-${count}` } });
  if (how === 'expire') await expect.poll(async () => (await server.ask('GET', path)).body.status).toBe('expired');
  return path;
}

const extend = (path: string) =>
  server.ask('POST', `${path}/extend`, { body: { ttlMs: 5_000, transactionId: `e-${path}` } });

/** How each error comes about. */
const WAYS: Partial<Record<ProblemCode, () => Promise<Answered>>> = {
  VALIDATION_FAILED: () => reserve({ items: [{ productId: 'PRD001', quantity: '2' }] }),
  INVALID_JSON: () => server.ask('POST', RESERVE, { body: '{"storeId":' }),
  INVALID_URL: () => server.ask('GET', '/api/v1/%zz'),
  INVALID_CURSOR: () => server.ask('GET', '/api/v1/stock?cursor=nonsense'),
  UNREADABLE_EVENT: () => server.ask('POST', '/api/v1/events', { body: { topic: 'order.placed', message: {} } }),
  UPGRADE_REQUIRED: () => server.ask('GET', '/api/v1/events/ws'),
  HQ_REQUIRED: async () =>
    reserve({}, { token: await server.token('admin'), body: { storeId: 'STORE001', transactionId: 'x', items } }),
  STORE_REQUIRED: () => reserve({ storeId: undefined }),
  RESERVED_STORE_ID: () => server.ask('PUT', '/api/v1/admin/stores/HQ', { body: { name: 'Pool' } }),
  OPERATION_ID_REQUIRED: () => reserve({ transactionId: undefined }),
  OPERATION_ID_CONFLICT: () =>
    reserve(
      {},
      { body: { storeId: 'STORE001', transactionId: 'one', items }, headers: { 'idempotency-key': 'other' } },
    ),
  INVALID_OPERATION_ID: () => reserve({ transactionId: 'undo/1/2' }),
  UNAUTHENTICATED: () => reserve({}, { token: 'nonsense' }),
  FORBIDDEN: async () =>
    reserve(
      {},
      { token: await server.token('viewer', 'HQ001'), body: { storeId: 'STORE001', transactionId: 'x', items } },
    ),
  NOT_FOUND: () => server.ask('GET', '/api/v2/stock'),
  UNKNOWN_HQ: () => reserve({ hqId: 'HQ777' }),
  UNKNOWN_STORE: () => reserve({ storeId: 'NOWHERE' }),
  UNKNOWN_PRODUCT: () => reserve({ items: [{ productId: 'NOTHING', quantity: 1 }] }),
  UNKNOWN_RESERVATION: () => server.ask('GET', `${RESERVE}/rsv_9_0123456789abcdef01234567`),
  UNKNOWN_DEAD_LETTER: () => server.ask('GET', `${LETTERS}/ltr_999999`),
  DEAD_LETTER_NOT_PARKED: async () => {
    const id = await parked('dropped');
    await server.ask('DELETE', `${LETTERS}/${id}`);
    return server.ask('POST', `${LETTERS}/${id}/redrive`);
  },
  DEAD_LETTER_BUSY: async () => {
    const id = await parked('busy');
    await server.application.letterDesk.letters.claim(id, 'anna');
    return server.ask('POST', `${LETTERS}/${id}/redrive`);
  },
  DEAD_LETTER_UNREADABLE: async () =>
    server.ask('PUT', `${LETTERS}/${await parked('unreadable')}`, { body: { payload: {} } }),
  METHOD_NOT_ALLOWED: () => server.ask('PATCH', RESERVE),
  INSUFFICIENT_STOCK: () => reserve({ items: [{ productId: 'PRD001', quantity: 1_000_000 }] }),
  RESERVATION_CONFIRMED: async () => extend(await closed('confirm')),
  RESERVATION_RELEASED: async () => extend(await closed('release')),
  RESERVATION_EXPIRED: async () => extend(await closed('expire')),
  QUANTITY_EXCEEDS_RESERVATION: async () => {
    const path = `${RESERVE}/${await server.reserve(1, 'exceeds')}`;
    const body = { orderId: 'O', items: [{ productId: 'PRD001', quantity: 2 }], transactionId: 'exceeds-c' };
    return server.ask('POST', `${path}/confirm`, { body });
  },
  COUNT_SUPERSEDED: async () => {
    const at = (countedAt: string, transactionId: string) =>
      server.ask('POST', `${ADMIN}/count`, {
        body: { storeId: 'STORE002', items: [{ productId: 'PRD002', counted: 0 }], countedAt, reason, transactionId },
      });
    await at('2026-01-02T00:00:00Z', 'count-1');
    return at('2026-01-01T00:00:00Z', 'count-2');
  },
  LEVEL_LIMIT: () => {
    const entry = {
      outcome: { status: 'level-limit', storeId: 'STORE001', productId: 'PRD001' },
      partition: 1,
      seq: 1,
    };
    const execution = { status: 'recorded', replayed: false, entry } as Execution;
    return failing(executing(execution), () =>
      server.ask('POST', `${ADMIN}/PRD001/add`, { body: { quantity: 1, transactionId: 'l' } }),
    );
  },
  VERSION_MISMATCH: () =>
    server.ask('POST', `${ADMIN}/PRD001/add`, {
      body: { quantity: 1, transactionId: 'v' },
      headers: { 'if-match': '"999"' },
    }),
  BODY_TOO_LARGE: () => reserve({}, { body: JSON.stringify({ padding: 'x'.repeat(257 * 1024) }) }),
  UNSUPPORTED_MEDIA_TYPE: () =>
    reserve({}, { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
  IDEMPOTENCY_MISMATCH: async () => {
    await reserve({ transactionId: 'mismatch' });
    return reserve({ transactionId: 'mismatch', ttlMs: 5_000 });
  },
  RATE_LIMITED: async () => {
    const limited = await TestServer.start(undefined, 1);
    try {
      await limited.ask('GET', '/api/v1/stock');
      return await limited.ask('GET', '/api/v1/stock');
    } finally {
      await limited.stop();
    }
  },
  INTERNAL_ERROR: () => failing({ executor: { execute: () => Promise.reject(new Error('planted')) } }, () => reserve()),
  NOT_READY: () => failing(executing({ status: 'unavailable', reason: 'not-open' }), () => reserve()),
  OVERLOADED: () => failing(executing({ status: 'unavailable', reason: 'overloaded' }), () => reserve()),
  NOT_RECORDED: () => failing(executing({ status: 'unavailable', reason: 'discarded' }), () => reserve()),
  COUNT_CONTENDED: () =>
    failing(executing({ status: 'observed', outcome: { status: 'stale-count' }, hold: null }), () =>
      server.ask('POST', `${ADMIN}/count`, {
        body: { storeId: 'STORE001', items: [{ productId: 'PRD001', counted: 1 }], reason, transactionId: 'contended' },
      }),
    ),
  HISTORY_BEHIND: () =>
    failing({ history: { levels: () => Promise.reject(new HistoryBehind()) } }, () =>
      server.ask('GET', '/api/v1/stock'),
    ),
  OUTCOME_UNKNOWN: () => failing(executing({ status: 'unknown' }), () => reserve()),
};

/** Answered on the bare connection, before there is a request: the tests of sockets reach them. */
const ON_THE_WIRE: ProblemCode[] = ['REQUEST_TIMEOUT', 'HEADERS_TOO_LARGE'];

describe('every error of the table comes about:', () => {
  const codes = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => !ON_THE_WIRE.includes(code));
  it.each(codes)('%s', async (code) => {
    const answered = await (WAYS[code] ?? (() => Promise.reject(new Error('no way is known'))))();
    expect([answered.body.code, answered.status], answered.text).toEqual([code, PROBLEMS[code].status]);
    expect(answered.headers['content-type']).toContain('application/problem+json');
    expect(answered.body).toMatchObject({ title: PROBLEMS[code].title, status: PROBLEMS[code].status });
    expect(typeof answered.body.detail).toBe('string');
    const comesAgain = answered.status === 503 || answered.status === 429;
    expect(answered.headers['retry-after']).toBe(comesAgain ? '1' : undefined);
  });
});

describe('a ledger that is away', () => {
  const away = () => Promise.reject(new LedgerUnavailable('the database is away'));
  it('has done nothing where something was read, and may have where something was written', async () => {
    const read = await failing({ history: { levels: away } }, () => server.ask('GET', '/api/v1/stock'));
    expect([read.status, read.body.code]).toEqual([503, 'NOT_READY']);
    const written = await failing({ executor: { execute: away } }, () => reserve());
    expect([written.status, written.body.code]).toEqual([504, 'OUTCOME_UNKNOWN']);
  });
});

describe('checks come in the order of the contract:', () => {
  const large = JSON.stringify({ padding: 'x'.repeat(257 * 1024) });
  it('401 before 413', async () => expect((await reserve({}, { token: null, body: large })).status).toBe(401));
  it('413 before 400', async () => expect((await reserve({}, { body: large })).status).toBe(413));
  it('400 before 403', async () => {
    const token = await server.token('viewer', 'HQ001');
    expect((await reserve({}, { token, body: { wrong: true } })).status).toBe(400);
    expect((await reserve({}, { token, body: { storeId: 'STORE001', items } })).body.code).toBe(
      'OPERATION_ID_REQUIRED',
    );
  });
  it('403 before 404', async () => {
    const token = await server.token('viewer', 'HQ001');
    const body = { hqId: 'HQ002', storeId: 'NOWHERE', items, transactionId: 'order' };
    expect((await reserve({}, { token, body })).status).toBe(403);
  });
});

describe('what is refused with 400:', () => {
  const bad: [string, object][] = [
    ['an unknown field', { colour: 'red' }],
    ['an unknown field of a line', { items: [{ ...items[0], colour: 'red' }] }],
    ['no lines', { items: [] }],
    ['501 lines', { items: Array.from({ length: 501 }, () => items[0]) }],
    ['a quantity of zero', { items: [{ productId: 'PRD001', quantity: 0 }] }],
    ['a negative quantity', { items: [{ productId: 'PRD001', quantity: -1 }] }],
    ['half a unit', { items: [{ productId: 'PRD001', quantity: 0.5 }] }],
    ['more than a million units', { items: [{ productId: 'PRD001', quantity: 1_000_001 }] }],
    ['an id with a blank', { storeId: 'STORE 1' }],
    ['an empty id', { storeId: '' }],
    ['an id of 65 characters', { storeId: 'x'.repeat(65) }],
    ['a null', { storeId: null }],
    ['a ttl of 999 ms', { ttlMs: 999 }],
    ['a ttl of more than an hour', { ttlMs: 3_600_001 }],
    ['an operation id of 129 characters', { transactionId: 'x'.repeat(129) }],
    ['an operation id of orders', { transactionId: 'order/placed/1' }],
    ['an operation id of products', { transactionId: 'sku/created/1' }],
  ];
  it.each(bad)('%s', async (_what, more) => expect((await reserve(more)).status).toBe(400));
  it.each(['', 'null', '[]', '"text"', '7', '{"__proto__":{"a":1}}'])('the body %s', async (body) => {
    expect((await server.ask('POST', RESERVE, { body, headers: { 'content-type': 'application/json' } })).status).toBe(
      400,
    );
  });
  it.each(['limit=0', 'limit=501', 'limit=abc', 'limit=1&limit=2', 'lowStock=yes', 'asOf=yesterday', 'colour=red'])(
    'the query ?%s',
    async (query) => expect((await server.ask('GET', `/api/v1/stock?${query}`)).status).toBe(400),
  );
  it('a transfer to where it comes from, from the pool, and a distribution to the pool', async () => {
    const move = (path: string, more: object) =>
      server.ask('POST', `${ADMIN}/${path}`, { body: { items, reason, transactionId: 'm', ...more } });
    expect((await move('transfer', { fromStoreId: 'STORE001', toStoreId: 'STORE001' })).status).toBe(400);
    expect((await move('transfer', { fromStoreId: 'HQ', toStoreId: 'STORE001' })).body.code).toBe('RESERVED_STORE_ID');
    expect((await move('distribute', { storeId: 'HQ' })).body.code).toBe('RESERVED_STORE_ID');
  });
  it('a count of the future', async () => {
    const countedAt = new Date(Date.now() + 60_000).toISOString();
    const body = {
      storeId: 'STORE001',
      items: [{ productId: 'PRD001', counted: 1 }],
      countedAt,
      reason,
      transactionId: 'future',
    };
    expect((await server.ask('POST', `${ADMIN}/count`, { body })).status).toBe(400);
  });
});
