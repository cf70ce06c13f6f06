/** Random steps over few HQs, stores and products and small quantities, so that refusals are common. */
import fc from 'fast-check';
import { type AnswerOrder, type Command, type Item, sumItems } from '../../src/stock/commands.ts';
import { isSystemOperationId, reservationIdOfOrder } from '../../src/stock/identifiers.ts';
import type { EngineRun } from './engine-run.ts';
import type { ModelRequest } from './stock-model.ts';

/** The first two share a partition. */
export const HQ_IDS = ['A', 'AH', 'B'] as const;
export const STORE_IDS = ['HQ', 'S1', 'S2', 'S9'] as const;
export const PRODUCT_IDS = ['P1', 'P2', 'P9'] as const;

/** A step without the names that only the run knows: reservations and past requests are numbers. */
export type Step =
  | { kind: 'command'; hq: number; id: IdChoice; draft: Draft }
  | { kind: 'tick'; ms: number; sweep: boolean };

type IdChoice = { use: 'fresh' } | { use: 'none' } | { use: 'repeat'; back: number; sameBody: boolean };

export type Draft =
  | {
      type: 'items';
      as: 'receive' | 'issue' | 'adjust' | 'distribute' | 'transfer';
      items: Item[];
      to: string;
      version: number | null;
    }
  | { type: 'count'; items: Item[]; agoMs: number | null; fresh: boolean }
  | { type: 'configure'; as: 'store' | 'product' | 'level'; item: Item; safety: number | null; low: number | null }
  | { type: 'reserve'; items: Item[]; ttlMs: number; order: number | null; byEvent: boolean }
  | { type: 'confirm'; hold: number; order: number; items: Item[] | null; keepRest: boolean; scope: string | null }
  | { type: 'release'; hold: number; scope: string | null }
  | { type: 'extend'; hold: number; ttlMs: number; scope: string | null }
  | { type: 'answer'; event: AnswerOrder['event']; order: number; items: Item[]; named: boolean };

const store = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('HQ', 'S1', 'S2') },
  { weight: 1, arbitrary: fc.constant('S9') },
);
const product = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('P1', 'P2') },
  { weight: 1, arbitrary: fc.constant('P9') },
);
const item = fc.record({ storeId: store, productId: product, quantity: fc.integer({ min: 1, max: 4 }) });
const items = fc.array(item, { minLength: 1, maxLength: 3 }).map(sumItems);
const maybe = <T>(value: fc.Arbitrary<T>, often: number) => fc.option(value, { nil: null, freq: often });
const ttlMs = fc.constantFrom(1_000, 60_000, 3_600_000);
const hold = fc.nat({ max: 5 });
const order = fc.nat({ max: 2 });
const scope = maybe(fc.constantFrom('S1', 'S2'), 1);

const draft: fc.Arbitrary<Draft> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('items' as const),
      as: fc.constantFrom('receive', 'issue', 'adjust', 'distribute', 'transfer'),
      items,
      to: store,
      version: maybe(fc.nat({ max: 4 }), 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('count' as const),
      items,
      agoMs: maybe(fc.constantFrom(0, 500, 1_000, 60_000, -1_000), 3),
      fresh: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('configure' as const),
      as: fc.constantFrom('store', 'product', 'level'),
      item,
      safety: maybe(fc.nat({ max: 3 }), 2),
      low: maybe(fc.nat({ max: 3 }), 2),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      type: fc.constant('reserve' as const),
      items,
      ttlMs,
      order: maybe(order, 1),
      byEvent: fc.boolean(),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      type: fc.constant('confirm' as const),
      hold,
      order,
      items: maybe(items, 2),
      keepRest: fc.boolean(),
      scope,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('release' as const), hold, scope }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('extend' as const), hold, ttlMs, scope }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('answer' as const),
      event: fc.constantFrom('placed', 'completed', 'cancelled'),
      order,
      items: fc.oneof(items, fc.constant<Item[]>([])),
      named: fc.boolean(),
    }),
  },
);

const id: fc.Arbitrary<IdChoice> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ use: 'fresh' as const }) },
  { weight: 1, arbitrary: fc.constant({ use: 'none' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ use: fc.constant('repeat' as const), back: fc.nat({ max: 7 }), sameBody: fc.boolean() }),
  },
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('command' as const), hq: fc.constantFrom(0, 0, 0, 1, 2), id, draft }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('tick' as const),
      ms: fc.constantFrom(1, 500, 1_000, 60_000, 3_700_000, -2_000),
      sweep: fc.boolean(),
    }),
  },
);

/** Turns steps into requests: it knows which reservations and requests there were. */
export class Requests {
  readonly #run: EngineRun;
  readonly #made: ModelRequest[] = [];
  #nextId = 1;

  constructor(run: EngineRun) {
    this.#run = run;
  }

  of({ hq, id: choice, draft: wanted }: Extract<Step, { kind: 'command' }>): ModelRequest {
    const earlier = choice.use === 'repeat' ? this.#made.at(-1 - choice.back) : undefined;
    if (earlier !== undefined && choice.use === 'repeat' && choice.sameBody)
      return again(earlier, this.#newReservation(earlier));
    const hqId = earlier?.hqId ?? (HQ_IDS[hq] as string);
    const drafted = this.#commandOf(hqId, wanted);
    this.#nextId += 1;
    const needsId = drafted.type === 'reserve' || drafted.type === 'answer-order' || choice.use !== 'none';
    const operationId = earlier?.operationId ?? (needsId ? `${firstOf(wanted)}-${this.#nextId}` : null);
    const command = namedAfterOrder(hqId, operationId, drafted);
    const request = { hqId, operationId, body: operationId === null ? null : `body-${this.#nextId}`, command };
    this.#made.push(request);
    return request;
  }

  /** A repeated reserve comes with a reservation id of its own, as a route makes it. */
  #newReservation(earlier: ModelRequest): string {
    this.#nextId += 1;
    return reservationId(earlier.hqId, this.#nextId);
  }

  #commandOf(hqId: string, wanted: Draft): Command {
    switch (wanted.type) {
      case 'items':
        return movement(wanted);
      case 'configure':
        return configuration(wanted);
      case 'count':
        return this.#count(hqId, wanted);
      case 'reserve': {
        this.#nextId += 1;
        const { items: wants, ttlMs: ttl, order: forOrder } = wanted;
        const transactionId = `trx-${this.#nextId}`;
        const orderId = forOrder === null ? {} : { orderId: `O${forOrder}` };
        const storeId = wants[0]?.storeId ?? 'S1';
        return {
          type: 'reserve',
          reservationId: reservationId(hqId, this.#nextId),
          storeId,
          transactionId,
          ttlMs: ttl,
          items: wants,
          ...orderId,
        };
      }
      case 'answer':
        return answer(wanted);
      default: {
        const holds = [...this.#run.model.hq(hqId).holds.values()];
        const chosen = holds.at(-1 - wanted.hold)?.id ?? reservationId(hqId, 0);
        const storeScope = wanted.scope === null ? {} : { storeScope: wanted.scope };
        if (wanted.type === 'release') return { type: 'release', reservationId: chosen, ...storeScope };
        if (wanted.type === 'extend')
          return { type: 'extend', reservationId: chosen, ttlMs: wanted.ttlMs, ...storeScope };
        const part = wanted.items === null ? {} : { items: wanted.items };
        const orderId = `O${wanted.order}`;
        return { type: 'confirm', reservationId: chosen, orderId, keepRest: wanted.keepRest, ...part, ...storeScope };
      }
    }
  }

  /** A count computed now, or (not `fresh`) one that rests on an earlier look. */
  #count(hqId: string, { items: counted, agoMs, fresh }: Extract<Draft, { type: 'count' }>): Command {
    const levels = this.#run.model.hq(hqId).levels;
    return {
      type: 'count',
      countedAt: agoMs === null ? null : this.#run.clock.nowMs - agoMs,
      reason: 'r',
      items: counted.map(({ storeId, productId, quantity }) => {
        const level = levels.get(`${storeId} ${productId}`);
        const last = level?.lastCount ?? null;
        const basedOn = fresh ? last : null;
        return {
          storeId,
          productId,
          counted: quantity - 1,
          onHandThen: agoMs === null ? null : (level?.onHand ?? 0),
          basedOn,
        };
      }),
    };
  }
}

function again(earlier: ModelRequest, newReservationId: string): ModelRequest {
  const { hqId, operationId, command } = earlier;
  if (command.type !== 'reserve') return earlier;
  return {
    ...earlier,
    command: namedAfterOrder(hqId, operationId, { ...command, reservationId: newReservationId }),
  };
}

/** What the operation ids of a draft begin with. */
function firstOf(wanted: Draft): string {
  return wanted.type === 'answer' || (wanted.type === 'reserve' && wanted.byEvent) ? 'order/placed/O' : 'op';
}

/** A reserve by event makes the reservation of its order, whenever it is decided. */
function namedAfterOrder(hqId: string, operationId: string | null, command: Command): Command {
  if (command.type !== 'reserve' || operationId === null || !isSystemOperationId(operationId)) return command;
  return { ...command, reservationId: reservationIdOfOrder(hqId, operationId) };
}

function movement({ as, items: wanted, to, version }: Extract<Draft, { type: 'items' }>): Command {
  const expected = version === null ? {} : { expectedVersion: version };
  switch (as) {
    case 'receive':
    case 'issue':
      return { type: as, items: wanted, ...expected };
    case 'adjust': {
      const changes = wanted.map(({ storeId, productId, quantity }) => ({ storeId, productId, change: quantity - 3 }));
      return { type: 'adjust', items: changes, reason: 'r', ...expected };
    }
    default: {
      const from = as === 'distribute' ? 'HQ' : (wanted[0]?.storeId ?? 'S1');
      const target = to === from ? (from === 'S1' ? 'S2' : 'S1') : to;
      const moved = sumItems(wanted.map((each) => ({ ...each, storeId: from })));
      return as === 'distribute'
        ? { type: 'distribute', storeId: target, items: moved, reason: 'r' }
        : { type: 'transfer', fromStoreId: from, toStoreId: target, items: moved, reason: 'r' };
    }
  }
}

function answer({ event, order: ofOrder, items: wanted, named }: Extract<Draft, { type: 'answer' }>): Command {
  const reason = event === 'completed' ? 'UNKNOWN_RESERVATION' : 'CANCELLED';
  const names = named ? { reservationId: 'RES-1', storeId: 'S1' } : {};
  return { type: 'answer-order', event, orderId: `O${ofOrder}`, ...names, items: wanted, reason };
}

function configuration({
  as,
  item: { storeId, productId },
  safety,
  low,
}: Extract<Draft, { type: 'configure' }>): Command {
  const settings = { safetyStock: as === 'store' ? null : safety, lowThreshold: low };
  if (as === 'store') return { type: 'configure-store', storeId, settings };
  return as === 'product'
    ? { type: 'configure-product', productId, settings }
    : { type: 'configure-level', storeId, productId, settings };
}

/** Only the last three digits of the partition's reservation ids differ. */
function reservationId(hqId: string, number: number): string {
  return `rsv_${partitions.get(hqId)}_${number.toString(16).padStart(24, '0')}`;
}

const partitions = new Map<string, number>();

export function setPartitions(of: (hqId: string) => number): void {
  for (const hqId of HQ_IDS) partitions.set(hqId, of(hqId));
}
