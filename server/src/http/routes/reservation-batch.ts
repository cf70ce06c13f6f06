/** Many reservations in one request: each its own operation, with its own result. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { type Answer, problemAnswer, sendAnswer, success } from '../answer.ts';
import { checked } from '../operation.ts';
import { type Performed, perform } from '../perform.ts';
import { Problem } from '../problems.ts';
import { requestInstance } from '../render/refusals.ts';
import { reserveAnswer } from '../render/reservations.ts';
import { OperationId, readResponses, strict } from '../schemas.ts';
import { callerOf, requireRight } from '../scope.ts';
import type { Service } from '../service.ts';
import { ReserveBody, reserveOperation } from './reservations.ts';

const RESERVATIONS_MAX = 1_000;
const BATCH_BODY_BYTES_MAX = 8 * 1024 * 1024;

const BatchBody = strict({
  reservations: Type.Array(strict({ ...ReserveBody.properties, transactionId: OperationId }), {
    minItems: 1,
    maxItems: RESERVATIONS_MAX,
  }),
});

const BatchResult = Type.Object({
  results: Type.Array(
    Type.Object({
      transactionId: OperationId,
      status: Type.Integer(),
      replayed: Type.Boolean(),
      body: Type.Object({}, { description: 'What the reservation alone would have been answered' }),
    }),
  ),
});

export function reservationBatchRoute(service: Service, path: string): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      path,
      {
        bodyLimit: BATCH_BODY_BYTES_MAX,
        schema: {
          tags: ['Reservations'],
          summary: 'Many reservations at once',
          description: 'Each has its own operation id and its own result, in order; one that fails holds up no other.',
          body: BatchBody,
          response: readResponses(
            BatchResult,
            'INVALID_JSON',
            'BODY_TOO_LARGE',
            'UNSUPPORTED_MEDIA_TYPE',
            'INVALID_OPERATION_ID',
          ),
        },
      },
      async (request, reply) => {
        const { reservations } = request.body;
        for (const { transactionId } of reservations) checked(transactionId);
        requireRight(callerOf(request), 'reserve');
        const results = await Promise.all(
          reservations.map(async (body) => resultText(body.transactionId, await reserveOne(service, request, body))),
        );
        return sendAnswer(reply, success(200, `{"results":[${results.join(',')}]}`));
      },
    );
    done();
  };
}

type Result = Pick<Performed, 'answer' | 'replayed'>;

/** One reservation's own problems are its own result. */
async function reserveOne(
  service: Service,
  request: FastifyRequest,
  body: ReserveBody & { transactionId: string },
): Promise<Result> {
  try {
    return await perform(service, request, reserveOperation(request, body, body.transactionId), reserveAnswer);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { answer: answerOf(error, request.id), replayed: false };
  }
}

function answerOf(problem: Problem, requestId: string): Answer {
  const data = problem.data === undefined ? {} : { data: problem.data };
  return problemAnswer(problem.code, { detail: problem.message, instance: requestInstance(requestId), ...data });
}

/** An operation id needs no escaping, and the answer is JSON already. */
function resultText(transactionId: string, { answer, replayed }: Result): string {
  return `{"transactionId":"${transactionId}","status":${answer.status},"replayed":${replayed},"body":${answer.body}}`;
}
