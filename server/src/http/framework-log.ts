import { type FastifyRequest, LogController } from 'fastify';
import type { Logger } from 'pino';

/**
 * What Fastify has to say of its own accord, in our log and in our words: its own lines would hold whole requests, tokens
 * included. Of requests that went well or were refused it says nothing: `observation.ts` tells of those.
 */
export class FrameworkLog extends LogController {
  readonly #log: Logger;

  constructor(log: Logger) {
    super();
    this.#log = log;
  }

  override incomingRequest(): void {}

  override requestCompleted(): void {}

  override routeNotFound(): void {}

  override streamError(error: NodeJS.ErrnoException, request: FastifyRequest): void {
    // The caller hung up.
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    this.#log.warn(about(error, request), 'an answer broke off after it had begun');
  }

  override defaultErrorLog(error: Error, request: FastifyRequest): void {
    this.#log.error(about(error, request), 'an error could not be answered as a problem');
  }

  override writeHeadError(error: Error, request: FastifyRequest): void {
    this.#log.error(about(error, request), 'the headers of an answer could not be sent');
  }

  override serializerError(error: Error, request: FastifyRequest): void {
    this.#log.error(about(error, request), 'an answer did not fit its schema');
  }
}

function about(error: Error, { id, method, url }: FastifyRequest): object {
  return { err: error, requestId: id, method, url };
}
