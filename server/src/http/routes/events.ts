/** Events, by the page and as a stream (server-sent events, WebSocket). */
import type { ServerResponse } from 'node:http';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { EventCursor } from '../../events/event-cursor.ts';
import type { EventAt } from '../../events/event-feed.ts';
import { sendJson } from '../answer.ts';
import { EventStreams, filterFields, filterOf, msUntilExpiry } from '../event-streams.ts';
import { pageOf, readNumbersAndBooleans } from '../query.ts';
import { Cursor, pageFields, readResponses, strict, textResponses } from '../schemas.ts';
import { callerOf } from '../scope.ts';
import type { Service } from '../service.ts';
import type { RouteScope } from './administration.ts';
import { eventSocketRoute } from './event-socket.ts';

const HEARTBEAT_MS = 15_000;

const CloudEvent = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Type.String(),
  source: Type.String(),
  type: Type.String(),
  subject: Type.String(),
  time: Type.String(),
  datacontenttype: Type.String(),
  dataschema: Type.String(),
  sequence: Type.String(),
  correlationid: Type.String(),
  causationid: Type.String(),
  partitionkey: Type.String(),
  data: Type.Any(),
});

export function eventRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    pageRoute(app, service);
    const streams = new EventStreams();
    streamRoute(app, service, streams);
    app.register(eventSocketRoute(service, streams));
    done();
  };
}

function pageRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/events',
    {
      preValidation: readNumbersAndBooleans,
      schema: {
        tags: ['Events'],
        summary: 'Events after a cursor, from the beginning',
        description: '`nextCursor` is always given: ask with it for what comes later.',
        querystring: strict({ ...filterFields, ...pageFields }),
        response: readResponses(
          Type.Object({ items: Type.Array(CloudEvent), nextCursor: Type.String() }),
          'UNKNOWN_HQ',
          'UNKNOWN_STORE',
          'INVALID_CURSOR',
        ),
      },
    },
    async (request, reply) => {
      const filter = filterOf(callerOf(request), request.query);
      const { cursor, limit } = pageOf(request.query);
      return sendJson(reply, await service.running.events.page(filter, cursor, limit));
    },
  );
}

function streamRoute(app: RouteScope, service: Service, streams: EventStreams): void {
  app.addHook('preClose', (done) => {
    streams.endAll();
    done();
  });
  app.get(
    '/api/v1/events/stream',
    {
      exposeHeadRoute: false,
      config: { streams: true },
      schema: {
        tags: ['Events'],
        summary: 'Events as they are recorded (text/event-stream)',
        description: 'Resumes after `Last-Event-ID` (or `cursor`); without one, begins now. Comments keep it alive.',
        querystring: strict({ ...filterFields, cursor: Type.Optional(Cursor) }),
        response: textResponses(
          'The stream',
          'text/event-stream',
          'UNKNOWN_HQ',
          'UNKNOWN_STORE',
          'INVALID_CURSOR',
          'OVERLOADED',
        ),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const filter = filterOf(caller, request.query);
      const cursor = cursorOf(request, request.query.cursor);
      const events = service.running.events;
      const ending = streams.begin();
      reply.hijack();
      const expiry = setTimeout(() => ending.abort(), msUntilExpiry(caller, service.running.now())).unref();
      try {
        await writeStream(reply.raw, (signal) => events.follow(filter, cursor, signal), ending);
      } catch (error) {
        request.log.error({ err: error, requestId: request.id }, 'an event stream failed');
      } finally {
        clearTimeout(expiry);
        streams.end(ending);
        reply.raw.end();
      }
    },
  );
}

/** @throws InvalidCursor before anything is sent. */
function cursorOf(request: FastifyRequest, inQuery: string | undefined): string | null {
  const inHeader = request.headers['last-event-id'];
  const cursor = typeof inHeader === 'string' && inHeader !== '' ? inHeader : (inQuery ?? null);
  if (cursor !== null) EventCursor.parse(cursor);
  return cursor;
}

async function writeStream(
  response: ServerResponse,
  follow: (signal: AbortSignal) => AsyncIterable<EventAt>,
  ending: AbortController,
): Promise<void> {
  response.once('close', () => ending.abort());
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    // The stream has its connection for itself: when it ends, so does that.
    connection: 'close',
  });
  response.write('retry: 1000\n: connected\n\n');
  const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS).unref();
  try {
    for await (const { event, cursor } of follow(ending.signal)) {
      const room = response.write(`id: ${cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      if (!room) await drained(response, ending.signal);
      if (ending.signal.aborted) return;
    }
  } finally {
    clearInterval(heartbeat);
  }
}

/** A slow reader is waited for; the feed goes back to the ledger for it. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    if (signal.aborted) return resolve();
    response.once('drain', done);
    signal.addEventListener('abort', done);
  });
}
