/** Messages of consumed topics that could not be handled: read, corrected, handled again, dropped. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Caller } from '../../access/caller.ts';
import { CONSUMED_TOPICS } from '../../events/topics.ts';
import { type DeadLetter, LETTER_STATUSES } from '../../ordering/letters/dead-letters.ts';
import { sendJson } from '../answer.ts';
import { Problem } from '../problems.ts';
import { instantOf, pageOf, readNumbersAndBooleans } from '../query.ts';
import { hqField, Instant, nullable, page, pageFields, readResponses, strict, writeResponses } from '../schemas.ts';
import { callerOf, requireRight, requireWholeHq } from '../scope.ts';
import type { Service } from '../service.ts';
import type { RouteScope } from './administration.ts';

/** A payload of 1 MiB as a JSON text, its quotes escaped. */
const BODY_BYTES_MAX = 4 * 1_048_576;
const KEY_LENGTH_MAX = 4_096;

const PATH = '/api/v1/admin/dead-letters';
const TAGS = ['Dead letters'];

const Topic = Type.Enum([...CONSUMED_TOPICS]);
const Status = Type.Enum([...LETTER_STATUSES]);
const Letter = Type.Object({
  id: Type.String(),
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer(),
  key: nullable(Type.String()),
  hqId: nullable(Type.String()),
  orderId: nullable(Type.String()),
  eventId: nullable(Type.String()),
  code: Type.String(),
  reason: Type.String(),
  attempts: Type.Integer(),
  status: Status,
  corrected: Type.Boolean(),
  receivedAt: Instant,
  changedBy: nullable(
    Type.String({
      description:
        'The token subject that corrected, redrove or dropped it last; of one that followed, whom it followed',
    }),
  ),
  changedAt: nullable(Instant),
  headers: Type.Record(Type.String(), Type.String()),
  payload: Type.Any(),
  payloadForm: Type.Enum(['json', 'text', 'base64', 'none', 'hidden', 'encrypted'], {
    description: 'What payload is; hidden: the token does not see every HQ; encrypted: the key is not known here',
  }),
});
const Redriven = Type.Object({
  letter: Letter,
  followed: Type.Integer({ description: 'Letters that waited behind it and have their effect too' }),
});
const params = strict({ id: Type.String({ minLength: 1, maxLength: 64 }) });

export function deadLetterRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    listRoute(app, service);
    getRoute(app, service);
    correctRoute(app, service);
    redriveRoute(app, service);
    dropRoute(app, service);
    done();
  };
}

/** @throws Problem 403 */
function admitted(request: FastifyRequest): Caller {
  const caller = callerOf(request);
  requireRight(caller, 'dead-letters');
  requireWholeHq(caller);
  return caller;
}

/** @throws Problem 404: there is none, or it is another HQ's */
async function letterFor(service: Service, caller: Caller, id: string): Promise<DeadLetter> {
  const letter = await service.running.letterDesk.letters.get(id);
  const foreign = caller.hqId !== null && letter !== null && letter.hqId !== null && letter.hqId !== caller.hqId;
  if (letter === null || foreign) throw new Problem('UNKNOWN_DEAD_LETTER', `There is no dead letter ${id}.`, { id });
  return letter;
}

/** @throws Problem also 403: nobody knows whose stock a letter is about that names no HQ */
async function letterToChange(service: Service, caller: Caller, id: string): Promise<DeadLetter> {
  const letter = await letterFor(service, caller, id);
  if (caller.hqId === null || letter.hqId !== null) return letter;
  throw new Problem('FORBIDDEN', `The letter ${id} names no HQ: only a token that sees every HQ may change it.`);
}

function notParked({ id, status }: DeadLetter): Problem {
  const data = { id, letterStatus: status };
  if (status === 'parked') return new Problem('DEAD_LETTER_BUSY', `The letter ${id} is being redriven now.`, data);
  const what = status === 'waiting' ? 'waits behind another one of its key: redrive or drop that' : `was ${status}`;
  return new Problem('DEAD_LETTER_NOT_PARKED', `The letter ${id} ${what}.`, data);
}

/** Who did what, for those who have to answer for it. */
function note(request: FastifyRequest, letter: DeadLetter, did: string, more: object = {}): void {
  const { subject, role, hqId } = callerOf(request);
  const actor = { subject, role, hqId, address: request.ip };
  request.log.info({ letter: letter.id, actor, requestId: request.id, ...more }, `dead letter ${did}`);
}

function listRoute(app: RouteScope, service: Service): void {
  app.get(
    PATH,
    {
      preValidation: readNumbersAndBooleans,
      schema: {
        tags: TAGS,
        summary: 'Messages that could not be handled, newest first',
        description: 'A page may hold fewer than its limit where payloads are large.',
        querystring: strict({
          ...hqField,
          topic: Type.Optional(Topic),
          key: Type.Optional(Type.String({ minLength: 1, maxLength: KEY_LENGTH_MAX })),
          status: Type.Optional(Status),
          from: Type.Optional(Instant),
          ...pageFields,
        }),
        response: readResponses(page(Letter), 'UNKNOWN_HQ', 'INVALID_CURSOR'),
      },
    },
    async (request, reply) => {
      const { topic, key, status, from } = request.query;
      const since = from === undefined ? {} : { from: instantOf('from', from) };
      const { hqId } = admitted(request);
      const named = request.query.hqId;
      if (hqId !== null && named !== undefined && named !== hqId)
        throw new Problem('UNKNOWN_HQ', `There is no HQ ${named}.`);
      const { letterDesk } = service.running;
      const { items, nextCursor } = await letterDesk.letters.list({
        hqId: hqId ?? named ?? null,
        ...(topic === undefined ? {} : { topic }),
        ...(key === undefined ? {} : { key }),
        ...(status === undefined ? {} : { status }),
        ...since,
        ...pageOf(request.query),
      });
      return sendJson(reply, { items: items.map((letter) => letterDesk.shown(letter, hqId)), nextCursor });
    },
  );
}

function getRoute(app: RouteScope, service: Service): void {
  app.get(
    `${PATH}/:id`,
    {
      schema: {
        tags: TAGS,
        summary: 'One message that could not be handled',
        params,
        response: readResponses(Letter, 'UNKNOWN_DEAD_LETTER'),
      },
    },
    async (request, reply) => {
      const caller = admitted(request);
      const letter = await letterFor(service, caller, request.params.id);
      return sendJson(reply, service.running.letterDesk.shown(letter, caller.hqId));
    },
  );
}

function correctRoute(app: RouteScope, service: Service): void {
  app.put(
    `${PATH}/:id`,
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags: TAGS,
        summary: 'Put another message in the place of a parked one',
        description: 'The whole message, as its producer should have sent it. It is not handled before it is redriven.',
        params,
        body: strict({ payload: Type.Object({}, { additionalProperties: true }) }),
        response: writeResponses(
          { 200: Letter },
          'UNKNOWN_DEAD_LETTER',
          'DEAD_LETTER_NOT_PARKED',
          'DEAD_LETTER_BUSY',
          'DEAD_LETTER_UNREADABLE',
        ),
      },
    },
    async (request, reply) => {
      const caller = admitted(request);
      const { letterDesk } = service.running;
      const letter = await letterToChange(service, caller, request.params.id);
      if (letter.status !== 'parked') throw notParked(letter);
      const value = new TextEncoder().encode(JSON.stringify(request.body.payload));
      const corrected = await letterDesk.correct(letter, value, caller);
      if (corrected.status === 'unreadable') {
        const { code, reason } = corrected;
        throw new Problem('DEAD_LETTER_UNREADABLE', `Nothing was changed: ${reason}.`, { reasonCode: code });
      }
      if (corrected.status === 'foreign-hq')
        throw new Problem('FORBIDDEN', `The message is about the HQ ${corrected.hqId}, which this token does not see.`);
      const now = await letterFor(service, caller, letter.id);
      if (corrected.status === 'not-parked') throw notParked(now);
      note(request, letter, 'corrected');
      return sendJson(reply, letterDesk.shown(now, caller.hqId));
    },
  );
}

function redriveRoute(app: RouteScope, service: Service): void {
  app.post(
    `${PATH}/:id/redrive`,
    {
      schema: {
        tags: TAGS,
        summary: 'Handle a parked message again, then those that wait behind it',
        description:
          'Needs no operation id: a message has its effect once, however often it is redriven. The letter tells by its status what became of it.',
        params,
        response: writeResponses(
          { 200: Redriven },
          'UNKNOWN_DEAD_LETTER',
          'DEAD_LETTER_NOT_PARKED',
          'DEAD_LETTER_BUSY',
        ),
      },
    },
    async (request, reply) => {
      const caller = admitted(request);
      const { letterDesk } = service.filled;
      const letter = await letterToChange(service, caller, request.params.id);
      if (letter.status !== 'parked') throw notParked(letter);
      const redriven = await letterDesk.redrive(letter.id, caller.subject);
      if (redriven.status === 'away') throw new Problem('NOT_READY', `Nothing was done: ${redriven.reason}.`);
      const now = await letterFor(service, caller, letter.id);
      if (redriven.status === 'not-claimed') throw notParked(now);
      const followed = redriven.status === 'redriven' ? redriven.followed : 0;
      note(request, letter, 'redriven', { became: redriven.status, followed });
      return sendJson(reply, { letter: letterDesk.shown(now, caller.hqId), followed });
    },
  );
}

function dropRoute(app: RouteScope, service: Service): void {
  app.delete(
    `${PATH}/:id`,
    {
      schema: {
        tags: TAGS,
        summary: 'Give a parked message up; those that wait behind it follow',
        description: 'It stays listed as `dropped`. A letter that is dropped already is answered the same.',
        params,
        response: writeResponses({ 200: Letter }, 'UNKNOWN_DEAD_LETTER', 'DEAD_LETTER_NOT_PARKED', 'DEAD_LETTER_BUSY'),
      },
    },
    async (request, reply) => {
      const caller = admitted(request);
      const { letterDesk } = service.filled;
      const letter = await letterToChange(service, caller, request.params.id);
      const dropped = letter.status === 'parked' && (await letterDesk.drop(letter, caller.subject));
      const now = await letterFor(service, caller, letter.id);
      if (now.status !== 'dropped') throw notParked(now);
      if (dropped) note(request, letter, 'dropped');
      return sendJson(reply, letterDesk.shown(now, caller.hqId));
    },
  );
}
