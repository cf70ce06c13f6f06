/** Events as a stream for programs that speak WebSocket: what server-sent events are, with another frame around it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import websocket, { type WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { EventCursor } from '../../events/event-cursor.ts';
import type { EventAt } from '../../events/event-feed.ts';
import { type EventStreams, type FilterQuery, filterFields, filterOf, msUntilExpiry } from '../event-streams.ts';
import { Problem } from '../problems.ts';
import { Cursor, problemsOfARead, strict } from '../schemas.ts';
import { callerOf } from '../scope.ts';
import type { Service } from '../service.ts';

export const EVENT_SOCKET_PATH = '/api/v1/events/ws';

const PING_MS = 15_000;
/** Of what a subscriber has not taken yet; the kernel keeps some more. */
const UNSENT_BYTES_MAX = 1024 * 1024;
/** A subscriber that takes nothing for so long is let go. */
const STALLED_MS = 5_000;
const STALLED_CHECK_MS = 20;
/** For the last words; then the connection is cut. */
const CLOSING_MS = 2_000;
/** Nothing is expected from subscribers. */
const RECEIVED_BYTES_MAX = 1_024;

/** Codes of RFC 6455 and of its registry. */
const CLOSE = { goingAway: 1001, notAllowed: 1008, internal: 1011, tryAgainLater: 1013 };

interface SocketQuery extends FilterQuery {
  cursor?: string;
}

/** A scope of its own, so that the hooks of the plugin see no other route. */
export function eventSocketRoute(service: Service, streams: EventStreams): FastifyPluginAsyncTypebox {
  return async (app) => {
    await app.register(websocket, {
      options: { maxPayload: RECEIVED_BYTES_MAX },
      preClose(done) {
        streams.endAll();
        done();
      },
    });
    app.addHook('onRequest', (request, reply, done) => {
      // Whoever is refused loses the connection as well.
      if (request.ws) reply.header('connection', 'close');
      done();
    });
    app.route({
      method: 'GET',
      url: EVENT_SOCKET_PATH,
      exposeHeadRoute: false,
      config: { streams: true },
      schema: {
        tags: ['Events'],
        summary: 'Events as they are recorded (WebSocket)',
        description:
          'Each message is `{ "cursor": …, "event": … }`. Resumes after `cursor`; without one, begins now. Nothing is read from the client.',
        querystring: strict({ ...filterFields, cursor: Type.Optional(Cursor) }),
        response: {
          101: { description: 'The connection speaks WebSocket' },
          ...problemsOfARead('UNKNOWN_HQ', 'UNKNOWN_STORE', 'INVALID_CURSOR', 'UPGRADE_REQUIRED'),
        },
      },
      preHandler: (request, _reply, done) => {
        subscriptionOf(service, request);
        done();
      },
      handler: (_request, reply) => {
        reply.header('upgrade', 'websocket');
        throw new Problem('UPGRADE_REQUIRED', 'Ask with `Connection: Upgrade` and `Upgrade: websocket`.');
      },
      wsHandler: async (socket, request) => {
        try {
          await new Subscriber(socket, streams.begin()).follow(service, request, streams);
        } catch (error) {
          if (error instanceof Problem) socket.close(CLOSE.tryAgainLater, error.message);
          else {
            request.log.error({ err: error, requestId: request.id }, 'a socket failed');
            socket.close(CLOSE.internal, 'the events could not be read; the log of the server says why');
          }
        }
      },
    });
  };
}

/** @throws Problem, InvalidCursor: answered before the connection is taken over */
function subscriptionOf(service: Service, request: FastifyRequest) {
  const query = request.query as SocketQuery;
  const cursor = query.cursor ?? null;
  if (cursor !== null) EventCursor.parse(cursor);
  const caller = callerOf(request);
  return { caller, cursor, filter: filterOf(caller, query), running: service.running };
}

class Subscriber {
  readonly #socket: WebSocket;
  readonly #ending: AbortController;
  #isAlive = true;

  constructor(socket: WebSocket, ending: AbortController) {
    this.#socket = socket;
    this.#ending = ending;
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    socket.once('close', () => ending.abort());
  }

  async follow(service: Service, request: FastifyRequest, streams: EventStreams): Promise<void> {
    const { signal } = this.#ending;
    const heartbeat = setInterval(() => this.#ping(), PING_MS).unref();
    let expiry: NodeJS.Timeout | undefined;
    try {
      const { caller, cursor, filter, running } = subscriptionOf(service, request);
      const expire = () => this.#close(CLOSE.notAllowed, 'the token has expired');
      expiry = setTimeout(expire, msUntilExpiry(caller, running.now())).unref();
      await this.#send(running.events.follow(filter, cursor, signal));
      this.#close(CLOSE.goingAway, 'the server stops; resume after the last cursor');
    } finally {
      clearInterval(heartbeat);
      clearTimeout(expiry);
      streams.end(this.#ending);
    }
  }

  async #send(events: AsyncIterable<EventAt>): Promise<void> {
    const { signal } = this.#ending;
    for await (const { event, cursor } of events) {
      if (signal.aborted) return;
      this.#socket.send(JSON.stringify({ cursor, event }));
      if (this.#socket.bufferedAmount > UNSENT_BYTES_MAX && !(await this.#drained())) {
        this.#close(CLOSE.tryAgainLater, 'too slow; resume after the last cursor');
        return;
      }
    }
  }

  /** A slow reader is waited for, the feed goes back to the ledger for it; one that has stopped reading is not. */
  async #drained(): Promise<boolean> {
    let left = this.#socket.bufferedAmount;
    let since = performance.now();
    while (left > UNSENT_BYTES_MAX / 2) {
      await delay(STALLED_CHECK_MS);
      if (this.#ending.signal.aborted) return true;
      const now = this.#socket.bufferedAmount;
      if (now < left) since = performance.now();
      else if (performance.now() - since > STALLED_MS) return false;
      left = now;
    }
    return true;
  }

  #ping(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }

  /** The first reason counts. */
  #close(code: number, reason: string): void {
    this.#ending.abort();
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.close(code, reason);
    const cut = setTimeout(() => this.#socket.terminate(), CLOSING_MS);
    this.#socket.once('close', () => clearTimeout(cut));
  }
}
