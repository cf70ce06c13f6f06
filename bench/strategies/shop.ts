/** A shop that sells by one strategy after the other, in a process of its own. */
import { createPool, type Pool } from 'mariadb';
import type { Lock } from '../../server/src/locking/lock.ts';
import { Locks } from '../../server/src/locking/locks.ts';
import { connectLockServer } from '../../server/src/locking/redis/connect-lock-server.ts';
import { RedisLock } from '../../server/src/locking/redis/redis-lock.ts';
import { Redlock } from '../../server/src/locking/redis/redlock.ts';
import { ZookeeperLock } from '../../server/src/locking/zookeeper/zookeeper-lock.ts';
import { serveCalls } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';
import * as sale from './sale.ts';

export interface ShopServers {
  mariadb: { host: string; port: number; user: string; password: string; database: string };
  redisUrls: readonly string[];
  /** `host:port` */
  zookeeper: string;
}

const STRATEGIES = {
  pessimistic: sale.pessimistic,
  optimistic: sale.optimistic,
  guarded: sale.guarded,
  locked: sale.locked,
  isolated: sale.isolated,
  'deduct-first': sale.deductFirst,
  'deduct-later': sale.deductLater,
  'gives up': (till: sale.Till) => sale.impatient(till, 'a while'),
  'never waits': (till: sale.Till) => sale.impatient(till, 'none'),
};

export interface ShopPlan {
  strategy: keyof typeof STRATEGIES;
  lock?: 'redis' | 'redlock' | 'zookeeper';
  isolation?: string;
  products: number;
  unitsEach: number;
  /** Somebody keeps the first product locked for so long, as often as not. */
  dawdleMs?: number;
}

const CONNECTIONS = 32;
const SESSION_TIMEOUT_MS = 10_000;

const SCHEMA = [
  'DROP TABLE IF EXISTS stock, sales',
  'CREATE TABLE stock (product INT PRIMARY KEY, available INT NOT NULL, version INT NOT NULL DEFAULT 0)',
  'CREATE TABLE sales (id BIGINT AUTO_INCREMENT PRIMARY KEY, product INT NOT NULL)',
];

async function openLock(plan: ShopPlan, servers: ShopServers): Promise<Lock | null> {
  switch (plan.lock) {
    case 'redis':
      return new RedisLock(await connectLockServer(servers.redisUrls[0]!));
    case 'redlock':
      return new Redlock(await Promise.all(servers.redisUrls.map((url) => connectLockServer(url))));
    case 'zookeeper':
      return new ZookeeperLock({ connection: servers.zookeeper, sessionTimeoutMs: SESSION_TIMEOUT_MS });
    default:
      return null;
  }
}

async function stockUp(pool: Pool, { products, unitsEach }: ShopPlan): Promise<void> {
  for (const statement of SCHEMA) await pool.query(statement);
  await pool.query(`INSERT INTO stock (product, available) SELECT seq, ? FROM seq_1_to_${products}`, [unitsEach]);
}

/** Units that were sold more often than they were taken: 0 unless the strategy loses updates. */
async function soldTwice(pool: Pool, { products, unitsEach }: ShopPlan): Promise<number> {
  const [row] = (await pool.query(
    'SELECT (SELECT COUNT(*) FROM sales) AS sold, ? - SUM(available) AS taken FROM stock',
    [products * unitsEach],
  )) as { sold: number; taken: number }[];
  return Number(row?.sold) - Number(row?.taken);
}

async function measure(plan: ShopPlan, servers: ShopServers, shape: LoadShape): Promise<Sample> {
  const { isolation = 'REPEATABLE READ', products, dawdleMs } = plan;
  const pool = createPool({
    ...servers.mariadb,
    connectionLimit: CONNECTIONS,
    bigIntAsNumber: true,
    insertIdAsNumber: true,
    initSql: [`SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`],
  });
  await stockUp(pool, plan);
  const lock = await openLock(plan, servers);
  const notes: Record<string, number> = {};
  const count = (what: string) => {
    notes[what] = (notes[what] ?? 0) + 1;
  };
  const ignore = () => undefined;
  const observer = {
    waited: ignore,
    contended: ignore,
    lost: () => count('locks lost'),
    deadlockAvoided: ignore,
    failed: ignore,
  };
  const locks = lock === null ? null : new Locks({ lock, nodeId: 'till', observer });
  const sell = STRATEGIES[plan.strategy]({ pool, locks, count });
  const closing = new AbortController();
  const dawdler = dawdleMs === undefined ? null : sale.dawdle(pool, 1, dawdleMs, closing.signal);
  const found = await closedLoop(shape, async () => ((await sell(1 + Math.floor(Math.random() * products))) ? 1 : 0));
  closing.abort();
  await dawdler;
  // What deduct-first and deduct-later restock is no part of the sum.
  if (!plan.strategy.startsWith('deduct')) notes['sold, but not taken'] = await soldTwice(pool, plan);
  await lock?.close();
  await pool.end();
  return { ...found, notes };
}

serveCalls({ measure });
