import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mayDo, ROLES, type Role } from '../../src/access/roles.ts';
import { OPEN_ROUTES, ROUTE_CASES, type RouteCase, STREAM_ROUTE } from './support/requests.ts';
import { type Answered, TestServer } from './support/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
  const body = { quantity: 10_000, storeId: 'STORE001', transactionId: 'enough-for-all' };
  await server.ask('POST', '/api/v1/admin/inventory/PRD001/add', { body });
  await server.ask('PUT', '/api/v1/admin/stores/STORE001', {
    token: await server.token('admin', 'HQ002'),
    body: { name: 'Of another HQ' },
  });
});
afterAll(() => server.stop());

type Method = Parameters<TestServer['ask']>[0];
const cases = Object.entries(ROUTE_CASES).map(([name, route]) => ({
  name,
  method: name.split(' ')[0] as Method,
  route,
}));

let count = 0;
async function askAs(method: Method, route: RouteCase, token: string | null): Promise<Answered> {
  count += 1;
  const { url, body, headers } = await route.sample(server, `rights-${count}`);
  return server.ask(method, url, {
    token,
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  });
}

/** Of a batch, the status of its only reservation. */
function statusOf({ status, body }: Answered): number {
  return status === 200 && Array.isArray(body.results) ? (body.results[0] as { status: number }).status : status;
}

it('every route of the API page has its case here', () => {
  const declared = server.declared.routes.map(({ method, path }) => `${method} ${path}`);
  expect([...declared].sort()).toEqual([...Object.keys(ROUTE_CASES), ...OPEN_ROUTES, STREAM_ROUTE].sort());
});

describe.each(cases)('$name', ({ name, method, route }) => {
  it('asks for a token', async () => {
    const { status, headers, body } = await askAs(method, route, null);
    expect([status, headers['www-authenticate'], body.code]).toEqual([401, 'Bearer', 'UNAUTHENTICATED']);
  });

  it.each(ROLES)('answers the role %s as the table of rights says', async (role: Role) => {
    const store = role === 'pos' ? 'STORE001' : null;
    const answered = await askAs(method, route, await server.token(role, 'HQ001', store));
    if (mayDo(role, route.right)) expect(answered.status, answered.text).toBe(route.expected);
    else expect([answered.status, answered.body.code]).toEqual([403, 'FORBIDDEN']);
  });

  it('knows nothing of HQ001 for a token of another HQ', async () => {
    const answered = await askAs(method, route, await server.token('admin', 'HQ002'));
    expect(statusOf(answered), answered.text).toBe(route.ofAnotherHq ?? 404);
  });

  it('answers a token that sees every HQ', async () => {
    const answered = await askAs(method, route, await server.token('admin'));
    expect(answered.status, answered.text).toBe(route.expected);
  });

  it('keeps to the store of a token that names one', async () => {
    const own = await askAs(method, route, await server.token('admin', 'HQ001', 'STORE001'));
    expect(own.status, own.text).toBe(route.place === 'hq' ? 403 : route.expected);
    const foreign = await askAs(method, route, await server.token('admin', 'HQ001', 'STORE002'));
    const expected = { hq: 403, store: 404, shared: name.includes('batch') ? 404 : route.expected }[route.place];
    expect(statusOf(foreign), foreign.text).toBe(expected);
  });

  it('refuses a till that has no store', async () => {
    const answered = await askAs(method, route, await server.token('pos', 'HQ001'));
    expect(statusOf(answered), answered.text).toBe(403);
  });
});

it.each(OPEN_ROUTES)('%s asks for no token', async (name) => {
  const [method, url] = name.split(' ') as [Method, string];
  expect((await server.ask(method, url, { token: null })).status).toBe(200);
});

it('a refusal by a foreign store looks like one by a store that never was', async () => {
  const token = await server.token('pos', 'HQ001', 'STORE001');
  const foreign = await server.ask('GET', '/api/v1/stores/STORE002/products/PRD001/stock', { token });
  const unknown = await server.ask('GET', '/api/v1/stores/NOWHERE/products/PRD001/stock', { token });
  const plain = ({ text }: Answered, storeId: string) =>
    text.replaceAll(storeId, 'X').replace(/urn:holdfast:request:[^"]*/, '');
  expect(plain(foreign, 'STORE002')).toBe(plain(unknown, 'NOWHERE'));
});

it('a till may leave out HQ and store, and lists show it its own store alone', async () => {
  const token = await server.token('pos', 'HQ001', 'STORE001');
  const body = { transactionId: 'till-1', items: [{ productId: 'PRD001', quantity: 1 }] };
  expect((await server.ask('POST', '/api/v1/inventory/reserve', { token, body })).status).toBe(201);
  const listed = await server.ask('GET', '/api/v1/stock', { token });
  const stores = (listed.body.items as { storeId: string }[]).map(({ storeId }) => storeId);
  expect(new Set(stores)).toEqual(new Set(['STORE001']));
});
