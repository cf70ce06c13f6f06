/** Requests for tests that talk to an engine directly. */
import type { Command, Item } from '../../src/stock/commands.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { newReservationId, partitionOf } from '../../src/stock/identifiers.ts';
import { PARTITION_COUNT } from '../../src/stock/limits.ts';
import type { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import type { CommandRequest, RecordedHead } from '../../src/stock/stock-engine.ts';

export const HQ = 'HQ001';
const NO_SETTINGS = { safetyStock: null, lowThreshold: null };

export function emptyHeads(): RecordedHead[] {
  return Array.from({ length: PARTITION_COUNT }, (_, partition) => ({ partition, epoch: 1, seq: 0, hash: '', at: 0 }));
}

export function requestOf(command: Command, operationId: string | null): CommandRequest {
  return {
    hqId: HQ,
    operationId,
    fingerprint: operationId === null ? null : JSON.stringify(command),
    command,
    actor: { subject: 'tests', role: 'admin' },
    origin: 'tests',
    correlationId: 'tests',
    causationId: null,
  };
}

/** Decides what must make an entry. */
export function decided(engine: MemoryStockEngine, command: Command, operationId: string | null = null): Entry {
  const decision = engine.decide({ ...requestOf(command, operationId), lookedUpAt: Number.MAX_SAFE_INTEGER });
  if (decision.kind !== 'decided') throw new Error(`expected a decision, got ${JSON.stringify(decision)}`);
  return decision.entry;
}

/** A store S1, a product P1, and this many units of it. */
export function stocked(engine: MemoryStockEngine, quantity: number): Entry[] {
  return [
    decided(engine, { type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS }),
    decided(engine, { type: 'configure-product', productId: 'P1', settings: NO_SETTINGS }),
    decided(engine, { type: 'receive', items: [unitsOf(quantity)] }),
  ];
}

export function unitsOf(quantity: number): Item {
  return { storeId: 'S1', productId: 'P1', quantity };
}

export function reserveOf(quantity: number, ttlMs = 60_000): Extract<Command, { type: 'reserve' }> {
  const reservationId = newReservationId(partitionOf(HQ));
  return {
    type: 'reserve',
    reservationId,
    storeId: 'S1',
    transactionId: 'trx-1',
    ttlMs,
    items: [unitsOf(quantity)],
  };
}

/** All that was decided is recorded. */
export function recordAll(engine: MemoryStockEngine): void {
  const batches = engine.nextBatches(Number.MAX_SAFE_INTEGER);
  if (batches instanceof Promise) throw new Error('nothing waits to be recorded');
  for (const { partition, epoch, entries } of batches) {
    const last = entries.at(-1)?.entry;
    engine.recorded({ partition, epoch, seq: last?.seq ?? 0, hash: '', at: last?.at ?? 0 });
  }
}
