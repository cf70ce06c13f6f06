/** A shop of its own for each case, whose orders come by event: messages in, what is published and left over out. */

import type { StockEvent } from '../../src/events/event-feed.ts';
import { eventsOf } from '../../src/events/events-of.ts';
import type { Handling } from '../../src/ordering/handling/handling.ts';
import { OrderHandler } from '../../src/ordering/handling/order-handling.ts';
import type { OrderMessage, SoldLine } from '../../src/ordering/messages/message.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Entry, Hold } from '../../src/stock/entry.ts';
import { newReservationId, partitionOf, reservationIdOfOrder } from '../../src/stock/identifiers.ts';
import type { OrderRig } from './order-rigs.ts';

export const ORDER = 'ORD-1';
const UNSET = { safetyStock: null, lowThreshold: null };
const TTL_MS = 60_000;
let shops = 0;

type Topic = OrderMessage['topic'];
interface Envelope {
  topic?: Topic;
  eventId?: string;
}

/** Lines as `S1/P1 2`; without a store: `P1 2`. */
export function lines(...texts: string[]): SoldLine[] {
  return texts.map((text) => {
    const [place = '', quantity] = text.split(' ');
    const [storeId, productId] = place.includes('/') ? place.split('/') : [null, place];
    return { storeId: storeId ?? null, productId: productId ?? '', quantity: Number(quantity) };
  });
}

export class ShopOrders {
  readonly hqId: string;
  readonly rig: OrderRig;
  readonly orders: OrderHandler;
  #events = 0;

  private constructor(rig: OrderRig, hqId: string, orders: OrderHandler) {
    this.rig = rig;
    this.hqId = hqId;
    this.orders = orders;
  }

  /** Stores S1 and S2, products P1 and P2, ten of each everywhere. */
  static async open(rig: OrderRig): Promise<ShopOrders> {
    shops += 1;
    const shop = new ShopOrders(rig, `HQ${shops}`, new OrderHandler(rig.parts));
    for (const storeId of ['S1', 'S2']) await shop.command({ type: 'configure-store', storeId, settings: UNSET });
    for (const productId of ['P1', 'P2']) await shop.command({ type: 'configure-product', productId, settings: UNSET });
    const items = ['S1', 'S2'].flatMap((storeId) =>
      ['P1', 'P2'].map((productId) => ({ storeId, productId, quantity: 10 })),
    );
    await shop.command({ type: 'receive', items });
    return shop;
  }

  /** As over HTTP: under an id of the caller's own. */
  async command(command: Command): Promise<Entry> {
    this.#events += 1;
    const operationId = `http-${this.#events}`;
    const execution = await this.rig.parts.executor.execute({
      actor: { subject: 'till', role: 'pos' },
      origin: 'http',
      correlationId: operationId,
      causationId: null,
      hqId: this.hqId,
      operationId,
      fingerprint: operationId,
      command,
    });
    if (execution.status !== 'recorded') throw new Error(`${command.type} was answered ${JSON.stringify(execution)}`);
    return execution.entry;
  }

  async reserveOverHttp(...texts: string[]): Promise<string> {
    const reservationId = newReservationId(partitionOf(this.hqId));
    const items = lines(...texts).map((line) => ({ ...line, storeId: line.storeId ?? 'S1' }));
    await this.command({
      type: 'reserve',
      reservationId,
      storeId: 'S1',
      transactionId: reservationId,
      ttlMs: TTL_MS,
      items,
    });
    return reservationId;
  }

  message(body: DistributiveOmit<OrderMessage['body'], 'hqId'>, { topic, eventId }: Envelope = {}): OrderMessage {
    this.#events += 1;
    const topics = {
      placed: 'order.placed',
      completed: 'order.completed',
      cancelled: 'order.cancelled',
      'sku-created': 'sku.created',
    } as const;
    return {
      topic: topic ?? topics[body.kind],
      key: ORDER,
      eventId: eventId ?? `evt-${this.#events}`,
      source: '/shop',
      correlationId: 'visit-1',
      encrypted: false,
      body: { ...body, hqId: this.hqId } as OrderMessage['body'],
    };
  }

  placed(texts: string[] = ['S1/P1 2'], envelope?: Envelope & { orderId?: string; ttlMs?: number }): OrderMessage {
    const items = lines(...texts).map((line) => ({ ...line, storeId: line.storeId ?? 'S1' }));
    const { orderId = ORDER, ttlMs = TTL_MS } = envelope ?? {};
    return this.message({ kind: 'placed', orderId, storeId: 'S1', items, ttlMs }, envelope);
  }

  completed(
    texts: string[] | null = ['S1/P1 2'],
    envelope?: Envelope & { reservationId?: string; orderId?: string },
  ): OrderMessage {
    const { reservationId = null, orderId = ORDER } = envelope ?? {};
    const items = texts === null ? null : lines(...texts);
    return this.message({ kind: 'completed', orderId, reservationId, items }, envelope);
  }

  cancelled(envelope?: Envelope & { reservationId?: string }): OrderMessage {
    const { reservationId = null } = envelope ?? {};
    return this.message({ kind: 'cancelled', orderId: ORDER, reservationId, reason: null }, envelope);
  }

  created(skuId: string, initialStock: number, storeId = 'HQ', name = ''): OrderMessage {
    return this.message({ kind: 'sku-created', skuId, initialStock, storeId, name });
  }

  handle(message: OrderMessage): Promise<Handling> {
    return this.orders.handle(message);
  }

  /** `done`, `done again`, `early`, or why it was parked or is to be tried again. */
  async tell(message: OrderMessage): Promise<string> {
    return told(await this.handle(message));
  }

  async giveUp(message: OrderMessage): Promise<string> {
    return told(await this.orders.giveUp(message));
  }

  entries(): Promise<Entry[]> {
    return this.rig.entries(this.hqId);
  }

  /** All that is published from the shop's opening on. */
  async events(): Promise<StockEvent[]> {
    return (await this.entries()).flatMap(eventsOf).filter(({ data }) => !isOpening(data));
  }

  /** `type reason` of all that is published; `stock.updated` with level and change. */
  async published(): Promise<string[]> {
    return (await this.events()).map(({ type, data }) => {
      const { reason, storeId, productId, changeAmount } = data as Record<string, unknown>;
      if (type === 'stock.updated') return `${type} ${storeId}/${productId} ${changeAmount}`;
      return reason === undefined ? type : `${type} ${reason}`;
    });
  }

  /** On hand and reserved, as `10 2`. */
  async level(storeId = 'S1', productId = 'P1'): Promise<string> {
    const [level] = await this.rig.engine.levels(this.hqId, [{ storeId, productId }]);
    return `${level?.onHand} ${level?.reserved}`;
  }

  async hold(reservationId = reservationIdOfOrder(this.hqId, ORDER)): Promise<Hold | null> {
    return (await this.rig.parts.history.reservation(reservationId))?.hold ?? null;
  }
}

type DistributiveOmit<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;

function isOpening(data: unknown): boolean {
  const { changeReason, changeAmount, referenceId } = data as Record<string, unknown>;
  return changeReason === 'RECEIPT' && changeAmount === 10 && String(referenceId).startsWith('http-');
}

export function told(handling: Handling): string {
  switch (handling.status) {
    case 'done':
      return handling.replayed ? 'done again' : 'done';
    case 'early':
      return 'early';
    case 'park':
      return `park ${handling.code}`;
    case 'retry':
      return `retry${handling.away === true ? ' away' : ''}: ${handling.reason}`;
  }
}
