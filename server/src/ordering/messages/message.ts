/** What other teams' services send us, as it arrived: nothing of it is believed yet. */
import type { ConsumedTopic } from '../../events/topics.ts';

export interface ConsumedMessage {
  topic: ConsumedTopic;
  /** Of the broker; the inbox of this installation has one partition, 0. */
  partition: number;
  offset: bigint;
  key: string | null;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  value: Uint8Array | null;
  /** When the broker, or the inbox, took it; epoch milliseconds. */
  at: number;
}

/** A line of an order. `price` is per unit, in the currency's minor unit. */
export interface OrderLine {
  storeId: string;
  productId: string;
  quantity: number;
  price?: number;
}

/** A line of what was sold. `storeId` null: neither the line nor its event names one; it is where the reservation holds the product. */
export interface SoldLine extends Omit<OrderLine, 'storeId'> {
  storeId: string | null;
}

interface OrderEvent {
  hqId: string;
  orderId: string;
}

/** Normalised like a command: ids and quantities are valid, equal lines are summed, each line of an order names its location. */
export type OrderEventBody =
  | (OrderEvent & { kind: 'placed'; storeId: string; items: OrderLine[]; ttlMs: number })
  /** Without `items`: all that is held. */
  | (OrderEvent & { kind: 'completed'; reservationId: string | null; items: SoldLine[] | null })
  | (OrderEvent & { kind: 'cancelled'; reservationId: string | null; reason: string | null })
  /** `initialStock` 0: none. `storeId` is the HQ pool's where none is named. */
  | { kind: 'sku-created'; hqId: string; skuId: string; name: string; initialStock: number; storeId: string };

/** Null: it is about a product. */
export function orderIdOf(body: OrderEventBody): string | null {
  return body.kind === 'sku-created' ? null : body.orderId;
}

/** A message that could be read. */
export interface OrderMessage {
  topic: ConsumedTopic;
  /** What its order is kept by: the message's key, else the order's or product's id. */
  key: string;
  eventId: string;
  /** Who says so: the CloudEvent's `source`, else the topic. */
  source: string;
  correlationId: string;
  /** Its value was: nothing of it may be told in plain. */
  encrypted: boolean;
  body: OrderEventBody;
}

/** Why a message cannot be read; it is parked alone. The ids are what could be read of it. */
export interface UnreadableMessage {
  code: UnreadableCode;
  /** What is wrong, and where. */
  reason: string;
  hqId: string | null;
  orderId: string | null;
  eventId: string | null;
}

export type UnreadableCode =
  | 'TOO_LARGE'
  | 'NOT_JSON'
  | 'UNKNOWN_ENVELOPE'
  | 'UNKNOWN_SCHEMA'
  | 'WRONG_TYPE'
  | 'INVALID'
  | 'UNKNOWN_KEY_ID'
  | 'NOT_AUTHENTIC';

/** @see readMessage in `read-message.ts` */
export type ReadResult = { ok: true; message: OrderMessage } | ({ ok: false } & UnreadableMessage);
export type ReadMessage = (message: ConsumedMessage) => ReadResult;
