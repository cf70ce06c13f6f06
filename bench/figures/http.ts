import { atLeast, atMost, type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Sample } from '../harness/sample.ts';
import { type HttpLoad, type HttpRequest, OPERATION_ID_PLACE } from '../load/http-request.ts';
import type { EmptyRoute } from '../references/empty-route.ts';
import type { ClusterPlace } from '../subjects/cluster.ts';
import { commitNotes } from '../subjects/commits.ts';
import { HttpServerSubject } from '../subjects/http-server.ts';
import { productId, type Stock, storeId } from '../subjects/stock.ts';
import { ClusterServers } from './cluster-servers.ts';
import { shapeOf } from './contenders.ts';

const CALLERS = new URL('../load/http-load.ts', import.meta.url);
const EMPTY_ROUTE = new URL('../references/empty-route.ts', import.meta.url);
const CONNECTIONS = 64;
const PAUSE_MS_MAX = 50;
export const STOCK: Stock = { stores: 1, products: 1, quantity: 5_000_000 };

interface Route {
  route: EmptyRoute;
  expectedStatus: number;
  request: (token: string) => HttpRequest;
}

export const RESERVE: Route = {
  route: 'reserve',
  expectedStatus: 201,
  request: (token) => ({
    method: 'POST',
    path: '/api/v1/inventory/reserve',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      storeId: storeId(0),
      transactionId: OPERATION_ID_PLACE,
      ttlMs: 3_600_000,
      items: [{ productId: productId(0), quantity: 1 }],
    }),
  }),
};

const READ: Route = {
  route: 'read',
  expectedStatus: 200,
  request: (token) => ({
    method: 'GET',
    path: `/api/v1/stores/${storeId(0)}/products/${productId(0)}/stock`,
    headers: { authorization: `Bearer ${token}` },
    body: null,
  }),
};

/** A token of usual length for the side that does not look at it: both sides read the same bytes. */
const UNREAD_TOKEN = 'x'.repeat(300);

export const reserveHttp: Benchmark = {
  name: 'reserve-http',
  title:
    'Durable reservations over HTTP, 64 keep-alive connections, against an empty Fastify route with the same schemas',
  async run(context) {
    const summaries = await interleave(context, [server(context, RESERVE), emptyRoute(context, RESERVE)]);
    return {
      summaries,
      figures: [
        atLeast('reservations to an empty route', ratio(at(summaries, 0), at(summaries, 1)), 0.65),
        atMost('pause of the event loop, p99.9', at(summaries, 0).pausesMs?.p999 ?? Number.NaN, PAUSE_MS_MAX, 'ms'),
      ],
      remarks: ['Clients and server share the cores; the empty route is alone with its client.'],
    };
  },
};

export const reserveHttpCluster: Benchmark = {
  name: 'reserve-http-cluster',
  title:
    'Durable reservations over HTTP in cluster mode, 64 keep-alive connections, against an empty Fastify route with the same schemas',
  async run(context) {
    const servers = await ClusterServers.start();
    try {
      const node = server(context, RESERVE, CONNECTIONS, () => servers.freshPlace());
      const summaries = await interleave(context, [node, emptyRoute(context, RESERVE)]);
      const reached = ratio(at(summaries, 0), at(summaries, 1));
      return {
        summaries,
        figures: [atLeast('reservations to an empty route', reached, 0.35)],
        remarks: [
          'Clients, the node, Redis and MariaDB share the cores; the empty route is alone with its client. No projector runs meanwhile.',
        ],
      };
    } finally {
      await servers.stop();
    }
  },
};

export const readHttp: Benchmark = {
  name: 'read-http',
  title:
    'Stock of one product over HTTP, 64 keep-alive connections, against an empty Fastify route with the same schemas',
  async run(context) {
    const summaries = await interleave(context, [server(context, READ), emptyRoute(context, READ)]);
    const reached = ratio(at(summaries, 0), at(summaries, 1));
    return { summaries, figures: [atLeast('reads to an empty route', reached, 0.85)], remarks: [] };
  },
};

export function server(
  context: BenchContext,
  route: Route,
  connections = CONNECTIONS,
  freshPlace?: () => Promise<ClusterPlace>,
): Contender {
  const name = `Holdfast, ${connections} connections`;
  return {
    name,
    unit: 'requests',
    async measure() {
      const folder = context.newFolder('http');
      const subject = await HttpServerSubject.start(folder, context.profiling(name), await freshPlace?.());
      try {
        await subject.stockUp(STOCK);
        const { request, expectedStatus } = route;
        const before = await subject.commits();
        const target = { port: subject.port, request: request(subject.tillToken), expectedStatus };
        const sample = await load(context, subject.process, target, connections);
        return { ...sample, notes: { ...sample.notes, ...commitNotes(before, await subject.commits()) } };
      } finally {
        await subject.process.stop();
        context.removeFolder(folder);
      }
    },
  };
}

function emptyRoute(context: BenchContext, { route, request, expectedStatus }: Route): Contender {
  const name = `an empty route, ${CONNECTIONS} connections`;
  return {
    name,
    unit: 'requests',
    async measure() {
      const reference = MeasuredProcess.start(EMPTY_ROUTE, { profiling: context.profiling(name) });
      try {
        const port = await reference.call<number>('listen', route);
        return await load(context, reference, { port, request: request(UNREAD_TOKEN), expectedStatus });
      } finally {
        await reference.stop();
      }
    },
  };
}

/** The callers' latencies and counts, the server's pauses, processor time and memory. */
async function load(
  context: BenchContext,
  server: MeasuredProcess,
  target: Omit<HttpLoad, 'shape'>,
  connections = CONNECTIONS,
): Promise<Sample> {
  const callers = MeasuredProcess.start(CALLERS);
  const shape = shapeOf(context, connections);
  try {
    const running = callers.call<Sample>('run', { ...target, shape } satisfies HttpLoad);
    const watched = watch(server, shape);
    const [seen, own] = await Promise.all([running, watched]);
    const { pauses, cores, residentMiB } = own;
    return { ...seen, pauses, cores, residentMiB };
  } finally {
    await callers.stop();
  }
}

async function watch(server: MeasuredProcess, { warmUpMs, measureMs }: { warmUpMs: number; measureMs: number }) {
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  await server.call('start');
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  return server.call<Pick<Sample, 'pauses' | 'cores' | 'residentMiB'>>('stop');
}
