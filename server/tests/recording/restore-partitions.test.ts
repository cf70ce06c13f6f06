/** Some partitions of a shared engine are filled anew, while the others serve on. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { restorePartitions } from '../../src/recording/restore.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import { newReservationId, partitionOf } from '../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import type { EngineFilling, SharedHead } from '../../src/stock/shared-engine.ts';
import type { ImageChunk } from '../../src/stock/stock-engine.ts';
import { HQ, Installation, PARTITION } from '../projections/installation.ts';
import { ReplayedRows } from '../projections/replayed-rows.ts';

const OTHER = ['HQ-B', 'HQ-C', 'HQ-D'].find((hqId) => partitionOf(hqId) !== PARTITION) ?? '';
const item = { storeId: 'STORE-A', productId: 'P1' };

let holdfast: Installation;

beforeEach(async () => {
  holdfast = await Installation.start();
  for (const hqId of [HQ, OTHER]) {
    await holdfast.stock(['STORE-A'], ['P1'], hqId);
    await holdfast.reserve([{ ...item, quantity: 3 }], { hqId });
  }
  await holdfast.projected();
});
afterEach(() => holdfast.dispose());

async function headsOf(partition: number): Promise<SharedHead[]> {
  const heads = await holdfast.running.ledger.heads();
  return heads.filter((head) => head.partition === partition).map((head) => ({ ...head, mark: '' }));
}

it('fills them from their own rows and entries alone, and opens them last', async () => {
  const engine = new MemoryStockEngine(() => holdfast.nowMs);
  const heads = await headsOf(PARTITION);
  const order: string[] = [];
  const filling: EngineFilling = {
    load: async (chunk: ImageChunk) => {
      order.push(chunk.kind);
      engine.load(chunk);
    },
    replay: async (entry) => engine.replay(entry),
    open: async () => {
      order.push('open');
      engine.open(heads);
    },
  };
  await restorePartitions(filling, holdfast.running.ledger, holdfast.projections.images, heads, holdfast.nowMs);
  expect(order.at(-1)).toBe('open');
  expect(engine.levels(HQ, [item])[0]).toMatchObject({ onHand: 100, reserved: 3 });
  expect(engine.levels(OTHER, [item])).toEqual([null]);
  expect(engine.counts()).toMatchObject({ levels: 1, openHolds: 1 });
});

it('is told of nothing that another partition holds', async () => {
  const hqs = new Set<string>();
  for await (const chunk of holdfast.projections.images.image(0, [partitionOf(OTHER)])) {
    if (chunk.kind === 'cursors') expect(chunk.rows.map(({ partition }) => partition)).toEqual([partitionOf(OTHER)]);
    if (chunk.kind === 'levels' || chunk.kind === 'holds') for (const { hqId } of chunk.rows) hqs.add(hqId);
  }
  expect([...hqs]).toEqual([OTHER]);
});

it('agrees with rows worked out from the entries', async () => {
  const rows = new ReplayedRows();
  for (const stored of await holdfast.running.ledger.entries(PARTITION, 0, 100)) rows.apply(decodeEntry(stored.body));
  const [state] = await rows.read([
    {
      partition: PARTITION,
      levels: [{ hqId: HQ, ...item }],
      products: [{ hqId: HQ, productId: 'P1' }],
      stores: [],
      reservationIds: [newReservationId(PARTITION)],
    },
  ]);
  expect(state?.seq).toBe((await headsOf(PARTITION))[0]?.seq);
  expect(state?.levels).toMatchObject([{ onHand: 100, reserved: 3, version: 2 }]);
  expect(state?.products).toMatchObject([{ onHand: 100, reserved: 3, safetyStock: 0 }]);
  expect(state?.holds).toEqual([null]);
});
