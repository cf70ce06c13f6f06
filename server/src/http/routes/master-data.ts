/** Stores, products and the settings of levels. */

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { MasterChange, Product, Store } from '../../catalog/catalog.ts';
import type { PutAnswer } from '../../catalog/master-data.ts';
import type { Entry } from '../../stock/entry.ts';
import { changesOf } from '../../stock/entry.ts';
import { HQ_POOL } from '../../stock/limits.ts';
import { type Answer, sendAnswer, sendJson, success } from '../answer.ts';
import { expectedVersion } from '../if-match.ts';
import { perform, provenanceOf, withoutEntry } from '../perform.ts';
import { pageOf, readNumbersAndBooleans } from '../query.ts';
import {
  hqField,
  Id,
  Money,
  nullable,
  page,
  pageFields,
  QuantityOrZero,
  readResponses,
  strict,
  Text,
  writeResponses,
} from '../schemas.ts';
import { callerOf, requireHq, requireStore, requireWholeHq } from '../scope.ts';
import type { Service } from '../service.ts';
import { type RouteScope, reservedStoreId } from './administration.ts';
import { sendPerformed } from './reservations.ts';
import { requireExistingHq } from './stock.ts';

const Day = Type.String({ format: 'date', description: 'A day, ISO 8601' });

const storeFields = {
  name: Text,
  type: Type.Optional(Text),
  city: Type.Optional(Text),
  openedAt: Type.Optional(Day),
  lowThreshold: Type.Optional(QuantityOrZero),
};
const productFields = {
  name: Text,
  category: Type.Optional(Text),
  price: Type.Optional(Money),
  cost: Type.Optional(Money),
  safetyStock: Type.Optional(QuantityOrZero),
  lowThreshold: Type.Optional(QuantityOrZero),
};
const levelFields = {
  safetyStock: Type.Optional(QuantityOrZero),
  lowThreshold: Type.Optional(QuantityOrZero),
};

const StoreShown = Type.Object({
  hqId: Id,
  storeId: Id,
  name: Type.String(),
  type: nullable(Type.String()),
  city: nullable(Type.String()),
  openedAt: nullable(Type.String()),
  lowThreshold: nullable(Type.Integer()),
});
const ProductShown = Type.Object({
  hqId: Id,
  productId: Id,
  name: Type.String(),
  category: nullable(Type.String()),
  price: nullable(Type.Integer()),
  cost: nullable(Type.Integer()),
  safetyStock: nullable(Type.Integer()),
  lowThreshold: nullable(Type.Integer()),
});
const LevelSettings = Type.Object({
  hqId: Id,
  storeId: Id,
  productId: Id,
  safetyStock: Type.Integer({ description: 'What applies now: the own value, else that of the product' }),
  lowThreshold: nullable(Type.Integer({ description: 'Likewise, else that of the store' })),
  version: Type.Integer(),
});

const TAGS = ['Master data'];

export function masterDataRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    putStoreRoute(app, service);
    putProductRoute(app, service);
    putLevelRoute(app, service);
    listStoresRoute(app, service);
    listProductsRoute(app, service);
    done();
  };
}

function changeOf(service: Service, request: FastifyRequest, hqId: string): MasterChange {
  return { hqId, provenance: provenanceOf(request), at: service.running.now() };
}

/** 201 for a new row, 200 for another; unless the engine could not be told of it. */
function sendPut(reply: FastifyReply, requestId: string, put: PutAnswer, shown: object): void {
  const { created, execution } = put;
  if (execution.status !== 'recorded') sendAnswer(reply, withoutEntry(execution, requestId));
  else sendAnswer(reply, success(created ? 201 : 200, JSON.stringify(shown)));
}

function putStoreRoute(app: RouteScope, service: Service): void {
  app.put(
    '/api/v1/admin/stores/:storeId',
    {
      schema: {
        tags: TAGS,
        summary: 'Create or replace a store',
        description: 'A field that is left out is unset. The first write of an HQ makes it exist.',
        params: strict({ storeId: Id }),
        body: strict({ ...hqField, ...storeFields }),
        response: writeResponses(
          { 200: StoreShown, 201: StoreShown },
          'HQ_REQUIRED',
          'UNKNOWN_HQ',
          'UNKNOWN_STORE',
          'RESERVED_STORE_ID',
        ),
      },
    },
    async (request, reply) => {
      const { body, params } = request;
      const { storeId } = params;
      if (storeId === HQ_POOL) throw reservedStoreId('A store cannot have this id.');
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-catalog', body.hqId);
      requireStore(caller, storeId);
      const { name, type = null, city = null, openedAt = null, lowThreshold = null } = body;
      const store: Store = { storeId, name, type, city, openedAt, lowThreshold };
      const put = await service.running.masterData.putStore(changeOf(service, request, hqId), store);
      return sendPut(reply, request.id, put, { hqId, ...store });
    },
  );
}

function putProductRoute(app: RouteScope, service: Service): void {
  app.put(
    '/api/v1/admin/products/:productId',
    {
      schema: {
        tags: TAGS,
        summary: 'Create or replace a product',
        description: 'A field that is left out is unset. The first write of an HQ makes it exist.',
        params: strict({ productId: Id }),
        body: strict({ ...hqField, ...productFields }),
        response: writeResponses({ 200: ProductShown, 201: ProductShown }, 'HQ_REQUIRED', 'UNKNOWN_HQ'),
      },
    },
    async (request, reply) => {
      const { body, params } = request;
      const { productId } = params;
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-catalog', body.hqId);
      requireWholeHq(caller);
      const { name, category = null, price = null, cost = null, safetyStock = null, lowThreshold = null } = body;
      const product: Product = { productId, name, category, price, cost, safetyStock, lowThreshold };
      const put = await service.running.masterData.putProduct(changeOf(service, request, hqId), product);
      return sendPut(reply, request.id, put, { hqId, ...product });
    },
  );
}

function putLevelRoute(app: RouteScope, service: Service): void {
  app.put(
    '/api/v1/admin/stores/:storeId/products/:productId',
    {
      schema: {
        tags: TAGS,
        summary: "Settings of one level: they win over the product's and the store's",
        description: 'A field that is left out is unset. Answers what applies now.',
        params: strict({ storeId: Id, productId: Id }),
        body: strict({ ...hqField, ...levelFields }),
        response: writeResponses(
          { 200: LevelSettings },
          'HQ_REQUIRED',
          'UNKNOWN_HQ',
          'UNKNOWN_STORE',
          'UNKNOWN_PRODUCT',
          'VERSION_MISMATCH',
        ),
      },
    },
    async (request, reply) => {
      const { body, params } = request;
      const expected = expectedVersion(request);
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-catalog', body.hqId);
      requireStore(caller, params.storeId);
      const { safetyStock = null, lowThreshold = null } = body;
      const { storeId, productId } = params;
      const settings = { safetyStock, lowThreshold };
      const command = { type: 'configure-level' as const, storeId, productId, settings, ...expected };
      const operation = { hqId, operationId: null, fingerprint: null, command };
      return sendPerformed(reply, await perform(service, request, operation, levelSettingsAnswer));
    },
  );
}

function levelSettingsAnswer(entry: Entry): Answer {
  const level = changesOf(entry)[0]?.after;
  if (level === undefined) throw new Error(`entry ${entry.seq} configured no level`);
  const { storeId, productId, safetyStock, lowThreshold, version } = level;
  const body = { hqId: entry.hqId, storeId, productId, safetyStock, lowThreshold, version };
  return success(200, JSON.stringify(body), version);
}

function listStoresRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/admin/stores',
    {
      preValidation: readNumbersAndBooleans,
      schema: {
        tags: TAGS,
        summary: 'Stores, by id',
        querystring: strict({ ...hqField, ...pageFields }),
        response: readResponses(page(StoreShown), 'HQ_REQUIRED', 'UNKNOWN_HQ', 'INVALID_CURSOR'),
      },
    },
    async (request, reply) => {
      const { query } = request;
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-catalog', query.hqId);
      await requireExistingHq(service, caller, hqId);
      if (caller.storeId !== null) {
        const own = await service.running.catalog.store(hqId, caller.storeId);
        return sendJson(reply, { items: own === null ? [] : [{ hqId, ...own }], nextCursor: null });
      }
      const { items, nextCursor } = await service.running.catalog.stores(hqId, pageOf(query));
      return sendJson(reply, { items: items.map((store) => ({ hqId, ...store })), nextCursor });
    },
  );
}

function listProductsRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/admin/products',
    {
      preValidation: readNumbersAndBooleans,
      schema: {
        tags: TAGS,
        summary: 'Products, by id',
        querystring: strict({ ...hqField, ...pageFields }),
        response: readResponses(page(ProductShown), 'HQ_REQUIRED', 'UNKNOWN_HQ', 'INVALID_CURSOR'),
      },
    },
    async (request, reply) => {
      const { query } = request;
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'manage-catalog', query.hqId);
      await requireExistingHq(service, caller, hqId);
      const { items, nextCursor } = await service.running.catalog.products(hqId, pageOf(query));
      return sendJson(reply, { items: items.map((product) => ({ hqId, ...product })), nextCursor });
    },
  );
}
