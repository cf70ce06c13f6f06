/** Stock by hand: goods in and out, between places, corrected and counted. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { type Command, foldEqualLines, type Item, sumItems } from '../../stock/commands.ts';
import { HQ_POOL, QUANTITY_MAX } from '../../stock/limits.ts';
import { expectedVersion, expectedVersionOfOnly } from '../if-match.ts';
import { fingerprintOf, requiredOperationId } from '../operation.ts';
import { type Operation, perform } from '../perform.ts';
import { Problem } from '../problems.ts';
import { adjustAnswer, distributeAnswer, receiveAnswer, skuAnswer, transferAnswer } from '../render/movements.ts';
import {
  commandResponses,
  hqField,
  Id,
  LineItem,
  lines,
  operationField,
  Quantity,
  Sum,
  strict,
  Text,
} from '../schemas.ts';
import { callerOf, requireHq, requireStore, requireWholeHq } from '../scope.ts';
import type { Service } from '../service.ts';
import {
  ADMINISTRATION,
  ADMINISTRATION_TAGS,
  COMMAND_CODES,
  completed,
  namedStore,
  type RouteScope,
  reservedStoreId,
} from './administration.ts';
import { countRoute } from './count.ts';
import { sendPerformed } from './reservations.ts';
import { Sku } from './stock.ts';

const Items = Type.Array(Type.Object({ productId: Id, quantity: Sum }));

const ReceiveBody = strict({
  ...hqField,
  items: lines(LineItem),
  reference: Type.Optional(Text),
  ...operationField,
});
const DistributeBody = strict({ ...hqField, storeId: Id, items: lines(LineItem), reason: Text, ...operationField });
const TransferBody = strict({
  ...hqField,
  fromStoreId: Id,
  toStoreId: Id,
  items: lines(LineItem),
  reason: Text,
  ...operationField,
});
const Change = Type.Union([
  Type.Integer({ minimum: 1, maximum: QUANTITY_MAX }),
  Type.Integer({ minimum: -QUANTITY_MAX, maximum: -1 }),
]);
const AdjustBody = strict({
  ...hqField,
  storeId: Type.Optional(Id),
  items: lines(strict({ productId: Id, change: Change })),
  reason: Text,
  ...operationField,
});
const AddBody = strict({ ...hqField, quantity: Quantity, storeId: Type.Optional(Id), ...operationField });
const DecreaseBody = strict({ ...AddBody.properties, reason: Type.Optional(Text) });

export function inventoryAdministrationRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    receiveRoute(app, service);
    distributeRoute(app, service);
    transferRoute(app, service);
    adjustRoute(app, service);
    countRoute(app, service);
    addRoute(app, service);
    decreaseRoute(app, service);
    done();
  };
}

/** An operation of a route whose body says all that there is to say. */
function operationOf(
  route: string,
  request: FastifyRequest,
  parts: { hqId: string; operationId: string; command: Command },
): Operation {
  return { ...parts, fingerprint: fingerprintOf(route, '', request.body) };
}

function at(storeId: string, items: readonly { productId: string; quantity: number }[]): Item[] {
  return sumItems(items.map(({ productId, quantity }) => ({ storeId, productId, quantity })));
}

function receiveRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/receive`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'Goods arrive in the HQ pool',
        body: ReceiveBody,
        response: commandResponses({ 200: completed('receiptId', Items) }, ...COMMAND_CODES, 'LEVEL_LIMIT'),
      },
    },
    async (request, reply) => {
      const { body } = request;
      const operationId = requiredOperationId(request, body.transactionId);
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-stock', body.hqId);
      requireWholeHq(caller);
      const reference = body.reference === undefined ? {} : { reference: body.reference };
      const command: Command = { type: 'receive', items: at(HQ_POOL, body.items), ...reference };
      const operation = operationOf('receive', request, { hqId, operationId, command });
      return sendPerformed(reply, await perform(service, request, operation, receiveAnswer));
    },
  );
}

function distributeRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/distribute`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'From the HQ pool to a store (admin only)',
        description: 'Sold from the moment that it is answered.',
        body: DistributeBody,
        response: commandResponses(
          { 200: completed('distributionId', Items) },
          ...COMMAND_CODES,
          'RESERVED_STORE_ID',
          'INSUFFICIENT_STOCK',
          'LEVEL_LIMIT',
        ),
      },
    },
    async (request, reply) => {
      const { body } = request;
      const operationId = requiredOperationId(request, body.transactionId);
      if (body.storeId === HQ_POOL) throw reservedStoreId('Goods are distributed from the HQ pool to a store.');
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'distribute', body.hqId);
      requireWholeHq(caller);
      const { storeId, reason } = body;
      const command: Command = { type: 'distribute', storeId, items: at(storeId, body.items), reason };
      const operation = operationOf('distribute', request, { hqId, operationId, command });
      return sendPerformed(reply, await perform(service, request, operation, distributeAnswer));
    },
  );
}

function transferRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/transfer`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'From a store to another, or back to the HQ pool',
        body: TransferBody,
        response: commandResponses(
          { 200: completed('transferId', Items) },
          ...COMMAND_CODES,
          'RESERVED_STORE_ID',
          'INSUFFICIENT_STOCK',
          'LEVEL_LIMIT',
        ),
      },
    },
    async (request, reply) => {
      const { body } = request;
      const operationId = requiredOperationId(request, body.transactionId);
      const { fromStoreId, toStoreId, reason } = body;
      if (fromStoreId === HQ_POOL) throw reservedStoreId('Goods leave the HQ pool by a distribution.');
      if (fromStoreId === toStoreId) {
        throw new Problem('VALIDATION_FAILED', 'fromStoreId and toStoreId are the same store.');
      }
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-stock', body.hqId);
      requireWholeHq(caller);
      const items = at(toStoreId, body.items);
      const command: Command = { type: 'transfer', fromStoreId, toStoreId, items, reason };
      const operation = operationOf('transfer', request, { hqId, operationId, command });
      return sendPerformed(reply, await perform(service, request, operation, transferAnswer));
    },
  );
}

const Adjusted = Type.Object({
  productId: Id,
  change: Type.Integer(),
  onHand: Type.Integer(),
  available: Type.Integer(),
  shortfall: Type.Optional(Sum),
});

function adjustRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/adjust`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'Correct what is on hand',
        description: 'May push `available` below zero (`shortfall`), never what is on hand.',
        body: AdjustBody,
        response: commandResponses(
          { 200: completed('adjustmentId', Type.Array(Adjusted)) },
          ...COMMAND_CODES,
          'STORE_REQUIRED',
          'INSUFFICIENT_STOCK',
          'LEVEL_LIMIT',
          'VERSION_MISMATCH',
        ),
      },
    },
    async (request, reply) => {
      const { body } = request;
      const operationId = requiredOperationId(request, body.transactionId);
      const caller = callerOf(request);
      const storeId = namedStore(body.storeId ?? caller.storeId);
      const items = adjustItems(storeId, body);
      const expected = expectedVersionOfOnly(request, items.length);
      const hqId = requireHq(caller, 'manage-stock', body.hqId);
      requireStore(caller, storeId);
      const command: Command = { type: 'adjust', items, reason: body.reason, ...expected };
      const fingerprint = fingerprintOf('adjust', body.storeId === undefined ? storeId : '', body);
      const operation = { hqId, operationId, fingerprint, command };
      return sendPerformed(reply, await perform(service, request, operation, adjustAnswer));
    },
  );
}

function adjustItems(storeId: string, body: Static<typeof AdjustBody>) {
  return foldEqualLines(
    body.items.map(({ productId, change }) => ({ storeId, productId, change })),
    (into, other) => {
      into.change += other.change;
    },
  );
}

const skuPath = strict({ skuId: Id });

/** Without a store, the HQ pool: only for tokens that see the whole HQ. */
function addRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/:skuId/add`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'Add units of one product, to the HQ pool or to a store',
        params: skuPath,
        body: AddBody,
        response: commandResponses({ 200: Sku }, ...COMMAND_CODES, 'LEVEL_LIMIT', 'VERSION_MISMATCH'),
      },
    },
    async (request, reply) => {
      const { items, ...rest } = oneLevelOf(request, request.params.skuId, request.body);
      const command: Command = { type: 'receive', items, ...expectedVersion(request) };
      const fingerprint = fingerprintOf('add', rest.place, request.body);
      return sendPerformed(reply, await perform(service, request, { ...rest, fingerprint, command }, skuAnswer));
    },
  );
}

function decreaseRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/:skuId/decrease`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'Take units of one product, from the HQ pool or from a store',
        params: skuPath,
        body: DecreaseBody,
        response: commandResponses({ 200: Sku }, ...COMMAND_CODES, 'INSUFFICIENT_STOCK', 'VERSION_MISMATCH'),
      },
    },
    async (request, reply) => {
      const { items, ...rest } = oneLevelOf(request, request.params.skuId, request.body);
      const reason = request.body.reason === undefined ? {} : { reason: request.body.reason };
      const command: Command = { type: 'issue', items, ...reason, ...expectedVersion(request) };
      const fingerprint = fingerprintOf('decrease', rest.place, request.body);
      return sendPerformed(reply, await perform(service, request, { ...rest, fingerprint, command }, skuAnswer));
    },
  );
}

interface OneLevel {
  hqId: string;
  operationId: string;
  /** What the path and the token say beside the body. */
  place: string;
  items: Item[];
}

function oneLevelOf(request: FastifyRequest, productId: string, body: Static<typeof AddBody>): OneLevel {
  const operationId = requiredOperationId(request, body.transactionId);
  expectedVersion(request);
  const caller = callerOf(request);
  const storeId = body.storeId ?? caller.storeId ?? HQ_POOL;
  const hqId = requireHq(caller, 'manage-stock', body.hqId);
  requireStore(caller, storeId);
  const place = body.storeId === undefined ? `${productId}/${storeId}` : productId;
  return { hqId, operationId, place, items: [{ storeId, productId, quantity: body.quantity }] };
}
