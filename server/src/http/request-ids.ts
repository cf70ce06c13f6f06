import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const SANE_ID = /^[A-Za-z0-9._:/-]{1,128}$/;

/** Request ids: the caller's if it is sane, else a counter behind a prefix of this process (no random bytes each). */
export class RequestIds {
  readonly #prefix = `req-${randomBytes(6).toString('hex')}-`;
  #count = 0;

  of(request: IncomingMessage): string {
    const given = request.headers['x-request-id'];
    if (typeof given === 'string' && SANE_ID.test(given)) return given;
    this.#count += 1;
    return this.#prefix + this.#count.toString(36);
  }
}

/** What ties a command to a conversation: the caller's correlation id, else the request's id. */
export function correlationIdOf(headers: IncomingMessage['headers'], requestId: string): string {
  return givenCorrelationId(headers) ?? requestId;
}

/** Null: none is given that may be kept. */
export function givenCorrelationId(headers: IncomingMessage['headers']): string | null {
  const given = headers['x-correlation-id'];
  return typeof given === 'string' && SANE_ID.test(given) ? given : null;
}
