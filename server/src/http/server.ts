/** The HTTP server: what every request goes through, and which routes there are. */
import type { IncomingMessage, Server } from 'node:http';
import { Readable } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyHttpOptions,
  type FastifyInstance,
  type onRequestHookHandler,
  type preParsingHookHandler,
} from 'fastify';
import type { Logger } from 'pino';
import type { TokenVerifier } from '../access/tokens.ts';
import { authentication } from './authentication.ts';
import { answerClientError, handleError } from './errors.ts';
import { FrameworkLog } from './framework-log.ts';
import { AddressTable, notFound } from './methods.ts';
import { observe, RequestFigures } from './observation.ts';
import { RateLimit, rateLimited } from './rate-limit.ts';
import { RequestIds } from './request-ids.ts';
import { auditRoutes } from './routes/audit.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { openDocumentation, registerDocumentation } from './routes/documentation.ts';
import { EVENT_SOCKET_PATH } from './routes/event-socket.ts';
import { eventRoutes } from './routes/events.ts';
import { exchangeRoutes } from './routes/exchange.ts';
import { inboxRoutes } from './routes/inbox.ts';
import { inventoryAdministrationRoutes } from './routes/inventory-administration.ts';
import { maintenanceRoutes } from './routes/maintenance.ts';
import { masterDataRoutes } from './routes/master-data.ts';
import { operationsRoutes } from './routes/operations.ts';
import { reservationBatchRoute } from './routes/reservation-batch.ts';
import { reservationRoutes } from './routes/reservations.ts';
import { stockRoutes } from './routes/stock.ts';
import type { Service } from './service.ts';

const BODY_BYTES_MAX = 256 * 1024;
/** An id has at most 64 characters; what is longer is answered with 400 by its schema, not with 404. */
const PARAM_LENGTH_MAX = 2_048;
/** For a whole request: a large import comes slowly. */
const REQUEST_TIMEOUT_MS = 600_000;
const CONNECTION_TIMEOUT_MS = 120_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/** The addresses of the original documents, without `v1`, answer like those with it. */
const RESERVE_PATHS = ['/api/v1/inventory/reserve', '/api/inventory/reserve'];

export interface HttpServerOptions {
  service: Service;
  verifier: TokenVerifier;
  log: Logger;
  /** Log every request. */
  accessLog: boolean;
  /** Requests a second of one token subject; null: as many as come. */
  rateLimit?: number | null;
  /** Where checked rows of an import wait on disk. */
  spoolFolder: string;
}

export type HttpServer = FastifyInstance<Server>;

export async function buildHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { service, verifier, log, accessLog, rateLimit = null, spoolFolder } = options;
  const app = Fastify(serverOptions(log)).withTypeProvider<TypeBoxTypeProvider>();
  const figures = new RequestFigures();
  const addresses = new AddressTable();
  app.decorateRequest('caller', null);
  app.decorateRequest('startedAt', 0);
  const denied = (status: number) => service.application?.telemetry.deniedRequests.inc({ status });
  const begin = beginning(service, log);
  const authenticate = authentication(verifier);
  const limit = rateLimit === null ? [] : [rateLimited(new RateLimit(rateLimit, () => performance.now()))];
  app.addHook('onRoute', openDocumentation);
  app.addHook('onRoute', (route) => {
    addresses.add(route);
    route.onRequest = route.config?.open === true ? [begin] : [begin, authenticate, ...limit];
    if (route.method !== 'GET' && route.method !== 'HEAD') route.preParsing = emptyBody;
    observe({ figures, log, accessLog, denied }, route);
  });
  app.setErrorHandler(handleError);
  app.setNotFoundHandler(notFound(addresses));
  readJsonAlone(app);
  await registerDocumentation(app);
  for (const path of RESERVE_PATHS) {
    app.register(reservationRoutes(service, path));
    app.register(reservationBatchRoute(service, `${path}/batch`));
  }
  app.register(stockRoutes(service));
  app.register(inventoryAdministrationRoutes(service));
  app.register(masterDataRoutes(service));
  app.register(exchangeRoutes(service, spoolFolder));
  app.register(auditRoutes(service));
  app.register(deadLetterRoutes(service));
  app.register(eventRoutes(service));
  app.register(inboxRoutes(service));
  app.register(operationsRoutes(service, figures));
  app.register(maintenanceRoutes(service));
  await app.ready();
  return app;
}

/** What every request is given, and every answer carries. */
function beginning(service: Service, log: Logger): onRequestHookHandler {
  return (request, reply, done) => {
    request.log = log;
    reply.log = log;
    request.startedAt = performance.now();
    reply.header('x-request-id', request.id);
    if (service.draining) reply.header('connection', 'close');
    done();
  };
}

function serverOptions(log: Logger): FastifyHttpOptions<Server> {
  const requestIds = new RequestIds();
  return {
    // One that is given here is looked over for every request. Each is given ours when it begins; lines name it themselves.
    logger: false,
    logController: new FrameworkLog(log),
    genReqId: (request) => requestIds.of(request),
    requestIdHeader: false,
    bodyLimit: BODY_BYTES_MAX,
    // The life of a stream that nothing is read from costs a tenth of a read of stock.
    http: { shouldUpgradeCallback: asksForEventSocket, optimizeEmptyRequests: true },
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    // While it drains, a request on an open connection is answered, not refused.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => {
      handleError(error, request, reply);
    },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
  };
}

/** Any other wish for another protocol is passed over, as HTTP allows: some clients ask for HTTP/2 with every request. */
function asksForEventSocket({ method, url = '', headers }: IncomingMessage): boolean {
  return (
    method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && url.split('?', 1)[0] === EVENT_SOCKET_PATH
  );
}

/** Of a request without a body the stream has ended before it is read; who reads it waits for its end. */
const emptyBody: preParsingHookHandler = (request, _reply, payload, done) => {
  done(null, request.raw.readableEnded ? Readable.from([]) : payload);
};

/**
 * Bodies are JSON or refused. An empty one is no body, whatever its type says: clients send the type with a DELETE.
 */
function readJsonAlone(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, null);
    else void parse(request, body as string, done);
  });
}
