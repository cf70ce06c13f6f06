/** Whatever is thrown while a request is answered → one of the errors of the table. */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { CatalogUnavailable } from '../catalog/catalog.ts';
import { NotConfigured } from '../catalog/master-data.ts';
import { InvalidCursor } from '../events/event-feed.ts';
import { LedgerUnavailable } from '../ledger/ledger.ts';
import { InboxFull, InboxUnavailable } from '../ordering/inbox/inbox.ts';
import { HistoryBehind } from '../projections/history-reads.ts';
import { EngineNotOpen } from '../stock/stock-engine.ts';
import { problemAnswer, sendAnswer } from './answer.ts';
import { withoutEntry } from './perform.ts';
import { PROBLEMS, Problem, type ProblemCode, problemBody } from './problems.ts';
import { requestInstance } from './render/refusals.ts';

const OF_FASTIFY: Record<string, ProblemCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'VALIDATION_FAILED',
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_JSON',
  FST_ERR_BAD_URL: 'INVALID_URL',
  FST_ERR_MAX_PARAM_LENGTH: 'INVALID_URL',
};

const ERRORS_NAMED_MAX = 20;

export function sendProblem(reply: FastifyReply, requestId: string, problem: Problem): void {
  const instance = requestInstance(requestId);
  const data = problem.data === undefined ? {} : { data: problem.data };
  sendAnswer(reply, problemAnswer(problem.code, { detail: problem.message, instance, ...data }));
}

export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof NotConfigured && error.execution.status !== 'recorded') {
    sendAnswer(reply, withoutEntry(error.execution, request.id));
    return;
  }
  const problem = problemOf(error, request.method);
  // A caller that hung up in the middle of a file is no failure of ours.
  if (problem.code === 'INTERNAL_ERROR' && !request.raw.socket.destroyed) {
    request.log.error(
      { err: error, requestId: request.id, method: request.method, url: request.url },
      'request failed',
    );
  }
  sendProblem(reply, request.id, problem);
}

function problemOf(error: FastifyError | Error, method: string): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HistoryBehind) return new Problem('HISTORY_BEHIND', `Nothing was read: ${error.message}.`);
  if (error instanceof EngineNotOpen) return new Problem('NOT_READY', `Nothing was read: ${error.message}.`);
  if (error instanceof LedgerUnavailable) return unavailable(error, method);
  if (error instanceof InvalidCursor) return new Problem('INVALID_CURSOR', `${error.message}.`);
  if (error instanceof CatalogUnavailable) return new Problem('NOT_RECORDED', `Nothing was done: ${error.message}.`);
  if (error instanceof InboxUnavailable) return new Problem('NOT_RECORDED', `Nothing was done: ${error.message}.`);
  if (error instanceof InboxFull) return new Problem('OVERLOADED', `Nothing was done: ${error.message}.`);
  if ('validation' in error && error.validation) return invalid(error);
  if ('code' in error && typeof error.code === 'string') {
    const code = OF_FASTIFY[error.code];
    if (code !== undefined) return new Problem(code, error.message);
  }
  // The JSON parser says so by its status alone.
  if ('statusCode' in error && error.statusCode === 400) return new Problem('INVALID_JSON', error.message);
  return new Problem('INTERNAL_ERROR', 'The request could not be answered; the log says why.');
}

/** What only reads has done nothing; whatever else was under way may be recorded, and tells when it is repeated. */
function unavailable(error: LedgerUnavailable, method: string): Problem {
  return method === 'GET' || method === 'HEAD'
    ? new Problem('NOT_READY', `Nothing was read: ${error.message}.`)
    : new Problem('OUTCOME_UNKNOWN', `It cannot be told now: ${error.message}.`);
}

function invalid(error: FastifyError): Problem {
  const part = error.validationContext ?? 'body';
  const errors = (error.validation ?? []).slice(0, ERRORS_NAMED_MAX).map(({ instancePath, message, params }) => {
    const extra = 'additionalProperty' in params ? `: ${String(params.additionalProperty)}` : '';
    return { in: part, path: instancePath, message: `${message ?? 'is not valid'}${extra}` };
  });
  const [first] = errors;
  const where = first === undefined ? part : `${part}${first.path}`;
  return new Problem('VALIDATION_FAILED', `${where} ${first?.message ?? 'is not valid'}`, { errors });
}

/** What Node's parser refuses never becomes a request: it is answered on the bare connection. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code: ProblemCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'HEADERS_TOO_LARGE'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'REQUEST_TIMEOUT'
        : 'VALIDATION_FAILED';
  const body = problemBody(code, {
    detail: 'The request is not HTTP as it is read here.',
    instance: 'urn:holdfast:request:unread',
  });
  const { status } = PROBLEMS[code];
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\nContent-Type: application/problem+json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
