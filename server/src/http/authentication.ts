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

/** Who asks, before the body is read. A token that was verified before costs one look into a map. */
export function authentication(verifier: TokenVerifier): onRequestHookHandler {
  return (request, reply, done) => {
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const verified = token === undefined ? null : verifier.verify(token);
    if (!(verified instanceof Promise)) {
      admit(verified, request, reply, done);
      return;
    }
    verified.then(
      (caller) => admit(caller, request, reply, done),
      (error: Error) => done(error),
    );
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
