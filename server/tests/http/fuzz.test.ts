/**
 * All routes of the API page, asked with requests that are made from it. Whatever is sent: no failure of the service, and
 * every reply is as its route declares (the test server holds each against the page).
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestsOf, type WildRequest } from './support/arbitrary-requests.ts';
import { ROUTE_CASES } from './support/requests.ts';
import { TestServer } from './support/test-server.ts';

/** Per route. */
const RUNS = Number(process.env.HOLDFAST_FUZZ_RUNS ?? 60);

let server: TestServer;
let tokens: (string | null)[] = [];

beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
  await server.ask('PUT', '/api/v1/admin/products/PRD003', { body: { name: 'Reserved' } });
  const plenty = { quantity: 1_000_000, storeId: 'STORE001', transactionId: 'plenty' };
  await server.ask('POST', '/api/v1/admin/inventory/PRD003/add', { body: plenty });
  for (const [index, place] of ['STORE001', 'STORE002', 'STORE001', 'STORE002'].entries()) {
    const body = { quantity: 1_000_000, storeId: place, transactionId: `plenty-${index}` };
    await server.ask('POST', `/api/v1/admin/inventory/${index < 2 ? 'PRD001' : 'PRD002'}/add`, { body });
  }
  tokens = [
    server.admin,
    server.admin,
    server.admin,
    await server.token('operator', 'HQ001'),
    await server.token('pos', 'HQ001', 'STORE001'),
    await server.token('admin'),
    await server.token('viewer', 'HQ001'),
    null,
  ];
});
afterAll(() => server.stop());

/** Of a product that no request knows, so that its stock is never used up. */
function aReservation(name: string): Promise<string> {
  const items = [{ productId: 'PRD003', quantity: 3 }];
  return server.reserve(3, `fuzz ${name}`.replace(/[^\w]/g, ':'), { items });
}

type Method = Parameters<TestServer['ask']>[0];

async function answersAsDeclared(method: Method, { url, body, headers, token }: WildRequest): Promise<void> {
  const ask = { token: tokens[token] ?? null, headers, ...(body === undefined ? {} : { body }) };
  const { status, text } = await server.ask(method, url, ask);
  expect(status < 500 || status === 503 || status === 504, `${status} ${text}`).toBe(true);
}

const names = Object.keys(ROUTE_CASES);

describe('whatever is sent, it answers as declared:', () => {
  it.each(names)('%s', { timeout: 180_000 }, async (name) => {
    const route = server.declared.routes.find(({ method, path }) => `${method} ${path}` === name);
    if (route === undefined) throw new Error('the API page does not have it');
    const reservations = await Promise.all([1, 2, 3, 4].map((number) => aReservation(`${name} ${number}`)));
    const ask = (request: WildRequest) => answersAsDeclared(route.method as Method, request);
    await fc.assert(fc.asyncProperty(requestsOf(route, reservations), ask), { numRuns: RUNS });
  });

  it('a file to import', { timeout: 180_000 }, async () => {
    const cell = fc.oneof(
      fc.constantFrom('STORE001', 'PRD001', '5', '-1', '', '"', 'a,b', '"x\ny"'),
      fc.string({ maxLength: 12 }),
    );
    const file = fc
      .array(fc.array(cell, { maxLength: 4 }), { maxLength: 6 })
      .map((rows) => ['storeId,productId,quantity', ...rows.map((row) => row.join(','))].join('\n'));
    const ask = async (text: string, kind: string, onError: string) => {
      const headers = { 'content-type': 'text/csv' };
      const { status } = await server.ask('POST', `/api/v1/admin/import/${kind}?onError=${onError}`, {
        body: text,
        headers,
      });
      expect(status).toBe(200);
    };
    const kinds = fc.constantFrom('stock', 'stores', 'products');
    await fc.assert(fc.asyncProperty(file, kinds, fc.constantFrom('stop', 'skip'), ask), { numRuns: RUNS });
  });

  it('any address at all', async () => {
    const methods = fc.constantFrom<Method>('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH');
    const paths = fc.array(fc.webSegment(), { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
    const ask = async (method: Method, url: string) => {
      const { status } = await server.ask(method, url);
      expect([200, 204, 302, 400, 404, 405, 415]).toContain(status);
    };
    await fc.assert(fc.asyncProperty(methods, paths, ask), { numRuns: 300 });
  });
});

it('after all that the ledger, the projections and the engine agree', async () => {
  const report = await server.application.verify({});
  expect(report.findings).toEqual([]);
});
