/**
 * Every event that Holdfast consumes: what its topic means, and the schema of its `data`, which other teams' services
 * write. It is read tolerantly: fields that are not here are ignored (`totalAmount` is one), and what may be absent may
 * be null. Within a version a schema only gains optional fields; a breaking change is a new version beside the old one.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { ID_PATTERN } from '../../stock/identifiers.ts';
import {
  LINES_MAX,
  QUANTITY_MAX,
  TEXT_LENGTH_MAX,
  TTL_MS_DEFAULT,
  TTL_MS_MAX,
  TTL_MS_MIN,
} from '../../stock/limits.ts';

/** Per unit, in the currency's minor unit. */
const PRICE_MAX = 1_000_000_000_000;

const Id = Type.String({ pattern: ID_PATTERN });
const Quantity = Type.Integer({ minimum: 1, maximum: QUANTITY_MAX, description: 'units' });
/** For people: no control characters, no halves of surrogate pairs. */
const Text = Type.String({ maxLength: TEXT_LENGTH_MAX, pattern: '^[^\\p{Cc}\\p{Cs}]*$' });

/** Two types in one schema, not a union of two: what is wrong is then told in one sentence. */
function orNull<T extends TSchema & { type: string }>(schema: T) {
  return Type.Optional(Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] }));
}

function lines<T extends TSchema>(line: T) {
  return Type.Array(line, { minItems: 1, maxItems: LINES_MAX });
}

/** One that is no id of ours (`OPERATION_ID_PATTERN`) is not used, and no reason to refuse an order. */
const correlationId = orNull(Type.String({ description: 'carried on to the events that follow' }));

/** As over HTTP, a line may name a store of its own. */
const storeId = orNull(Id);

const OrderPlaced = Type.Object({
  orderId: Id,
  hqId: Id,
  storeId: Id,
  items: lines(Type.Object({ productId: Id, storeId, quantity: Quantity })),
  ttlMs: orNull(
    Type.Integer({ minimum: TTL_MS_MIN, maximum: TTL_MS_MAX, description: `ms; ${TTL_MS_DEFAULT} if absent` }),
  ),
  correlationId,
});

/**
 * With `items`, `storeId` (theirs, else the order's, else wherever the reservation holds them) says where they were sold;
 * without, all that is held is.
 */
const OrderCompleted = Type.Object({
  orderId: Id,
  reservationId: orNull(Id),
  hqId: Id,
  storeId: orNull(Id),
  items: orNull(
    lines(
      Type.Object({
        productId: Id,
        storeId,
        quantity: Quantity,
        actualPrice: orNull(Type.Integer({ minimum: 0, maximum: PRICE_MAX, description: 'minor unit, per unit' })),
      }),
    ),
  ),
  correlationId,
});

const OrderCancelled = Type.Object({
  orderId: Id,
  reservationId: orNull(Id),
  hqId: Id,
  storeId: orNull(Id),
  reason: orNull(Text),
  correlationId,
});

const SkuCreated = Type.Object({
  skuId: Id,
  hqId: Id,
  name: orNull(Text),
  initialStock: orNull(Type.Integer({ minimum: 0, maximum: QUANTITY_MAX, description: 'units' })),
  storeId: orNull(Id),
  correlationId,
});

const paid = {
  version: 1,
  key: 'orderId',
  means: 'the order is paid',
  effect:
    'confirms the reservation (`reservationId`, else the one held for the order), all of it or the `items` that are ' +
    'named, each with its `storeId` or that of the order; what was reserved and not sold is released. Answers `stock.confirmed`, and `stock.updated` per level; or `stock.confirm.failed`',
  data: OrderCompleted,
} as const;

export const consumed = {
  'order.placed': {
    version: 1,
    key: 'orderId',
    means: 'an order was placed: reserve for it',
    effect: 'reserves, at most once per order. Answers `stock.reserved` or `stock.reservation.failed`',
    data: OrderPlaced,
  },
  'order.completed': paid,
  'order.confirmed': paid,
  'order.cancelled': {
    version: 1,
    key: 'orderId',
    means: 'the order was cancelled, or its payment failed',
    effect: 'releases what is held for it. Answers `stock.released`',
    data: OrderCancelled,
  },
  'sku.created': {
    version: 1,
    key: 'skuId',
    means: 'there is a new product',
    effect:
      'makes the product known, with its initial stock at the store that is named, else in the HQ pool. Answers ' +
      '`stock.updated` where there is some',
    data: SkuCreated,
  },
} as const;

export type ConsumedData<T extends keyof typeof consumed> = Static<(typeof consumed)[T]['data']>;
