import { newReservationId, partitionOf } from '../../src/stock/identifiers.ts';
import type { Pipeline } from '../conformance/pipeline.ts';

export const HQ = 'HQ001';
const AT_ONCE = 16;
const UNSET = { safetyStock: null, lowThreshold: null };

/** Reserves until the process ends; `acknowledged` hears of each operation that was answered. */
export async function reserving(pipeline: Pipeline, acknowledged: (operationId: string) => void): Promise<void> {
  const ask = (command: Parameters<Pipeline['execute']>[0]['command'], operationId: string | null) =>
    pipeline.execute({ hqId: HQ, operationId, fingerprint: operationId, command });
  await ask({ type: 'configure-store', storeId: 'S1', settings: UNSET }, null);
  await ask({ type: 'configure-product', productId: 'P1', settings: UNSET }, null);
  await ask({ type: 'receive', items: [{ storeId: 'S1', productId: 'P1', quantity: 1_000_000 }] }, 'receive-1');
  let next = 1;
  const buyer = async () => {
    for (;;) {
      const operationId = `op-${next++}`;
      const reservationId = newReservationId(partitionOf(HQ));
      const items = [{ storeId: 'S1', productId: 'P1', quantity: 1 }];
      const hold = { reservationId, storeId: 'S1', transactionId: operationId, ttlMs: 60_000, items };
      const execution = await ask({ type: 'reserve', ...hold }, operationId);
      if (execution.status === 'recorded') acknowledged(operationId);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, buyer));
}
