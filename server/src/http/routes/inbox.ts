/** Events of orders from callers without Kafka: the same messages as on the topics, durable before they are answered. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { Caller } from '../../access/caller.ts';
import { CONSUMED_TOPICS } from '../../events/topics.ts';
import type { OrderMessage, ReadMessage } from '../../ordering/messages/message.ts';
import { sendAnswer, success } from '../answer.ts';
import { Problem } from '../problems.ts';
import { givenCorrelationId } from '../request-ids.ts';
import { handInResponses, strict } from '../schemas.ts';
import { callerOf, requireRight, requireWholeHq } from '../scope.ts';
import type { Service } from '../service.ts';

const KEY_LENGTH_MAX = 128;
/** Of a message that is read before it has a place in the inbox. */
const NO_PLACE = { partition: 0, offset: 0n };
const NO_HEADERS: ReadonlyMap<string, string> = new Map();
const CORRELATION_HEADER = 'x-correlation-id';

const EventBody = strict({
  topic: Type.Union(
    CONSUMED_TOPICS.map((topic) => Type.Literal(topic)),
    { description: 'Without TOPIC_PREFIX, whatever the installation calls it' },
  ),
  key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: KEY_LENGTH_MAX,
      pattern: '^[^\\p{Cc}\\p{Cs}]*$',
      description: "What its order is kept by; without, the order's id (the product's of sku.created)",
    }),
  ),
  message: Type.Object(
    {},
    {
      additionalProperties: true,
      description: 'The event: a CloudEvent 1.0, or { eventId, eventType, timestamp, data }',
    },
  ),
});

const Accepted = Type.Object({
  id: Type.String({ description: "The event's own id" }),
  topic: Type.String(),
  key: Type.String(),
});

export function inboxRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/api/v1/events',
      {
        schema: {
          tags: ['Events'],
          summary: 'Hand in an event of an order, as if it had come from Kafka',
          description:
            'Answered once it is stored; what becomes of it is told by events. It needs no operation id: an event that is handed in again has no second effect.',
          body: EventBody,
          response: handInResponses({ 202: Accepted }, 'UNREADABLE_EVENT', 'OUTCOME_UNKNOWN'),
        },
      },
      async (request, reply) => {
        const caller = callerOf(request);
        requireRight(caller, 'post-events');
        requireWholeHq(caller);
        const { inbox, readMessage, now } = service.running;
        const { topic, key, message } = request.body;
        const text = JSON.stringify(message);
        const at = now();
        const given = givenCorrelationId(request.headers);
        const headers = given === null ? NO_HEADERS : new Map([[CORRELATION_HEADER, given]]);
        const event = { topic, key: key ?? null, value: Buffer.from(text), headers, at };
        const read = readable(readMessage, { ...NO_PLACE, ...event });
        requireOwn(caller, read);
        const kept = read.correlationId === given ? JSON.stringify(correlated(message, given)) : text;
        await inbox.put({ topic, key: read.key, text: kept, at });
        sendAnswer(reply, success(202, JSON.stringify({ id: read.eventId, topic, key: read.key })));
      },
    );
    done();
  };
}

/** @throws Problem: whoever hands in an event learns at once that it cannot be read, and it becomes no dead letter */
function readable(readMessage: ReadMessage, message: Parameters<ReadMessage>[0]): OrderMessage {
  const read = readMessage(message);
  if (read.ok) return read.message;
  throw new Problem('UNREADABLE_EVENT', `Nothing was stored: ${read.reason}.`, { reasonCode: read.code });
}

/** The inbox keeps no headers: what the event does not say itself is written where its envelope would have it. */
function correlated(message: object, id: string): object {
  return 'specversion' in message ? { ...message, correlationid: id } : { ...message, correlationId: id };
}

/** @throws Problem 403 */
function requireOwn(caller: Caller, { body }: OrderMessage): void {
  if (caller.hqId !== null && caller.hqId !== body.hqId) {
    throw new Problem('FORBIDDEN', `This token is for the HQ ${caller.hqId}; the event concerns another one.`);
  }
}
