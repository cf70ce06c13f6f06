/** Reservations: make, look up, confirm, extend, release. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Caller } from '../../access/caller.ts';
import { type Item, sumItems } from '../../stock/commands.ts';
import type { Hold } from '../../stock/entry.ts';
import { newReservationId, partitionOf } from '../../stock/identifiers.ts';
import { TTL_MS_DEFAULT } from '../../stock/limits.ts';
import { type Answer, sendAnswer, success } from '../answer.ts';
import { fingerprintOf, optionalOperationId, requiredOperationId } from '../operation.ts';
import { type Operation, type Performed, perform } from '../perform.ts';
import { Problem } from '../problems.ts';
import { confirmAnswer, extendAnswer, holdOf, holdText, releaseAnswer, reserveAnswer } from '../render/reservations.ts';
import {
  commandResponses,
  hqField,
  Id,
  Instant,
  lines,
  Money,
  nullable,
  OperationId,
  operationField,
  Quantity,
  readResponses,
  Sum,
  strict,
  Ttl,
} from '../schemas.ts';
import { callerOf, requireHq, requireRight, requireStore } from '../scope.ts';
import type { Service } from '../service.ts';

const ReserveItem = strict({
  productId: Id,
  quantity: Quantity,
  price: Type.Optional(Money),
  storeId: Type.Optional(Id),
});

export const ReserveBody = strict({
  ...hqField,
  storeId: Type.Optional(Id),
  ...operationField,
  ttlMs: Type.Optional(Ttl),
  items: lines(ReserveItem),
});
export type ReserveBody = Static<typeof ReserveBody>;

const Reserved = Type.Object({
  reservationId: Id,
  expiresAt: Instant,
  items: Type.Array(Type.Object({ productId: Id, reserved: Sum, storeId: Type.Optional(Id) })),
});

const reservationFields = {
  reservationId: Id,
  transactionId: OperationId,
  hqId: Id,
  storeId: Id,
  status: Type.Union(
    (['active', 'partly_confirmed', 'confirmed', 'released', 'expired'] as const).map((status) => Type.Literal(status)),
  ),
  orderId: nullable(Id),
  createdAt: Instant,
  expiresAt: Instant,
  items: Type.Array(
    Type.Object({
      productId: Id,
      storeId: Id,
      reserved: Type.Integer(),
      confirmed: Type.Integer(),
      released: Type.Integer(),
    }),
  ),
};
const Reservation = Type.Object(reservationFields);
const Confirmed = Type.Object({ ...reservationFields, late: Type.Boolean() });
const Released = Type.Object({ success: Type.Literal(true), message: Type.String() });

const ConfirmBody = strict({
  ...hqField,
  orderId: Id,
  items: Type.Optional(lines(strict({ productId: Id, quantity: Quantity, storeId: Type.Optional(Id) }))),
  keepRest: Type.Optional(Type.Boolean()),
  ...operationField,
});
const ExtendBody = strict({ ...hqField, ttlMs: Ttl, ...operationField });
const ReleaseBody = Type.Union([strict({ ...hqField, ...operationField }), Type.Null()]);
const ReservationPath = strict({ reservationId: Id });
const HqQuery = strict(hqField);

/** The address of a reservation at which the caller's command on it is decided. */
interface HoldAddress {
  hqId: string;
  /** The hold, when it had to be looked for; it may have changed since. */
  hold: Hold | null;
}

export function reservationRoutes(service: Service, prefix: string): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    const tags = ['Reservations'];
    app.post(
      prefix,
      {
        schema: {
          tags,
          summary: 'Reserve stock',
          description: 'All lines or none. Not enough: 409 with `lines`, and nothing is held.',
          body: ReserveBody,
          response: commandResponses(
            { 201: Reserved },
            'HQ_REQUIRED',
            'STORE_REQUIRED',
            'OPERATION_ID_REQUIRED',
            'UNKNOWN_HQ',
            'UNKNOWN_STORE',
            'UNKNOWN_PRODUCT',
            'INSUFFICIENT_STOCK',
          ),
        },
      },
      async (request, reply) => {
        const operation = reserveOperation(
          request,
          request.body,
          requiredOperationId(request, request.body.transactionId),
        );
        return sendPerformed(reply, await perform(service, request, operation, reserveAnswer));
      },
    );
    lookUpRoute(app, service, prefix);
    confirmRoute(app, service, prefix);
    extendRoute(app, service, prefix);
    releaseRoute(app, service, prefix);
    done();
  };
}

type RouteScope = Parameters<FastifyPluginCallbackTypebox>[0];

/** What a reserve asks, checked in the order of the contract. Its id is made here: one of a refused request is lost. */
export function reserveOperation(request: FastifyRequest, body: ReserveBody, operationId: string): Operation {
  const caller = callerOf(request);
  const storeId = body.storeId ?? caller.storeId;
  if (storeId === null) throw new Problem('STORE_REQUIRED', 'Name the store that sells: storeId.');
  const hqId = requireHq(caller, 'reserve', body.hqId);
  requireStore(caller, storeId);
  const items = sumItems(body.items.map((item) => itemOf(caller, item, storeId)));
  return {
    hqId,
    operationId,
    fingerprint: fingerprintOf('reserve', body.storeId === undefined ? storeId : '', body),
    command: {
      type: 'reserve',
      reservationId: newReservationId(partitionOf(hqId, storeId)),
      storeId,
      transactionId: operationId,
      ttlMs: body.ttlMs ?? TTL_MS_DEFAULT,
      items,
    },
  };
}

function itemOf(caller: Caller, item: Static<typeof ReserveItem>, storeId: string): Item {
  const { productId, quantity, price } = item;
  if (item.storeId !== undefined) requireStore(caller, item.storeId);
  const at = item.storeId ?? storeId;
  return price === undefined ? { storeId: at, productId, quantity } : { storeId: at, productId, quantity, price };
}

export function sendPerformed(reply: FastifyReply, { answer, replayed }: Performed): void {
  if (replayed) reply.header('idempotent-replayed', 'true');
  sendAnswer(reply, answer);
}

function lookUpRoute(app: RouteScope, service: Service, prefix: string): void {
  app.get(
    `${prefix}/:reservationId`,
    {
      schema: {
        tags: ['Reservations'],
        summary: 'A reservation, also long after it is closed',
        params: ReservationPath,
        querystring: HqQuery,
        response: readResponses(Reservation, 'UNKNOWN_HQ', 'UNKNOWN_RESERVATION', 'HISTORY_BEHIND', 'NOT_RECORDED'),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      requireRight(caller, 'read');
      const found = await findReservation(service, request.params.reservationId);
      const hqId = caller.hqId ?? request.query.hqId ?? found?.hqId;
      if (request.query.hqId !== undefined) requireHq(caller, 'read', request.query.hqId);
      if (found === null || found.hqId !== hqId || !mayLookAt(caller, found.hold)) throw unknownReservation();
      return sendAnswer(reply, success(200, holdText(found.hqId, found.hold)));
    },
  );
}

/** From the engine, once what it answers from is recorded; else from the history. */
async function findReservation(service: Service, reservationId: string): Promise<{ hqId: string; hold: Hold } | null> {
  const { engine, executor, history } = service.filled;
  const held = await engine.hold(reservationId);
  if (held === null) return history.reservation(reservationId);
  if (await executor.settled(held.head)) return held;
  throw new Problem('NOT_RECORDED', 'What is known of the reservation could not be recorded; ask again.');
}

function mayLookAt(caller: Caller, hold: Hold): boolean {
  return caller.storeId === null || caller.storeId === hold.storeId;
}

function unknownReservation(): Problem {
  return new Problem('UNKNOWN_RESERVATION', 'There is no such reservation.');
}

/** @throws Problem as the order of checks asks; a token that sees every HQ need not name the reservation's. */
async function addressOf(
  service: Service,
  caller: Caller,
  reservationId: string,
  named: string | undefined,
): Promise<HoldAddress> {
  requireRight(caller, 'reserve');
  if (caller.hqId !== null || named !== undefined) {
    return { hqId: requireHq(caller, 'reserve', named), hold: null };
  }
  const found = await findReservation(service, reservationId);
  if (found === null) throw unknownReservation();
  return found;
}

function scopeOf(caller: Caller): { storeScope?: string } {
  return caller.storeId === null ? {} : { storeScope: caller.storeId };
}

/** A replay answers from its entry, whoever asks: a token of another store must not be shown it. */
function shownTo(caller: Caller, performed: Performed): Performed {
  const { execution } = performed;
  const hold = execution.status === 'recorded' ? holdOf(execution.entry) : null;
  if (hold !== null && !mayLookAt(caller, hold)) throw unknownReservation();
  return performed;
}

function confirmRoute(app: RouteScope, service: Service, prefix: string): void {
  app.post(
    `${prefix}/:reservationId/confirm`,
    {
      schema: {
        tags: ['Reservations'],
        summary: 'Turn a reservation, or a part of it, into a sale',
        params: ReservationPath,
        body: ConfirmBody,
        response: commandResponses(
          { 200: Confirmed },
          'OPERATION_ID_REQUIRED',
          'UNKNOWN_HQ',
          'UNKNOWN_RESERVATION',
          'INSUFFICIENT_STOCK',
          'RESERVATION_CONFIRMED',
          'RESERVATION_RELEASED',
          'RESERVATION_EXPIRED',
          'QUANTITY_EXCEEDS_RESERVATION',
          'HISTORY_BEHIND',
        ),
      },
    },
    async (request, reply) => {
      const { body, params } = request;
      const operationId = requiredOperationId(request, body.transactionId);
      const caller = callerOf(request);
      const { reservationId } = params;
      const address = await addressOf(service, caller, reservationId, body.hqId);
      const items =
        body.items === undefined ? {} : { items: await confirmItems(service, caller, reservationId, body.items) };
      const performed = await perform(
        service,
        request,
        {
          hqId: address.hqId,
          operationId,
          fingerprint: fingerprintOf('confirm', reservationId, body),
          command: {
            type: 'confirm',
            reservationId,
            orderId: body.orderId,
            ...items,
            keepRest: body.keepRest ?? false,
            ...scopeOf(caller),
          },
        },
        confirmAnswer,
      );
      return sendPerformed(reply, shownTo(caller, performed));
    },
  );
}

type ConfirmItem = NonNullable<Static<typeof ConfirmBody>['items']>[number];

/** A line that names no store means the one at which the reservation holds the product, else the reservation's. */
async function confirmItems(
  service: Service,
  caller: Caller,
  reservationId: string,
  items: readonly ConfirmItem[],
): Promise<Item[]> {
  const named = items.every(({ storeId }) => storeId !== undefined);
  const hold = named ? null : ((await findReservation(service, reservationId))?.hold ?? null);
  if (!named && (hold === null || !mayLookAt(caller, hold))) throw unknownReservation();
  return sumItems(
    items.map(({ productId, quantity, storeId }) => ({
      storeId: storeId ?? storeOf(hold as Hold, productId),
      productId,
      quantity,
    })),
  );
}

function storeOf(hold: Hold, productId: string): string {
  const places = hold.items.filter((item) => item.productId === productId);
  return places.length === 1 ? (places[0]?.storeId ?? hold.storeId) : hold.storeId;
}

function extendRoute(app: RouteScope, service: Service, prefix: string): void {
  app.post(
    `${prefix}/:reservationId/extend`,
    {
      schema: {
        tags: ['Reservations'],
        summary: 'Give a reservation a new end, counted from now',
        params: ReservationPath,
        body: ExtendBody,
        response: commandResponses(
          { 200: Reservation },
          'OPERATION_ID_REQUIRED',
          'UNKNOWN_HQ',
          'UNKNOWN_RESERVATION',
          'RESERVATION_CONFIRMED',
          'RESERVATION_RELEASED',
          'RESERVATION_EXPIRED',
          'HISTORY_BEHIND',
        ),
      },
    },
    async (request, reply) => {
      const { body, params } = request;
      const operationId = requiredOperationId(request, body.transactionId);
      const caller = callerOf(request);
      const { reservationId } = params;
      const { hqId } = await addressOf(service, caller, reservationId, body.hqId);
      const performed = await perform(
        service,
        request,
        {
          hqId,
          operationId,
          fingerprint: fingerprintOf('extend', reservationId, body),
          command: { type: 'extend', reservationId, ttlMs: body.ttlMs, ...scopeOf(caller) },
        },
        extendAnswer,
      );
      return sendPerformed(reply, shownTo(caller, performed));
    },
  );
}

function releaseRoute(app: RouteScope, service: Service, prefix: string): void {
  app.delete(
    `${prefix}/:reservationId`,
    {
      schema: {
        tags: ['Reservations'],
        summary: 'Give a reservation back',
        description: 'Idempotent by itself: needs no operation id, but may carry one.',
        params: ReservationPath,
        querystring: HqQuery,
        body: ReleaseBody,
        response: commandResponses(
          { 200: Released },
          'UNKNOWN_HQ',
          'UNKNOWN_RESERVATION',
          'RESERVATION_CONFIRMED',
          'HISTORY_BEHIND',
        ),
      },
    },
    async (request, reply) => {
      const { body, params, query } = request;
      const operationId = optionalOperationId(request, body?.transactionId);
      const caller = callerOf(request);
      const { reservationId } = params;
      const { hqId } = await addressOf(service, caller, reservationId, query.hqId ?? body?.hqId);
      const performed = await perform(
        service,
        request,
        {
          hqId,
          operationId,
          fingerprint: operationId === null ? null : fingerprintOf('release', reservationId, null),
          command: { type: 'release', reservationId, ...scopeOf(caller) },
        },
        (entry): Answer => releaseAnswer(entry.holds.length > 0 ? null : (entry.read.holds[0] ?? null)),
        (_outcome, hold) => releaseAnswer(hold),
      );
      return sendPerformed(reply, shownTo(caller, performed));
    },
  );
}
