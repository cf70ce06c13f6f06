/** What callers of the benchmarks ask for. */
import { randomUUID } from 'node:crypto';
import type { Execution } from '../../server/src/recording/command-executor.ts';
import type { Item } from '../../server/src/stock/commands.ts';
import { newReservationId, partitionOf } from '../../server/src/stock/identifiers.ts';
import type { Work } from '../load/closed-loop.ts';
import { execute, type Installation } from './installation.ts';
import { HQ, productId, type Stock, storeId } from './stock.ts';

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
        await reserve(installation, [itemAt(stock, Math.floor(Math.random() * stock.stores))]);
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

const partition = partitionOf(HQ);

/** Callers' ids are random, so the index over them is written at random places: the hard case. */
function askToReserve(installation: Installation, reservationId: string, items: Item[]): Promise<Execution> {
  const transactionId = randomUUID();
  const sellingStore = items[0]?.storeId ?? '';
  const command = {
    type: 'reserve' as const,
    reservationId,
    storeId: sellingStore,
    transactionId,
    ttlMs: TTL_MS,
    items,
  };
  return execute(installation, command, transactionId);
}

async function reserve(installation: Installation, items: Item[]): Promise<string> {
  const reservationId = newReservationId(partition);
  expectOutcome(await askToReserve(installation, reservationId, items), 'reserved');
  return reservationId;
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

/** One unit of the hot product; a refusal costs no more than it must, for most answers of an overload are one. */
export async function tryReserve(installation: Installation): Promise<'done' | 'refused'> {
  const answer = await askToReserve(installation, newReservationId(partition), [HOT]);
  if (answer.status === 'unavailable' && answer.reason === 'overloaded') return 'refused';
  expectOutcome(answer, 'reserved');
  return 'done';
}

async function confirm(installation: Installation, reservationId: string): Promise<void> {
  const orderId = `ORD-${reservationId.slice(-12)}`;
  const command = { type: 'confirm' as const, reservationId, orderId, keepRest: false };
  expectOutcome(await execute(installation, command, randomUUID()), 'confirmed');
}
