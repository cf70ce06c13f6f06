/** CSV in and out, streamed. */
import { Readable } from 'node:stream';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { exportMovements, exportStock } from '../../catalog/export/export-csv.ts';
import { type ImportKind, InvalidMapping, parseMapping } from '../../catalog/import/columns.ts';
import {
  ImportInterrupted,
  type ImportProgress,
  type ImportRequest,
  importCsv,
} from '../../catalog/import/import-csv.ts';
import { sendJson } from '../answer.ts';
import { sendProgress, waitAsLongAsItTakes } from '../ndjson.ts';
import { optionalOperationId } from '../operation.ts';
import { provenanceOf } from '../perform.ts';
import { Problem } from '../problems.ts';
import { rangeOf } from '../query.ts';
import { hqField, Id, Instant, readResponses, strict, textResponses } from '../schemas.ts';
import { callerOf, requireHq, requireWholeHq, storeFilter } from '../scope.ts';
import type { Service } from '../service.ts';
import type { RouteScope } from './administration.ts';
import { requireExistingHq } from './stock.ts';

const TAGS = ['Import and export'];
const MAPPING_LENGTH_MAX = 2_000;

const ImportReport = Type.Object({
  kind: Type.String(),
  hqId: Id,
  applied: Type.Boolean({ description: 'False: nothing was imported' }),
  rows: Type.Integer(),
  imported: Type.Integer(),
  created: Type.Integer(),
  replayed: Type.Integer(),
  skipped: Type.Integer(),
  refused: Type.Array(
    Type.Object({
      line: Type.Integer(),
      code: Type.String(),
      reason: Type.String(),
      column: Type.Optional(Type.String()),
    }),
  ),
});

/** Checked rows of an import wait in `spoolFolder`. */
export function exchangeRoutes(service: Service, spoolFolder: string): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    // A CSV file is read as it comes, by whoever imports it.
    app.addContentTypeParser('text/csv', (_request, payload, parsed) => parsed(null, payload));
    importRoute(app, service, spoolFolder);
    exportRoute(app, service);
    done();
  };
}

function importRoute(app: RouteScope, service: Service, spoolFolder: string): void {
  app.post(
    '/api/v1/admin/import/:kind',
    {
      bodyLimit: Number.MAX_SAFE_INTEGER,
      config: { streams: true },
      schema: {
        tags: TAGS,
        summary: 'Stores, products or opening stock from CSV, streamed',
        description:
          'The same file sent again has no second effect, whatever its operation id. With `Accept: application/x-ndjson` the progress is told while it goes on.',
        consumes: ['text/csv'],
        params: strict({ kind: Type.Union([Type.Literal('stores'), Type.Literal('products'), Type.Literal('stock')]) }),
        querystring: strict({
          ...hqField,
          onError: Type.Optional(Type.Union([Type.Literal('stop'), Type.Literal('skip')])),
          map: Type.Optional(Type.String({ minLength: 1, maxLength: MAPPING_LENGTH_MAX })),
        }),
        response: readResponses(
          ImportReport,
          'HQ_REQUIRED',
          'INVALID_OPERATION_ID',
          'UNKNOWN_HQ',
          'BODY_TOO_LARGE',
          'UNSUPPORTED_MEDIA_TYPE',
          'NOT_RECORDED',
          'OUTCOME_UNKNOWN',
        ),
      },
    },
    async (request, reply) => {
      const wanted = importRequest(request, request.params.kind, request.query);
      const { running } = service;
      const { masterData, executor, engine, now } = running;
      const parts = { masterData, executor, engine, now, spoolFolder };
      waitAsLongAsItTakes(request);
      if (request.headers.accept?.includes('application/x-ndjson')) {
        return sendProgress<ImportProgress>(reply, request, (onProgress) =>
          importCsv(parts, { ...wanted, onProgress }),
        );
      }
      return sendJson(reply, await importCsv(parts, wanted).catch(interrupted));
    },
  );
}

function importRequest(
  request: FastifyRequest,
  kind: ImportKind,
  query: { hqId?: string; onError?: 'stop' | 'skip'; map?: string },
): ImportRequest {
  const source = request.body;
  if (!(source instanceof Readable)) throw new Problem('UNSUPPORTED_MEDIA_TYPE', 'Send the file as text/csv.');
  optionalOperationId(request, undefined);
  const mapping = mappingOf(kind, query.map ?? '');
  const caller = callerOf(request);
  const hqId = requireHq(caller, 'import', query.hqId);
  requireWholeHq(caller);
  const provenance = { ...provenanceOf(request), origin: 'import' };
  return { kind, hqId, source, onError: query.onError ?? 'stop', mapping, provenance };
}

function mappingOf(kind: ImportKind, text: string) {
  try {
    return parseMapping(kind, text);
  } catch (error) {
    throw error instanceof InvalidMapping ? new Problem('VALIDATION_FAILED', error.message) : error;
  }
}

/** Said as "nothing was done" only if that is so. */
function interrupted(error: unknown): never {
  if (!(error instanceof ImportInterrupted)) throw error;
  throw new Problem(error.imported === 0 ? 'NOT_RECORDED' : 'OUTCOME_UNKNOWN', `${error.message}.`);
}

function exportRoute(app: RouteScope, service: Service): void {
  app.get(
    '/api/v1/admin/export/:kind',
    {
      exposeHeadRoute: false,
      config: { streams: true },
      schema: {
        tags: TAGS,
        summary: 'Levels or movements as CSV, streamed',
        params: strict({ kind: Type.Union([Type.Literal('stock'), Type.Literal('movements')]) }),
        querystring: strict({
          ...hqField,
          storeId: Type.Optional(Id),
          productId: Type.Optional(Id),
          from: Type.Optional(Instant),
          to: Type.Optional(Instant),
        }),
        response: textResponses('The file', 'text/csv', 'HQ_REQUIRED', 'UNKNOWN_HQ', 'UNKNOWN_STORE', 'HISTORY_BEHIND'),
      },
    },
    async (request, reply) => {
      const { query, params } = request;
      const range = rangeOf(query);
      const caller = callerOf(request);
      const hqId = requireHq(caller, 'export', query.hqId);
      const storeId = storeFilter(caller, query.storeId);
      await requireExistingHq(service, caller, hqId);
      const place = {
        hqId,
        ...(storeId === undefined ? {} : { storeId }),
        ...(query.productId === undefined ? {} : { productId: query.productId }),
      };
      const { history } = service.running;
      const pieces =
        params.kind === 'stock' ? exportStock(history, place) : exportMovements(history, { ...place, ...range });
      // The first piece is made before anything is sent, so that a failure is still an answer of its own.
      const first = await pieces.next();
      waitAsLongAsItTakes(request);
      reply.header('content-disposition', `attachment; filename="${params.kind}.csv"`);
      reply.type('text/csv; charset=utf-8');
      return reply.send(Readable.from(startingWith(first, pieces)) as unknown as string);
    },
  );
}

async function* startingWith(first: IteratorResult<string>, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (first.done !== true) yield first.value;
  yield* rest;
}
