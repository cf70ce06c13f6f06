import type { FastifyReply } from 'fastify';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode, problemBody, RETRY_AFTER_SECONDS } from './problems.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * A whole answer as text. That of a recorded command is a pure function of its entry, so that a replay, from any
 * process and after any restart, is the same byte for byte.
 */
export interface Answer {
  status: number;
  body: string;
  problem: boolean;
  /** The version of the one level that the command wrote. */
  version?: number;
}

export function success(status: number, body: string, version?: number): Answer {
  return version === undefined ? { status, body, problem: false } : { status, body, problem: false, version };
}

export function problemAnswer(
  code: ProblemCode,
  parts: { detail: string; instance: string; data?: Record<string, unknown> },
): Answer {
  return { status: PROBLEMS[code].status, body: problemBody(code, parts), problem: true };
}

/** Gives nothing back: a handler that returns its reply makes Fastify watch the connection for its end, at a cost. */
export function sendAnswer(reply: FastifyReply, answer: Answer): void {
  reply.statusCode = answer.status;
  if (answer.version !== undefined) reply.header('etag', `"${answer.version}"`);
  if (answer.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  reply.header('content-type', answer.problem ? PROBLEM_TYPE : JSON_TYPE);
  reply.send(answer.body);
}

export function sendJson(reply: FastifyReply, body: unknown): void {
  sendAnswer(reply, success(200, JSON.stringify(body)));
}
