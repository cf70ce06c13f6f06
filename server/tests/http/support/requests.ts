/** One good request for every route, what right it needs, and how much of an HQ it concerns. */
import type { Right } from '../../../src/access/roles.ts';
import type { TestServer } from './test-server.ts';

interface Sample {
  url: string;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface RouteCase {
  right: Right;
  /** `store`: acts at STORE001; `hq`: concerns the whole HQ; `shared`: every store of the HQ may ask it. */
  place: 'store' | 'hq' | 'shared';
  expected: number;
  /** What a token of another HQ is answered; 404 unless it is said. */
  ofAnotherHq?: number;
  /** Made anew for each request, for HQ001; `id` is a fresh operation id. */
  sample: (server: TestServer, id: string) => Sample | Promise<Sample>;
}

const items = [{ productId: 'PRD001', quantity: 1 }];
const hqId = 'HQ001';
const storeId = 'STORE001';
const reason = 'test';

async function held(server: TestServer, id: string, prefix: string): Promise<string> {
  return `${prefix}/${await server.reserve(1, `${id}:held`)}`;
}

function reservationCases(prefix: string): Record<string, RouteCase> {
  const reserve = (id: string) => ({ hqId, storeId, transactionId: id, items });
  return {
    [`POST ${prefix}`]: {
      right: 'reserve',
      place: 'store',
      expected: 201,
      sample: (_server, id) => ({ url: prefix, body: reserve(id) }),
    },
    [`POST ${prefix}/batch`]: {
      right: 'reserve',
      place: 'shared',
      expected: 200,
      sample: (_server, id) => ({ url: `${prefix}/batch`, body: { reservations: [reserve(id)] } }),
    },
    [`GET ${prefix}/{reservationId}`]: {
      right: 'read',
      place: 'store',
      expected: 200,
      sample: async (server, id) => ({ url: await held(server, id, prefix) }),
    },
    [`DELETE ${prefix}/{reservationId}`]: {
      right: 'reserve',
      place: 'store',
      expected: 200,
      sample: async (server, id) => ({ url: await held(server, id, prefix) }),
    },
    [`POST ${prefix}/{reservationId}/confirm`]: {
      right: 'reserve',
      place: 'store',
      expected: 200,
      sample: async (server, id) => ({
        url: `${await held(server, id, prefix)}/confirm`,
        body: { orderId: 'O-1', transactionId: id },
      }),
    },
    [`POST ${prefix}/{reservationId}/extend`]: {
      right: 'reserve',
      place: 'store',
      expected: 200,
      sample: async (server, id) => ({
        url: `${await held(server, id, prefix)}/extend`,
        body: { ttlMs: 60_000, transactionId: id },
      }),
    },
  };
}

function read(url: string, place: RouteCase['place'], right: Right = 'read'): RouteCase {
  return { right, place, expected: 200, sample: () => ({ url }) };
}

function command(url: string, place: RouteCase['place'], body: object, right: Right = 'manage-stock'): RouteCase {
  return {
    right,
    place,
    expected: 200,
    sample: (_server, id) => ({ url, body: { hqId, ...body, transactionId: id } }),
  };
}

function put(url: string, place: RouteCase['place'], body: object): RouteCase {
  return { right: 'manage-catalog', place, expected: 200, sample: () => ({ url, body: { hqId, ...body } }) };
}

const ADMIN = '/api/v1/admin/inventory';
const LETTERS = '/api/v1/admin/dead-letters';

let offset = 0n;

function cancellation(orderId: string) {
  return { eventId: `evt-${orderId}`, eventType: 'order.cancelled', data: { orderId, hqId } };
}

/** Of a letter of its own: the cancellation of an order that nobody knows. */
function letterCase(sample: (id: string, orderId: string) => Sample): RouteCase {
  return {
    right: 'dead-letters',
    place: 'hq',
    expected: 200,
    sample: async (server) => {
      offset += 1n;
      const orderId = `ORD-${offset}`;
      const id = await server.park({
        topic: 'order.cancelled',
        offset,
        key: orderId,
        hqId,
        text: JSON.stringify(cancellation(orderId)),
      });
      return sample(id, orderId);
    },
  };
}

export const ROUTE_CASES: Record<string, RouteCase> = {
  ...reservationCases('/api/v1/inventory/reserve'),
  ...reservationCases('/api/inventory/reserve'),
  'GET /api/v1/stores/{storeId}/products/{productId}/stock': read(
    '/api/v1/stores/STORE001/products/PRD001/stock?hqId=HQ001',
    'store',
  ),
  'GET /api/v1/products/stock': read('/api/v1/products/stock?hqId=HQ001&storeId=STORE001&productId=PRD001', 'store'),
  'GET /api/products/stock': read('/api/products/stock?hqId=HQ001&storeId=STORE001&productId=PRD001', 'store'),
  'GET /api/v1/inventory/{skuId}': read('/api/v1/inventory/PRD001?hqId=HQ001', 'shared'),
  'GET /api/v1/stock': read('/api/v1/stock?hqId=HQ001&storeId=STORE001', 'store'),
  'GET /api/v1/movements': read('/api/v1/movements?hqId=HQ001&storeId=STORE001', 'store'),
  'GET /api/v1/events/ws': {
    ...read('/api/v1/events/ws?hqId=HQ001&storeId=STORE001', 'store'),
    // Without a wish for another protocol.
    expected: 426,
  },
  'POST /api/v1/events': {
    right: 'post-events',
    place: 'hq',
    expected: 202,
    ofAnotherHq: 403,
    sample: (_server, id) => ({
      url: '/api/v1/events',
      body: {
        topic: 'order.placed',
        message: {
          eventId: id,
          eventType: 'order.placed',
          timestamp: '2026-11-21T10:00:00Z',
          data: { orderId: id, hqId, storeId, items },
        },
      },
    }),
  },
  'GET /api/v1/events': read('/api/v1/events?hqId=HQ001&storeId=STORE001', 'store'),
  [`POST ${ADMIN}/receive`]: command(`${ADMIN}/receive`, 'hq', { items }),
  [`POST ${ADMIN}/distribute`]: command(`${ADMIN}/distribute`, 'hq', { storeId, items, reason }, 'distribute'),
  [`POST ${ADMIN}/transfer`]: command(`${ADMIN}/transfer`, 'hq', {
    fromStoreId: storeId,
    toStoreId: 'STORE002',
    items,
    reason,
  }),
  [`POST ${ADMIN}/adjust`]: command(`${ADMIN}/adjust`, 'store', {
    storeId,
    items: [{ productId: 'PRD001', change: 1 }],
    reason,
  }),
  [`POST ${ADMIN}/count`]: command(`${ADMIN}/count`, 'store', {
    storeId,
    items: [{ productId: 'PRD001', counted: 500 }],
    reason,
  }),
  [`POST ${ADMIN}/{skuId}/add`]: command(`${ADMIN}/PRD001/add`, 'store', { storeId, quantity: 1 }),
  [`POST ${ADMIN}/{skuId}/decrease`]: command(`${ADMIN}/PRD001/decrease`, 'store', { storeId, quantity: 1 }),
  'PUT /api/v1/admin/stores/{storeId}': put('/api/v1/admin/stores/STORE001', 'store', { name: 'A name' }),
  'PUT /api/v1/admin/products/{productId}': put('/api/v1/admin/products/PRD001', 'hq', { name: 'A name' }),
  'PUT /api/v1/admin/stores/{storeId}/products/{productId}': put(
    '/api/v1/admin/stores/STORE001/products/PRD001',
    'store',
    {
      lowThreshold: 3,
    },
  ),
  'GET /api/v1/admin/stores': read('/api/v1/admin/stores?hqId=HQ001', 'shared', 'manage-catalog'),
  'GET /api/v1/admin/products': read('/api/v1/admin/products?hqId=HQ001', 'shared', 'manage-catalog'),
  'GET /api/v1/admin/audit': read('/api/v1/admin/audit?hqId=HQ001', 'hq', 'audit'),
  [`GET ${LETTERS}`]: {
    right: 'dead-letters',
    place: 'hq',
    expected: 200,
    sample: () => ({ url: `${LETTERS}?hqId=HQ001` }),
  },
  [`GET ${LETTERS}/{id}`]: letterCase((id) => ({ url: `${LETTERS}/${id}` })),
  [`PUT ${LETTERS}/{id}`]: letterCase((id, orderId) => ({
    url: `${LETTERS}/${id}`,
    body: { payload: cancellation(orderId) },
  })),
  [`POST ${LETTERS}/{id}/redrive`]: letterCase((id) => ({ url: `${LETTERS}/${id}/redrive` })),
  [`DELETE ${LETTERS}/{id}`]: letterCase((id) => ({ url: `${LETTERS}/${id}` })),
  'GET /api/v1/admin/export/{kind}': read('/api/v1/admin/export/stock?hqId=HQ001&storeId=STORE001', 'store', 'export'),
  'POST /api/v1/admin/import/{kind}': {
    right: 'import',
    place: 'hq',
    expected: 200,
    sample: () => ({
      url: '/api/v1/admin/import/stores?hqId=HQ001',
      body: 'storeId,name\nSTORE001,A name\n',
      headers: { 'content-type': 'text/csv' },
    }),
  },
};

/** Answered without a token. */
export const OPEN_ROUTES = ['GET /health/live', 'GET /health/ready', 'GET /actuator/health', 'GET /metrics'];

/** Endless: the tests of events ask it. */
export const STREAM_ROUTE = 'GET /api/v1/events/stream';
