import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction, onRequestHookHandler } from 'fastify';
import type { Caller } from '../access/caller.ts';
import type { TokenVerifier } from '../access/tokens.ts';
import { sendProblem } from './errors.ts';
import { Problem } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers without a token. */
    open?: boolean;
  }
}

const BEARER = /^Bearer +([^\s]+) *$/i;

/**
 * Who asks, before the body is read. A token that was verified before costs one look into a map, and not even that on a
 * connection that says the same as before: to find 300 characters in a map costs a twenty-fifth of a read of stock.
 */
export function authentication(verifier: TokenVerifier): onRequestHookHandler {
  const lastOf = new WeakMap<Socket, { header: string; caller: Caller }>();
  return (request, reply, done) => {
    const header = request.headers.authorization ?? '';
    const { socket } = request.raw;
    const last = lastOf.get(socket);
    if (last !== undefined && last.header === header && verifier.isCurrent(last.caller)) {
      request.caller = last.caller;
      done();
      return;
    }
    const admitted = (caller: Caller | null) => {
      if (caller !== null) lastOf.set(socket, { header, caller });
      admit(caller, request, reply, done);
    };
    const token = BEARER.exec(header)?.[1];
    const verified = token === undefined ? null : verifier.verify(token);
    if (!(verified instanceof Promise)) {
      admitted(verified);
      return;
    }
    verified.then(admitted, (error: Error) => done(error));
  };
}

function admit(
  caller: Caller | null,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  if (caller !== null) {
    request.caller = caller;
    done();
    return;
  }
  reply.header('www-authenticate', 'Bearer');
  const detail = 'Send a valid token: Authorization: Bearer <token>. `holdfast token` makes one.';
  sendProblem(reply, request.id, new Problem('UNAUTHENTICATED', detail));
}
