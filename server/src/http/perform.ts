import type { FastifyRequest } from 'fastify';
import type { Execution } from '../recording/command-executor.ts';
import type { Command } from '../stock/commands.ts';
import type { Entry, Hold, Provenance } from '../stock/entry.ts';
import type { Outcome } from '../stock/outcome.ts';
import { type Answer, problemAnswer } from './answer.ts';
import type { ProblemCode } from './problems.ts';
import { entryInstance, refusalAnswer, requestInstance } from './render/refusals.ts';
import { correlationIdOf } from './request-ids.ts';
import { callerOf } from './scope.ts';
import type { Service } from './service.ts';

export interface Operation {
  hqId: string;
  operationId: string | null;
  fingerprint: string | null;
  command: Command;
}

/** How a success of one route is answered: from its entry alone. */
export type RenderEntry = (entry: Entry) => Answer;
/** How what has no entry of its own is answered; only releases and refusals have none. */
export type RenderObserved = (outcome: Outcome, hold: Hold | null) => Answer;

export interface Performed {
  answer: Answer;
  /** The entry was recorded before this request. */
  replayed: boolean;
  execution: Execution;
}

export function provenanceOf(request: FastifyRequest): Provenance {
  const { subject, role } = callerOf(request);
  return {
    actor: { subject, role, address: request.ip },
    origin: 'http',
    correlationId: correlationIdOf(request.headers, request.id),
    causationId: null,
  };
}

export async function perform(
  service: Service,
  request: FastifyRequest,
  operation: Operation,
  render: RenderEntry,
  renderObserved?: RenderObserved,
): Promise<Performed> {
  const { actor, origin, correlationId, causationId } = provenanceOf(request);
  const { hqId, operationId, fingerprint, command } = operation;
  // With the database away a command would be decided, and nobody could say whether it is recorded.
  const execution = await service.filled.executor.execute({
    hqId,
    operationId,
    fingerprint,
    command,
    actor,
    origin,
    correlationId,
    causationId,
  });
  if (execution.status === 'recorded') {
    const { entry, replayed } = execution;
    const answer = refusalAnswer(entry.outcome, entryInstance(entry)) ?? render(entry);
    return { answer, replayed, execution };
  }
  return { answer: withoutEntry(execution, request.id, renderObserved), replayed: false, execution };
}

const UNAVAILABLE: Record<Extract<Execution, { status: 'unavailable' }>['reason'], [ProblemCode, string]> = {
  overloaded: ['OVERLOADED', 'Nothing was done: more commands wait to be recorded than are let in.'],
  'window-full': ['OVERLOADED', 'Nothing was done: more operation ids are remembered than there is room for.'],
  'not-open': ['NOT_READY', 'Nothing was done: the stock is being loaded.'],
  'look-up-failed': ['NOT_READY', 'Nothing was done: what was recorded before could not be read.'],
  discarded: ['NOT_RECORDED', 'Nothing was done: the ledger could not record the command.'],
};

/** What is answered when there is no entry to answer from. */
export function withoutEntry(
  execution: Exclude<Execution, { status: 'recorded' }>,
  requestId: string,
  renderObserved?: RenderObserved,
): Answer {
  const instance = requestInstance(requestId);
  switch (execution.status) {
    case 'observed': {
      const answer = refusalAnswer(execution.outcome, instance) ?? renderObserved?.(execution.outcome, execution.hold);
      if (answer === undefined) throw new Error(`the outcome ${execution.outcome.status} came without an entry`);
      return answer;
    }
    case 'mismatch':
      return problemAnswer('IDEMPOTENCY_MISMATCH', {
        detail: 'This operation id was used for a request with another body or of another route.',
        instance,
      });
    case 'unavailable': {
      const [code, detail] = UNAVAILABLE[execution.reason];
      return problemAnswer(code, { detail, instance });
    }
    case 'unknown':
      return problemAnswer('OUTCOME_UNKNOWN', {
        detail: 'The command was decided; whether it was recorded is not known. Repeat it with the same operation id.',
        instance,
      });
  }
}
