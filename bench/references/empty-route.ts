/**
 * What HTTP costs with nothing behind it: a Fastify route with the schemas of the real one (taken from it as it is
 * registered), that validates, answers a constant through the serialiser of the schema, and does nothing else. No
 * token, no log, no metrics, no request id.
 */
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify';
import { reservationRoutes } from '../../server/src/http/routes/reservations.ts';
import { stockRoutes } from '../../server/src/http/routes/stock.ts';
import { Service } from '../../server/src/http/service.ts';
import { serveCalls } from '../harness/child-process.ts';
import { ProcessWatch } from '../harness/sample.ts';

export type EmptyRoute = 'reserve' | 'read';

const RESERVE = '/api/v1/inventory/reserve';
const READ = '/api/v1/stores/:storeId/products/:productId/stock';

const RESERVED = {
  reservationId: 'rsv_12_000000000000000000000000',
  expiresAt: '2026-11-21T10:00:00.000Z',
  items: [{ productId: 'PRD000001', reserved: 1 }],
};
const STOCK = {
  hqId: 'HQ001',
  storeId: 'STORE0001',
  productId: 'PRD000001',
  hqStock: 1_000_000,
  storeStock: 1_000_000,
  availableStock: 1_000_000,
  reservedStock: 0,
  safetyStock: 0,
  lowThreshold: null,
  version: 1,
};

const ANSWERS: Record<EmptyRoute, { method: string; url: string; status: number; body: unknown }> = {
  reserve: { method: 'POST', url: RESERVE, status: 201, body: RESERVED },
  read: { method: 'GET', url: READ, status: 200, body: STOCK },
};

/** The schema of a route of the real server. */
async function schemaOf(method: string, url: string): Promise<RouteOptions['schema']> {
  const collecting = Fastify();
  const found: RouteOptions[] = [];
  collecting.addHook('onRoute', (route) => {
    if (route.method === method && route.url === url) found.push(route);
  });
  const service = new Service({ servesApi: true });
  await collecting.register(reservationRoutes(service, RESERVE));
  await collecting.register(stockRoutes(service));
  const [route] = found;
  if (route === undefined) throw new Error(`the server has no route ${method} ${url}`);
  return route.schema;
}

let server: FastifyInstance | null = null;
const watch = new ProcessWatch();

serveCalls({
  async listen(route: EmptyRoute): Promise<number> {
    const { method, url, status, body } = ANSWERS[route];
    const schema = await schemaOf(method, url);
    server = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } });
    server.route({
      method,
      url,
      ...(schema === undefined ? {} : { schema }),
      handler: (_request, reply) => {
        reply.code(status).send(body);
      },
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const address = server.server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    return address.port;
  },
  start: () => watch.start(),
  stop: () => watch.stop(),
});
