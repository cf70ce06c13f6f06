/** CSV out, streamed page by page. */
import { Readable } from 'node:stream';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { HistoryReads, Page } from '../../projections/history-reads.ts';
import { rangeOf } from '../query.ts';
import { hqField, Id, Instant, strict, textResponses } from '../schemas.ts';
import { callerOf, requireHq, storeFilter } from '../scope.ts';
import type { Service } from '../service.ts';
import { requireExistingHq } from './stock.ts';

const ROWS_PER_READ = 500;

const STOCK_COLUMNS = ['storeId', 'productId', 'onHand', 'reserved', 'safetyStock', 'lowThreshold', 'updatedAt'] as const;
const MOVEMENT_COLUMNS = [
  'movementId',
  'at',
  'storeId',
  'productId',
  'type',
  'changeReason',
  'onHandChange',
  'reservedChange',
  'onHand',
  'reserved',
  'referenceId',
  'reservationId',
  'reason',
  'actor',
  'correction',
] as const;

export function exchangeRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/api/v1/admin/export/:kind',
      {
        exposeHeadRoute: false,
        schema: {
          tags: ['Import and export'],
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
        const rows = params.kind === 'stock' ? stockRows(history, place) : movementRows(history, { ...place, ...range });
        // The first page is read before anything is sent, so that a failure is still an answer of its own.
        const first = await rows.next();
        reply.header('content-disposition', `attachment; filename="${params.kind}.csv"`);
        return reply.type('text/csv; charset=utf-8').send(Readable.from(startingWith(first, rows)));
      },
    );
    done();
  };
}

interface Place {
  hqId: string;
  storeId?: string;
  productId?: string;
}

async function* startingWith(first: IteratorResult<string>, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

function stockRows(history: HistoryReads, place: Place): AsyncGenerator<string> {
  return csv(STOCK_COLUMNS, (cursor) => history.levels({ ...place, cursor, limit: ROWS_PER_READ }), (row) => ({
    ...row,
    updatedAt: new Date(row.updatedAt).toISOString(),
  }));
}

function movementRows(history: HistoryReads, filter: Place & { from?: number; to?: number }): AsyncGenerator<string> {
  return csv(MOVEMENT_COLUMNS, (cursor) => history.movements({ ...filter, cursor, limit: ROWS_PER_READ }), (row) => ({
    ...row,
    at: new Date(row.at).toISOString(),
    actor: row.actor.subject,
  }));
}

async function* csv<T>(
  columns: readonly string[],
  read: (cursor: string | null) => Promise<Page<T>>,
  shown: (row: T) => Record<string, unknown>,
): AsyncGenerator<string> {
  let text = `${columns.join(',')}\r\n`;
  let cursor: string | null = null;
  do {
    const found: Page<T> = await read(cursor);
    for (const row of found.items) {
      const fields = shown(row);
      text += `${columns.map((column) => field(fields[column])).join(',')}\r\n`;
    }
    yield text;
    text = '';
    cursor = found.nextCursor;
  } while (cursor !== null);
}

/** A text that a spreadsheet would take for a formula is disarmed by an apostrophe. */
function field(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
