/** Stock-takes: the difference to what was on hand when it was counted. */
import type { FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { storeLock } from '../../locking/lock-key.ts';
import { type CountItem, foldEqualLines } from '../../stock/commands.ts';
import { expectedVersionOfOnly } from '../if-match.ts';
import { fingerprintOf, requiredOperationId } from '../operation.ts';
import { type Performed, perform } from '../perform.ts';
import { Problem } from '../problems.ts';
import { instantOf } from '../query.ts';
import { countAnswer } from '../render/movements.ts';
import {
  commandResponses,
  hqField,
  Id,
  Instant,
  lines,
  operationField,
  QuantityOrZero,
  Sum,
  strict,
  Text,
} from '../schemas.ts';
import { callerOf, requireHq, requireStore } from '../scope.ts';
import type { Service } from '../service.ts';
import {
  ADMINISTRATION,
  ADMINISTRATION_TAGS,
  COMMAND_CODES,
  completed,
  namedStore,
  type RouteScope,
} from './administration.ts';
import { sendPerformed } from './reservations.ts';

/** Counts of the same level that come in between make the difference be computed again, at most so often. */
const COMPUTED_TIMES_MAX = 5;

const CountBody = strict({
  ...hqField,
  storeId: Type.Optional(Id),
  countedAt: Type.Optional(Instant),
  items: lines(strict({ productId: Id, counted: QuantityOrZero })),
  reason: Text,
  ...operationField,
});

const Counted = Type.Object({
  productId: Id,
  counted: Type.Integer(),
  difference: Type.Integer(),
  onHand: Type.Integer(),
  available: Type.Integer(),
  shortfall: Type.Optional(Sum),
});

export function countRoute(app: RouteScope, service: Service): void {
  app.post(
    `${ADMINISTRATION}/count`,
    {
      schema: {
        tags: ADMINISTRATION_TAGS,
        summary: 'Book a stock-take',
        description:
          'Books the difference to what was on hand at `countedAt` (default: now); sales made since are kept.',
        body: CountBody,
        response: commandResponses(
          { 200: Type.Intersect([completed('countId', Type.Array(Counted)), Type.Object({ countedAt: Instant })]) },
          ...COMMAND_CODES,
          'STORE_REQUIRED',
          'INSUFFICIENT_STOCK',
          'COUNT_SUPERSEDED',
          'COUNT_CONTENDED',
          'LEVEL_LIMIT',
          'VERSION_MISMATCH',
          'HISTORY_BEHIND',
        ),
      },
    },
    async (request, reply) => sendPerformed(reply, await count(service, request, request.body)),
  );
}

async function count(service: Service, request: FastifyRequest, body: Static<typeof CountBody>): Promise<Performed> {
  const operationId = requiredOperationId(request, body.transactionId);
  const caller = callerOf(request);
  const storeId = namedStore(body.storeId ?? caller.storeId);
  const countedAt = countedAtOf(service, body.countedAt);
  const counted = countedItems(storeId, body);
  const expected = expectedVersionOfOnly(request, counted.length);
  const hqId = requireHq(caller, 'manage-stock', body.hqId);
  requireStore(caller, storeId);
  const fingerprint = fingerprintOf('count', body.storeId === undefined ? storeId : '', body);
  const operation = { hqId, operationId, fingerprint };
  const book = (items: readonly CountItem[]) => {
    const command = { type: 'count' as const, countedAt, items: [...items], reason: body.reason, ...expected };
    return perform(service, request, { ...operation, command }, countAnswer);
  };
  if (countedAt === null) return book(counted);
  // Two counts of one store would make each other compute again.
  return service.running.locks.preferablyAlone([storeLock(hqId, storeId)], request.id, async () => {
    for (let times = 1; ; times += 1) {
      const performed = await book(await againstThen(service, hqId, counted, countedAt));
      const { execution } = performed;
      const stale = execution.status === 'observed' && execution.outcome.status === 'stale-count';
      if (!stale || times === COMPUTED_TIMES_MAX) return performed;
    }
  });
}

function countedAtOf(service: Service, text: string | undefined): number | null {
  if (text === undefined) return null;
  const countedAt = instantOf('countedAt', text);
  if (countedAt > service.running.now()) throw new Problem('VALIDATION_FAILED', `countedAt is in the future: ${text}`);
  return countedAt;
}

/** Equal lines are shelves of one product: their counts are summed. */
function countedItems(storeId: string, body: Static<typeof CountBody>): CountItem[] {
  const now = { onHandThen: null, basedOn: null };
  return foldEqualLines(
    body.items.map(({ productId, counted }) => ({ storeId, productId, counted, ...now })),
    (into: CountItem, other) => {
      into.counted += other.counted;
    },
  );
}

/** Each line with what was on hand then, and the count that this rests on. */
async function againstThen(
  service: Service,
  hqId: string,
  items: readonly CountItem[],
  countedAt: number,
): Promise<CountItem[]> {
  const { engine, executor, history } = service.running;
  // A sale that was decided before the count may not be recorded yet, and history shows only what is.
  await executor.settled(await engine.head(hqId));
  const then = await history.onHandAt(hqId, items, countedAt);
  const byProduct = new Map(then.map((level) => [level.productId, level]));
  return items.map((item) => {
    const level = byProduct.get(item.productId);
    return { ...item, onHandThen: level?.onHand ?? 0, basedOn: level?.lastCount ?? null };
  });
}
