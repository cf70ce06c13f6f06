/**
 * How much memory Redis needs for a level, an open reservation, a closed one and a remembered operation id, with ids of
 * usual lengths: `node scripts/run.mjs bench/redis-memory.ts`. The table of `docs/operating/redis.md` is from it.
 */
import type { Hold } from '../server/src/stock/entry.ts';
import { newReservationId, partitionOf } from '../server/src/stock/identifiers.ts';
import { openRedis } from '../server/src/stock/redis/open-redis.ts';
import type { RedisConnection } from '../server/src/stock/redis/redis-connection.ts';
import { RedisRefill } from '../server/src/stock/redis/redis-filling.ts';
import { Scripts } from '../server/src/stock/redis/scripts.ts';
import { startMark } from '../server/src/stock/shared-engine.ts';
import type { ImageChunk } from '../server/src/stock/stock-engine.ts';
import { startRedis } from '../server/tests/support/servers/redis.ts';

const HQ = 'HQ001';
const STORES = 200;
const PRODUCTS = 1_000;
const COUNT = STORES * PRODUCTS;
const ROWS_PER_CHUNK = 4_000;
const NOW_MS = 1_795_000_000_000;

const partition = partitionOf(HQ);
const storeId = (index: number) => `STORE-${String(index % STORES).padStart(4, '0')}`;
const productId = (index: number) => `PRODUCT-${String(index % PRODUCTS).padStart(5, '0')}`;

function holdOf(index: number, open: boolean): Hold {
  return {
    reservationId: newReservationId(partition),
    storeId: storeId(index),
    transactionId: `TRX-20260105-${index}`,
    orderId: open ? null : `ORDER-${index}`,
    status: open ? 'active' : 'confirmed',
    createdAt: NOW_MS,
    expiresAt: NOW_MS + 300_000,
    items: [
      { storeId: storeId(index), productId: productId(index), reserved: 2, confirmed: open ? 0 : 2, released: 0 },
    ],
  };
}

const KINDS: { name: string; row: (index: number) => ImageChunk }[] = [
  {
    name: 'level',
    row: (index) => ({
      kind: 'levels',
      rows: [
        {
          hqId: HQ,
          storeId: storeId(Math.floor(index / PRODUCTS)),
          productId: productId(index),
          onHand: 100 + (index % 500),
          reserved: index % 7,
          version: 12,
          safetyStock: null,
          lowThreshold: null,
          lastCount: null,
          updatedAt: NOW_MS,
        },
      ],
    }),
  },
  {
    name: 'open reservation of one line',
    row: (index) => ({ kind: 'holds', rows: [{ hqId: HQ, hold: holdOf(index, true), closedAt: null }] }),
  },
  {
    name: 'closed reservation of one line',
    row: (index) => ({ kind: 'holds', rows: [{ hqId: HQ, hold: holdOf(index, false), closedAt: NOW_MS }] }),
  },
  {
    name: 'remembered operation id of 36 characters',
    row: (index) => ({
      kind: 'operations',
      rows: [
        {
          partition,
          seq: index,
          at: NOW_MS,
          hqId: HQ,
          operationId: `3f6a1c52-8d1e-4c53-9b0a-${String(index).padStart(12, '0')}`,
        },
      ],
    }),
  },
];

async function usedMemory(connection: RedisConnection): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(String(await connection.send('', ['INFO', 'memory'])))?.[1]);
}

const server = await startRedis();
const connection = await openRedis({ kind: 'standalone', url: server.url }, (error) => console.error(error.message));
const refill = new RedisRefill(connection, new Scripts(), (error) => console.error(error.message));
let epoch = 0;
for (const { name, row } of KINDS) {
  epoch += 1;
  await connection.send('', ['FLUSHALL']);
  const before = await usedMemory(connection);
  const filling = await refill.refill([{ partition, epoch, seq: 0, hash: '', at: 0, mark: startMark(epoch, '') }]);
  for (let first = 0; first < COUNT; first += ROWS_PER_CHUNK) {
    const chunks = Array.from({ length: ROWS_PER_CHUNK }, (_, index) => row(first + index));
    const rows = chunks.flatMap((chunk) => (chunk as { rows: unknown[] }).rows);
    await filling.load({ ...chunks[0], rows } as ImageChunk);
  }
  await filling.open();
  await refill.settled();
  console.log(`${name}: ${Math.round(((await usedMemory(connection)) - before) / COUNT)} bytes`);
}
await connection.close();
await server.stop();
