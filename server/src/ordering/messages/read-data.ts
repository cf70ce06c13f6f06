/** Data that fits its schema, normalised like a command. */
import type { ConsumedData } from '../../events/catalogue/consumed.ts';
import type { ConsumedTopic } from '../../events/topics.ts';
import { foldEqualLines } from '../../stock/commands.ts';
import { HQ_POOL, QUANTITY_MAX, TTL_MS_DEFAULT } from '../../stock/limits.ts';
import { dataProblem } from './data-problem.ts';
import { marked } from './foreign-text.ts';
import type { OrderEventBody, OrderLine } from './message.ts';
import type { Fields } from './read-envelope.ts';

type Read<T> = { ok: true; value: T } | { ok: false; reason: string };

type Placed = ConsumedData<'order.placed'>;
type Completed = ConsumedData<'order.completed'>;
type Cancelled = ConsumedData<'order.cancelled'>;
type Created = ConsumedData<'sku.created'>;

/** `reason` says what is wrong, and where. */
export function readData(topic: ConsumedTopic, data: Fields): Read<OrderEventBody> {
  const problem = dataProblem(topic, data);
  if (problem !== null) return { ok: false, reason: problem };
  switch (topic) {
    case 'order.placed':
      return placed(data as unknown as Placed);
    case 'order.completed':
    case 'order.confirmed':
      return completed(data as unknown as Completed);
    case 'order.cancelled':
      return { ok: true, value: cancelled(data as unknown as Cancelled) };
    case 'sku.created':
      return { ok: true, value: created(data as unknown as Created) };
  }
}

function placed({ orderId, hqId, storeId, items, ttlMs }: Placed): Read<OrderEventBody> {
  const lines = linesOf(items, storeId);
  if (!lines.ok) return lines;
  const value = { kind: 'placed', hqId, orderId, storeId, items: lines.value, ttlMs: ttlMs ?? TTL_MS_DEFAULT } as const;
  return { ok: true, value };
}

function completed({ orderId, hqId, reservationId = null, storeId, items }: Completed): Read<OrderEventBody> {
  const body = { kind: 'completed', hqId, orderId, reservationId } as const;
  if (items == null) return { ok: true, value: { ...body, items: null } };
  const lines = linesOf(items, storeId ?? null);
  return lines.ok ? { ok: true, value: { ...body, items: lines.value } } : lines;
}

function cancelled({ orderId, hqId, reservationId = null, reason = null }: Cancelled): OrderEventBody {
  return { kind: 'cancelled', hqId, orderId, reservationId, reason: reason === '' ? null : reason };
}

function created({ hqId, skuId, name, initialStock, storeId }: Created): OrderEventBody {
  const stock = { initialStock: initialStock ?? 0, storeId: storeId ?? HQ_POOL };
  return { kind: 'sku-created', hqId, skuId, name: name == null || name === '' ? skuId : name, ...stock };
}

interface ForeignLine {
  productId: string;
  storeId?: string | null;
  quantity: number;
  actualPrice?: number | null;
}

type Line<Store> = Omit<OrderLine, 'storeId'> & { storeId: string | Store };

/** A line without a store is the order's; where that names none either, it stays without. */
function linesOf<Store extends string | null>(items: readonly ForeignLine[], orderStoreId: Store): Read<Line<Store>[]> {
  const lines = items.map(({ productId, quantity, actualPrice, storeId: own }) => {
    const line: Line<Store> = { storeId: own ?? orderStoreId, productId, quantity };
    return actualPrice == null ? line : { ...line, price: actualPrice };
  });
  const value = foldEqualLines(lines, (into, other) => {
    into.quantity += other.quantity;
  });
  const tooMany = value.find(({ quantity }) => quantity > QUANTITY_MAX);
  if (tooMany === undefined) return { ok: true, value };
  const { productId, storeId, quantity } = tooMany;
  const where = storeId === null ? '' : ` at ${marked(storeId)}`;
  const reason = `the lines of ${marked(productId)}${where} come to ${marked(quantity)}, but they may come to ${QUANTITY_MAX} at most`;
  return { ok: false, reason };
}
