/** What an order's event is remembered by: its operation ids, which name the order, and the fingerprint of what it asks for. */
import { hash } from 'node:crypto';
import type { Item } from '../../stock/commands.ts';
import { type Hold, type HoldItem, heldStill } from '../../stock/entry.ts';
import { levelKey } from '../../stock/rules/read-plan.ts';
import type { OrderEventBody, SoldLine } from '../messages/message.ts';

/** The body of one kind of event. */
export type Body<Kind extends OrderEventBody['kind']> = Extract<OrderEventBody, { kind: Kind }>;

/** The first part of an id is the event that it is for; a last one is for what had to be answered instead. */
export const operationIdOf = {
  placed: (orderId: string) => `order/placed/${orderId}`,
  placedAfterCancellation: (orderId: string) => `order/placed/${orderId}/cancelled`,
  completed: (orderId: string) => `order/completed/${orderId}`,
  completedAfterCancellation: (orderId: string) => `order/completed/${orderId}/cancelled`,
  completedWithoutReservation: (orderId: string) => `order/completed/${orderId}/unknown`,
  cancelled: (orderId: string) => `order/cancelled/${orderId}`,
  /** Of an order that came beside the reservation that its cancellation named. */
  cancelledBeside: (orderId: string) => `order/cancelled/${orderId}/placed`,
  skuCreated: (skuId: string) => `sku/created/${skuId}`,
};

/** The same for every cancellation of an order, whatever it names beside it. */
export const CANCELLATION = digest(['cancellation']);

/** Of what an event asks for: ids and quantities in any order of its lines; no prices, no texts, no times. */
export function fingerprintOf(body: OrderEventBody): string {
  switch (body.kind) {
    case 'placed':
      return digest([body.kind, body.storeId, linesOf(body.items)]);
    case 'completed':
      return digest([body.kind, body.reservationId, body.items === null ? null : linesOf(body.items)]);
    case 'cancelled':
      return digest([body.kind, body.reservationId]);
    case 'sku-created':
      return digest([body.kind, body.storeId, body.initialStock]);
  }
}

function linesOf(lines: readonly SoldLine[]): string[] {
  return lines.map(({ storeId, productId, quantity }) => `${storeId ?? ''}/${productId}/${quantity}`).sort();
}

function digest(parts: unknown): string {
  return hash('sha256', JSON.stringify(parts), 'base64url');
}

/** Lines whose location is known. */
export function locatedLines(lines: readonly SoldLine[]): Item[] {
  return lines.flatMap(({ storeId, productId, quantity }) =>
    storeId === null ? [] : [{ storeId, productId, quantity }],
  );
}

/**
 * Lines as a reservation holds them: one that names no store is taken from wherever its product is held, in the order
 * of the reservation's items; what is over is asked of the last of them, so that the refusal tells of it.
 */
export function linesWithin(hold: Hold, lines: readonly SoldLine[]): Item[] {
  const asked = new Map<string, Item>();
  const ask = (storeId: string, productId: string, quantity: number) => {
    if (quantity === 0) return;
    const key = levelKey({ storeId, productId });
    const known = asked.get(key);
    if (known === undefined) asked.set(key, { storeId, productId, quantity });
    else known.quantity += quantity;
  };
  for (const { storeId, productId, quantity } of [...lines].sort(namedFirst)) {
    if (storeId !== null) {
      ask(storeId, productId, quantity);
      continue;
    }
    let left = quantity;
    const places = hold.items.filter((item) => item.productId === productId);
    for (const item of places) {
      const free = Math.max(0, givable(hold, item) - (asked.get(levelKey(item))?.quantity ?? 0));
      const taken = Math.min(left, free);
      ask(item.storeId, productId, taken);
      left -= taken;
    }
    ask(places.at(-1)?.storeId ?? hold.storeId, productId, left);
  }
  return [...asked.values()];
}

function namedFirst(one: SoldLine, other: SoldLine): number {
  return Number(one.storeId === null) - Number(other.storeId === null);
}

/** What a sale may take of an item: all of it again once the reservation is closed, as the rule has it. */
function givable({ status }: Hold, item: HoldItem): number {
  return status === 'partly_confirmed' ? heldStill(item) : item.reserved;
}

/** Whether what was sold of a reservation is what these lines ask for; null: all of it. */
export function isSoldAs(hold: Hold, lines: readonly SoldLine[] | null): boolean {
  if (lines === null) return hold.items.every(({ reserved, confirmed }) => confirmed === reserved);
  const asked = new Map(linesWithin(hold, lines).map((item) => [levelKey(item), item.quantity]));
  const isAsked = (item: HoldItem) => item.confirmed === (asked.get(levelKey(item)) ?? 0);
  const levels = new Set(hold.items.map(levelKey));
  return hold.items.every(isAsked) && [...asked.keys()].every((key) => levels.has(key));
}
