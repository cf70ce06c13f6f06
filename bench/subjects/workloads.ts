/** What callers of the benchmarks ask for. */
import { randomUUID } from 'node:crypto';
import type { Execution } from '../../server/src/recording/command-executor.ts';
import type { Command, Item } from '../../server/src/stock/commands.ts';
import { newReservationId, partitionOf } from '../../server/src/stock/identifiers.ts';
import type { CommandRequest } from '../../server/src/stock/stock-engine.ts';
import type { Work } from '../load/closed-loop.ts';
import { execute, type Installation, requestOf } from './installation.ts';
import { HQ, hqId, productId, type Stock, storeId } from './stock.ts';

/**
 * `reserve`: one unit of a product at a store, both by chance. `basket`: five products of one store, counted in
 * lines. `confirm`: a reservation, then its confirmation, counted as one.
 */
export type Workload = 'reserve' | 'basket' | 'confirm';

const BASKET_LINES = 5;
/** No hold expires while it is measured. */
const TTL_MS = 3_600_000;

export function workOf(workload: Workload, installation: Installation, stock: Stock): Work {
  switch (workload) {
    case 'reserve':
      return async () => {
        const hq = hqId(Math.floor(Math.random() * (stock.hqs ?? 1)));
        await reserve(installation, [itemAt(stock, Math.floor(Math.random() * stock.stores))], hq);
        return 1;
      };
    case 'basket':
      return async () => {
        await reserve(installation, basket(stock));
        return BASKET_LINES;
      };
    case 'confirm':
      return async () => {
        const items = [itemAt(stock, Math.floor(Math.random() * stock.stores))];
        await confirm(installation, await reserve(installation, items));
        return 1;
      };
  }
}

function itemAt(stock: Stock, store: number): Item {
  return { storeId: storeId(store), productId: productId(Math.floor(Math.random() * stock.products)), quantity: 1 };
}

function basket(stock: Stock): Item[] {
  const store = Math.floor(Math.random() * stock.stores);
  const items = new Map<string, Item>();
  while (items.size < BASKET_LINES) {
    const item = itemAt(stock, store);
    items.set(item.productId, item);
  }
  return [...items.values()];
}

/** Callers' ids are random, so the index over them is written at random places: the hard case. */
function reservationOf(items: Item[], hq: string): Extract<Command, { type: 'reserve' }> {
  return {
    type: 'reserve',
    reservationId: newReservationId(partitionOf(hq)),
    storeId: items[0]?.storeId ?? '',
    transactionId: randomUUID(),
    ttlMs: TTL_MS,
    items,
  };
}

async function reserve(installation: Installation, items: Item[], hq = HQ): Promise<string> {
  const command = reservationOf(items, hq);
  expectOutcome(await execute(installation, command, command.transactionId, hq), 'reserved');
  return command.reservationId;
}

/** The installation has too much to do: it said so, and did nothing. */
class Overloaded extends Error {}

function expectOutcome(answer: Execution, expected: 'reserved' | 'confirmed'): void {
  if (answer.status === 'recorded' && answer.entry.outcome.status === expected) return;
  if (answer.status === 'unavailable' && answer.reason === 'overloaded') throw new Overloaded('overloaded');
  throw new Error(`instead of ${expected} the answer was ${JSON.stringify(answer)}`);
}

/** The same work for a load that does not wait for its answers, where a refusal is one. */
export function refusable(work: Work): () => Promise<'done' | 'refused'> {
  return async () => {
    try {
      await work();
      return 'done';
    } catch (error) {
      if (error instanceof Overloaded) return 'refused';
      throw error;
    }
  };
}

const HOT: Item = { storeId: storeId(0), productId: productId(0), quantity: 1 };

/** A request for one unit of the hot product. */
export function hotReservation(): CommandRequest {
  const command = reservationOf([HOT], HQ);
  return requestOf(command, command.transactionId);
}

/** One unit of the hot product; a refusal costs no more than it must, for most answers of an overload are one. */
export async function tryReserve(installation: Installation): Promise<'done' | 'refused'> {
  const command = reservationOf([HOT], HQ);
  const answer = await execute(installation, command, command.transactionId);
  if (answer.status === 'unavailable' && answer.reason === 'overloaded') return 'refused';
  expectOutcome(answer, 'reserved');
  return 'done';
}

async function confirm(installation: Installation, reservationId: string): Promise<void> {
  const orderId = `ORD-${reservationId.slice(-12)}`;
  const command = { type: 'confirm' as const, reservationId, orderId, keepRest: false };
  expectOutcome(await execute(installation, command, randomUUID()), 'confirmed');
}
