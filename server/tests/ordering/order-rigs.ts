/** What handles orders, over each pair of engine and ledger, with real projections and a clock that the test moves. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { MariadbCatalog } from '../../src/catalog/mariadb/mariadb-catalog.ts';
import { MasterData } from '../../src/catalog/master-data.ts';
import { SqliteCatalog } from '../../src/catalog/sqlite/sqlite-catalog.ts';
import type { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import type { OrderHandlerParts } from '../../src/ordering/handling/order-handling.ts';
import type { CommandExecutor } from '../../src/recording/command-executor.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import type { StockEngine } from '../../src/stock/stock-engine.ts';
import { ClusterPipeline } from '../conformance/cluster-pipeline.ts';
import { Installation } from '../projections/installation.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { startMariadb } from '../support/servers/mariadb.ts';
import { startRedis } from '../support/servers/redis.ts';
import { describeWith } from '../support/servers/servers.ts';

export interface OrderRig {
  parts: OrderHandlerParts & { executor: CommandExecutor; masterData: MasterData };
  catalog: Catalog;
  engine: StockEngine;
  clock: { nowMs: number };
  entries(hqId: string): Promise<Entry[]>;
  dispose(): Promise<void>;
}

export function describeOrderRigs(name: string, suite: (rig: () => OrderRig) => void): void {
  const started = (start: () => Promise<OrderRig>) => {
    let rig: OrderRig;
    beforeAll(async () => {
      rig = await start();
    }, 60_000);
    afterAll(() => rig.dispose());
    suite(() => rig);
  };
  describe(`${name}, memory and SQLite`, () => started(embedded));
  describeWith(['redis', 'mariadb'], `${name}, Redis and MariaDB`, () => started(clustered));
}

async function embedded(): Promise<OrderRig> {
  const installation = await Installation.start();
  const { engine, executor, ledger } = installation.running;
  const catalog = new SqliteCatalog((ledger as SqliteLedger).threads);
  const masterData = new MasterData({ catalog, executor });
  return {
    parts: { executor, masterData, history: installation.history, now: () => installation.nowMs },
    catalog,
    engine,
    clock: installation,
    async entries(hqId) {
      const stored = await ledger.entries(partitionOf(hqId), 0, 10_000);
      return stored.map(({ body }) => decodeEntry(body)).filter((entry) => entry.hqId === hqId);
    },
    dispose: () => installation.dispose(),
  };
}

async function clustered(): Promise<OrderRig> {
  const [redis, mariadb] = await Promise.all([startRedis(), startMariadb()]);
  const pipeline = new ClusterPipeline({
    redis: { kind: 'standalone', url: redis.url },
    database: await freshDatabase(mariadb),
    flush: () => redis.ask('FLUSHALL'),
  });
  await pipeline.start();
  const { executor, engine, ledger, projections } = pipeline.member;
  const catalog = new MariadbCatalog(ledger.connections);
  const masterData = new MasterData({ catalog, executor });
  return {
    parts: { executor, masterData, history: projections.history, now: () => pipeline.nowMs },
    catalog,
    engine,
    clock: pipeline,
    entries: async (hqId) => (await pipeline.entries(hqId)).filter((entry) => entry.hqId === hqId),
    async dispose() {
      await pipeline.dispose();
      await Promise.all([redis.stop(), mariadb.stop()]);
    },
  };
}

/** Closes what is due, and waits until that is recorded. */
export async function sweep({ engine }: OrderRig): Promise<void> {
  while ((await engine.expireDue()).holds > 0);
  while ((await engine.counts()).unrecorded > 0) await delay(2);
}
