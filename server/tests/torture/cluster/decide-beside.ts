/** A caller that nobody knows of, on a Redis that is no longer, or not yet, the one that the nodes use. */
import { randomUUID } from 'node:crypto';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { openRedis } from '../../../src/stock/redis/open-redis.ts';
import { RedisStockEngine } from '../../../src/stock/redis/redis-stock-engine.ts';
import { Scripts } from '../../../src/stock/redis/scripts.ts';
import type { RedisTestServer } from '../../support/servers/redis.ts';
import { PRODUCTS } from '../tills.ts';

const DECISIONS = 5;
const QUANTITY = 500;

/** Receives goods of each HQ on that server alone: were they believed, there would be more to sell than there is. */
export async function decideBeside(server: RedisTestServer, hqIds: readonly string[]): Promise<void> {
  const heads = new Map<number, { epoch: number; seq: number }>();
  for (const hqId of hqIds) {
    const partition = partitionOf(hqId);
    const reply = await server.ask('HMGET', `{p${partition}}:head`, 'epoch', 'seq');
    const [epoch, seq] = (reply as string[]).map(Number) as [number, number];
    heads.set(partition, { epoch, seq });
  }
  const connection = await openRedis({ kind: 'standalone', url: server.url }, () => undefined);
  try {
    const engine = new RedisStockEngine({
      connection,
      scripts: new Scripts(),
      now: Date.now,
      knownHead: (partition) => heads.get(partition),
      onLost: () => undefined,
      onClockAhead: () => undefined,
    });
    for (const hqId of hqIds) for (let made = 0; made < DECISIONS; made += 1) await receive(engine, hqId, made);
  } finally {
    await connection.close();
  }
}

async function receive(engine: RedisStockEngine, hqId: string, index: number): Promise<void> {
  const item = { storeId: 'S1', productId: PRODUCTS[index] as string, quantity: QUANTITY };
  const decision = await engine.decide({
    hqId,
    operationId: `beside-${randomUUID()}`,
    fingerprint: 'beside',
    command: { type: 'receive', items: [item] },
    actor: { subject: 'torture', role: 'admin' },
    origin: 'torture',
    correlationId: 'torture',
    causationId: null,
    lookedUpAt: Number.MAX_SAFE_INTEGER,
  });
  if (decision.kind !== 'decided') throw new Error(`nothing was decided beside: ${JSON.stringify(decision)}`);
}
