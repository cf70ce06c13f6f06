/** Stock as it is: levels and sums from the engine, lists and the past from the history. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import type { Caller } from '../../access/caller.ts';
import type { LevelRow, MovementRow } from '../../projections/history-reads.ts';
import { available } from '../../stock/entry.ts';
import { HQ_POOL, LINES_MAX } from '../../stock/limits.ts';
import type { LevelView } from '../../stock/stock-engine.ts';
import { sendAnswer, sendJson, success } from '../answer.ts';
import { Problem } from '../problems.ts';
import { instantOf, listOfProducts, pageOf, rangeOf, readNumbersAndBooleans } from '../query.ts';
import { skuText, stockText } from '../render/stock.ts';
import { hqField, Id, Instant, nullable, OperationId, page, pageFields, readResponses, strict } from '../schemas.ts';
import { callerOf, requireHq, requireStore, storeFilter, unknownProduct, unknownStore } from '../scope.ts';
import type { ServedApplication, Service } from '../service.ts';

const Stock = Type.Object({
  hqId: Id,
  storeId: Id,
  productId: Id,
  hqStock: Type.Integer(),
  storeStock: Type.Integer(),
  availableStock: Type.Integer(),
  reservedStock: Type.Integer(),
  safetyStock: Type.Integer(),
  lowThreshold: nullable(Type.Integer()),
  version: Type.Integer(),
});

export const Sku = Type.Object({
  success: Type.Literal(true),
  data: Type.Object({
    skuId: Id,
    total: Type.Integer(),
    reserved: Type.Integer(),
    available: Type.Integer(),
    updatedAt: Instant,
  }),
});

const Level = Type.Object({
  hqId: Id,
  storeId: Id,
  productId: Id,
  onHand: Type.Integer(),
  reserved: Type.Integer(),
  available: Type.Integer(),
  safetyStock: Type.Integer(),
  lowThreshold: nullable(Type.Integer()),
  version: Type.Integer(),
  updatedAt: Instant,
});

const Movement = Type.Object({
  movementId: Type.String(),
  hqId: Id,
  storeId: Id,
  productId: Id,
  type: Type.String(),
  changeReason: Type.String(),
  onHandChange: Type.Integer(),
  reservedChange: Type.Integer(),
  onHand: Type.Integer(),
  reserved: Type.Integer(),
  referenceId: Type.String(),
  reservationId: nullable(Type.String()),
  reason: nullable(Type.String()),
  actor: Type.Object({ subject: Type.String(), role: Type.String(), address: Type.Optional(Type.String()) }),
  at: Instant,
  correction: Type.Boolean(),
});

const UNKNOWN_LEVEL = ['HQ_REQUIRED', 'UNKNOWN_HQ', 'UNKNOWN_STORE', 'UNKNOWN_PRODUCT'] as const;
const UNKNOWN_PLACE = ['HQ_REQUIRED', 'UNKNOWN_HQ', 'UNKNOWN_STORE', 'INVALID_CURSOR', 'HISTORY_BEHIND'] as const;

export function stockRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    oneLevelRoute(app, service);
    skuRoute(app, service);
    levelsRoute(app, service);
    movementsRoute(app, service);
    for (const path of ['/api/v1/products/stock', '/api/products/stock']) severalLevelsRoute(app, service, path);
    done();
  };
}

type RouteScope = Parameters<FastifyPluginCallbackTypebox>[0];

function oneLevelRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/stores/:storeId/products/:productId/stock',
    {
      schema: {
        tags: ['Stock'],
        summary: 'The stock of one product at one store',
        description: 'Its `ETag` is the version of the level. A store id of `HQ` names the HQ pool.',
        params: strict({ storeId: Id, productId: Id }),
        querystring: strict(hqField),
        response: readResponses(Stock, ...UNKNOWN_LEVEL),
      },
    },
    (request, reply) => {
      const { params, query } = request;
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'read', query.hqId);
      requireStore(caller, params.storeId);
      const application = service.filled;
      const levels = application.engine.levels(hqId, [params]);
      if (levels instanceof Promise) return levels.then((read) => sendLevel(reply, application, hqId, params, read[0]));
      return sendLevel(reply, application, hqId, params, levels[0]);
    },
  );
}

interface LevelKey {
  storeId: string;
  productId: string;
}

function sendLevel(
  reply: FastifyReply,
  application: ServedApplication,
  hqId: string,
  key: LevelKey,
  level: LevelView | null | undefined,
): void | Promise<void> {
  if (level) {
    sendAnswer(reply, success(200, stockText(hqId, level), level.version));
    return;
  }
  return unknownLevel(application, hqId, key).then((problem) => {
    throw problem;
  });
}

/** Of an unknown level, the store or the product is unknown; the engine tells which products it knows. */
async function unknownLevel(application: ServedApplication, hqId: string, key: LevelKey): Promise<Problem> {
  if ((await application.engine.totals(hqId, key.productId)) === null && (await isKnownStore(application, hqId, key))) {
    return unknownProduct(key.productId);
  }
  return unknownStore(key.storeId);
}

async function isKnownStore(application: ServedApplication, hqId: string, { storeId }: LevelKey): Promise<boolean> {
  return storeId === HQ_POOL || (await application.catalog.store(hqId, storeId)) !== null;
}

function severalLevelsRoute(app: RouteScope, service: Service, path: string): void {
  app.get(
    path,
    {
      preValidation: listOfProducts,
      schema: {
        tags: ['Stock'],
        summary: 'The stock of several products at one store',
        querystring: strict({
          ...hqField,
          storeId: Type.Optional(Id),
          productId: Type.Array(Id, { minItems: 1, maxItems: LINES_MAX }),
        }),
        response: readResponses(Type.Object({ items: Type.Array(Stock) }), ...UNKNOWN_LEVEL, 'STORE_REQUIRED'),
      },
    },
    async (request, reply) => {
      const { query } = request;
      const caller = callerOf(request);
      const storeId = query.storeId ?? caller.storeId;
      if (storeId === null) throw new Problem('STORE_REQUIRED', 'Name the store: storeId.');
      const hqId = requireHq(caller, 'read', query.hqId);
      requireStore(caller, storeId);
      const application = service.filled;
      const keys = [...new Set(query.productId)].map((productId) => ({ storeId, productId }));
      const levels = await application.engine.levels(hqId, keys);
      const texts: string[] = [];
      for (const [index, level] of levels.entries()) {
        if (level === null) throw await unknownLevel(application, hqId, keys[index] as LevelKey);
        texts.push(stockText(hqId, level));
      }
      return sendAnswer(reply, success(200, `{"items":[${texts.join(',')}]}`));
    },
  );
}

function skuRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/inventory/:skuId',
    {
      schema: {
        tags: ['Stock'],
        summary: 'The sum of a product over its HQ',
        params: strict({ skuId: Id }),
        querystring: strict(hqField),
        response: readResponses(Sku, 'HQ_REQUIRED', 'UNKNOWN_HQ', 'UNKNOWN_PRODUCT'),
      },
    },
    async (request, reply) => {
      const { skuId } = request.params;
      const hqId = requireHq(callerOf(request), 'read', request.query.hqId);
      const totals = await service.filled.engine.totals(hqId, skuId);
      if (totals === null) throw unknownProduct(skuId);
      return sendAnswer(reply, success(200, skuText(totals)));
    },
  );
}

function levelsRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/stock',
    {
      preValidation: readNumbersAndBooleans,
      schema: {
        tags: ['Stock'],
        summary: 'Levels, now or at an instant of the past',
        querystring: strict({
          ...hqField,
          storeId: Type.Optional(Id),
          productId: Type.Optional(Id),
          lowStock: Type.Optional(Type.Boolean()),
          asOf: Type.Optional(Instant),
          ...pageFields,
        }),
        response: readResponses(page(Level), ...UNKNOWN_PLACE),
      },
    },
    async (request, reply) => {
      const { query } = request;
      const asOf = query.asOf === undefined ? {} : { asOf: instantOf('asOf', query.asOf) };
      const place = await placeOf(service, callerOf(request), query);
      const lowStock = query.lowStock === undefined ? {} : { lowStock: query.lowStock };
      const found = await service.running.history.levels({ ...place, ...lowStock, ...asOf, ...pageOf(query) });
      return sendJson(reply, { items: found.items.map(levelShown), nextCursor: found.nextCursor });
    },
  );
}

function movementsRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/movements',
    {
      preValidation: readNumbersAndBooleans,
      schema: {
        tags: ['Stock'],
        summary: 'The immutable history of stock',
        querystring: strict({
          ...hqField,
          storeId: Type.Optional(Id),
          productId: Type.Optional(Id),
          referenceId: Type.Optional(OperationId),
          from: Type.Optional(Instant),
          to: Type.Optional(Instant),
          ...pageFields,
        }),
        response: readResponses(page(Movement), ...UNKNOWN_PLACE),
      },
    },
    async (request, reply) => {
      const { query } = request;
      const range = rangeOf(query);
      const place = await placeOf(service, callerOf(request), query);
      const reference = query.referenceId === undefined ? {} : { referenceId: query.referenceId };
      const found = await service.running.history.movements({ ...place, ...reference, ...range, ...pageOf(query) });
      return sendJson(reply, { items: found.items.map(movementShown), nextCursor: found.nextCursor });
    },
  );
}

/** HQ, store and product of a filter, as the caller may see them. */
async function placeOf(
  service: Service,
  caller: Caller,
  query: { hqId?: string; storeId?: string; productId?: string },
): Promise<{ hqId: string; storeId?: string; productId?: string }> {
  const hqId = requireHq(caller, 'read', query.hqId);
  const storeId = storeFilter(caller, query.storeId);
  await requireExistingHq(service, caller, hqId);
  return {
    hqId,
    ...(storeId === undefined ? {} : { storeId }),
    ...(query.productId === undefined ? {} : { productId: query.productId }),
  };
}

/** A token that names an HQ may look at it before anything was written there. */
export async function requireExistingHq(service: Service, caller: Caller, hqId: string): Promise<void> {
  if (caller.hqId !== null || (await service.running.catalog.hqExists(hqId))) return;
  throw new Problem('UNKNOWN_HQ', `There is no HQ ${hqId}.`);
}

function levelShown(row: LevelRow): Record<string, unknown> {
  const { hqId, storeId, productId, onHand, reserved, safetyStock, lowThreshold, version } = row;
  const updatedAt = new Date(row.updatedAt).toISOString();
  return {
    hqId,
    storeId,
    productId,
    onHand,
    reserved,
    available: available(row),
    safetyStock,
    lowThreshold,
    version,
    updatedAt,
  };
}

function movementShown(row: MovementRow): Record<string, unknown> {
  return { ...row, at: new Date(row.at).toISOString() };
}
