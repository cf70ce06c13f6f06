/** Who did what: the entries of stock and the changes of master data, as one list, newest first. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { MasterAuditRow } from '../../catalog/catalog.ts';
import { InvalidCursor } from '../../events/event-feed.ts';
import type { AuditRow, Page } from '../../projections/history-reads.ts';
import { sendJson } from '../answer.ts';
import { pageOf, rangeOf, readNumbersAndBooleans } from '../query.ts';
import { hqField, Instant, nullable, page, pageFields, readResponses, strict, Text } from '../schemas.ts';
import { callerOf, requireHq, requireWholeHq } from '../scope.ts';
import type { ServedApplication, Service } from '../service.ts';
import { requireExistingHq } from './stock.ts';

const AuditItem = Type.Object({
  kind: Type.Union([Type.Literal('stock'), Type.Literal('store'), Type.Literal('product')]),
  at: Instant,
  hqId: Type.String(),
  type: Type.String(),
  actor: Type.Object({ subject: Type.String(), role: Type.String(), address: Type.Optional(Type.String()) }),
  origin: Type.String(),
  correlationId: Type.String(),
  outcome: Type.Optional(Type.String()),
  operationId: Type.Optional(nullable(Type.String())),
  entry: Type.Optional(Type.Object({ partition: Type.Integer(), seq: Type.Integer(), hash: Type.String() })),
  subjectId: Type.Optional(Type.String()),
  changes: Type.Optional(
    Type.Array(
      Type.Object({
        storeId: Type.String(),
        productId: Type.String(),
        before: Type.Object({ onHand: Type.Integer(), reserved: Type.Integer() }),
        after: Type.Object({ onHand: Type.Integer(), reserved: Type.Integer() }),
      }),
    ),
  ),
  before: Type.Optional(Type.Any()),
  after: Type.Optional(Type.Any()),
});

export function auditRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/api/v1/admin/audit',
      {
        preValidation: readNumbersAndBooleans,
        schema: {
          tags: ['Audit'],
          summary: 'Who did what, from where and when, newest first',
          querystring: strict({
            ...hqField,
            actor: Type.Optional(Text),
            from: Type.Optional(Instant),
            to: Type.Optional(Instant),
            ...pageFields,
          }),
          response: readResponses(page(AuditItem), 'HQ_REQUIRED', 'UNKNOWN_HQ', 'INVALID_CURSOR', 'HISTORY_BEHIND'),
        },
      },
      async (request, reply) => {
        const { query } = request;
        const range = rangeOf(query);
        const caller = callerOf(request);
        const hqId = requireHq(caller, 'audit', query.hqId);
        requireWholeHq(caller);
        await requireExistingHq(service, caller, hqId);
        const actor = query.actor === undefined ? {} : { actor: query.actor };
        const { cursor, limit } = pageOf(query);
        const filter = { hqId, ...actor, ...range };
        return sendJson(reply, await auditPage(service.running, filter, cursor, limit));
      },
    );
    done();
  };
}

interface AuditFilter {
  hqId: string;
  actor?: string;
  from?: number;
  to?: number;
}

/** How far each of the two lists was shown; null: not begun, false: it is at its end. */
interface Place {
  to: number;
  stock: string | null | false;
  master: string | null | false;
}

type Shown = { at: string } & Record<string, unknown>;

/**
 * One page of both lists together. Each is read as far as it might be needed and then again as far as it was, for
 * only a list's own page knows the cursor at its end. What happens after the first page was asked is not shown.
 */
async function auditPage(
  application: ServedApplication,
  filter: AuditFilter,
  cursor: string | null,
  limit: number,
): Promise<Page<Shown>> {
  const place = cursor === null ? beginning(filter.to ?? application.now()) : placeOf(cursor);
  const query = { ...filter, to: place.to };
  const readStock = (from: string | null, count: number) =>
    application.history.audit({ ...query, cursor: from, limit: count });
  const readMaster = (from: string | null, count: number) =>
    application.catalog.audit({ ...query, cursor: from, limit: count });
  const [stock, master] = await Promise.all([
    readOnce(readStock, place.stock, limit),
    readOnce(readMaster, place.master, limit),
  ]);
  const merged = [
    ...stock.items.map((row) => ({ at: row.at, list: 'stock' as const, shown: entryShown(row) })),
    ...master.items.map((row) => ({ at: row.at, list: 'master' as const, shown: masterShown(row) })),
  ]
    .sort((one, other) => other.at - one.at)
    .slice(0, limit);
  const taken = merged.filter(({ list }) => list === 'stock').length;
  const next: Place = {
    to: place.to,
    stock: await after(readStock, place.stock, stock, taken),
    master: await after(readMaster, place.master, master, merged.length - taken),
  };
  const end = next.stock === false && next.master === false;
  return { items: merged.map(({ shown }) => shown), nextCursor: end ? null : cursorOf(next) };
}

type Read<T> = (cursor: string | null, limit: number) => Promise<Page<T>>;

async function readOnce<T>(read: Read<T>, from: string | null | false, limit: number): Promise<Page<T>> {
  return from === false ? { items: [], nextCursor: null } : read(from, limit);
}

/** Where a list goes on when `taken` items of the page were shown. */
async function after<T>(
  read: Read<T>,
  from: string | null | false,
  page: Page<T>,
  taken: number,
): Promise<string | null | false> {
  if (from === false || taken === page.items.length) return from === false ? false : (page.nextCursor ?? false);
  if (taken === 0) return from;
  return (await read(from, taken)).nextCursor ?? false;
}

function beginning(to: number): Place {
  return { to, stock: null, master: null };
}

function cursorOf({ to, stock, master }: Place): string {
  return Buffer.from(JSON.stringify([to, stock, master]), 'utf8').toString('base64url');
}

/** @throws InvalidCursor */
function placeOf(cursor: string): Place {
  try {
    const [to, stock, master] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
    if (Number.isSafeInteger(to) && isMark(stock) && isMark(master)) return { to: to as number, stock, master };
  } catch {
    // Not one of ours, as said below.
  }
  throw new InvalidCursor();
}

function isMark(mark: unknown): mark is string | null | false {
  return mark === null || mark === false || typeof mark === 'string';
}

function entryShown(row: AuditRow): Shown {
  const { partition, seq, hash, hqId, type, operationId, outcome, actor, origin, correlationId, changes } = row;
  const at = new Date(row.at).toISOString();
  const entry = { partition, seq, hash };
  return { kind: 'stock', at, hqId, type, actor, origin, correlationId, operationId, outcome, entry, changes };
}

function masterShown(row: MasterAuditRow): Shown {
  const { kind, hqId, subjectId, actor, origin, correlationId, before, after: now } = row;
  const at = new Date(row.at).toISOString();
  return { kind, at, hqId, type: `put-${kind}`, subjectId, actor, origin, correlationId, before, after: now };
}
