import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

declare module 'fastify' {
  interface FastifyInstance {
    requestLog: Logger;
  }
}

/** Where lines about a request go; each names the request by its id. */
export function logOf(request: FastifyRequest): Logger {
  return request.server.requestLog;
}
