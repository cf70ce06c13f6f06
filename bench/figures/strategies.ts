import { type MariadbTestServer, startMariadb } from '../../server/tests/support/servers/mariadb.ts';
import { type RedisTestServer, startRedis } from '../../server/tests/support/servers/redis.ts';
import { startZookeeper, type ZookeeperTestServer } from '../../server/tests/support/servers/zookeeper.ts';
import { barChart } from '../harness/bar-chart.ts';
import type { BenchContext, Benchmark, Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { interleave } from '../harness/rounds.ts';
import type { Sample, Summary } from '../harness/sample.ts';
import type { ShopPlan, ShopServers } from '../strategies/shop.ts';

const SHOP = new URL('../strategies/shop.ts', import.meta.url);
const IN_FLIGHT = 64;
const LOCK_SERVERS = 5;
/** There are many contenders, and what they differ by is not a few percent. */
const WINDOW_SHARE = 1 / 5;
const WARM_UP_SHARE = 1 / 8;

const PLENTY = 100_000_000;
const HOT = { products: 1, unitsEach: PLENTY };
const COLD = { products: 10_000, unitsEach: PLENTY / 1_000 };
const FEW = { products: 1, unitsEach: IN_FLIGHT / 2 };
const DAWDLE = { ...HOT, dawdleMs: 300 };

type Way = Pick<ShopPlan, 'strategy' | 'lock'>;

const WAYS: readonly (readonly [string, Way])[] = [
  ['SELECT … FOR UPDATE', { strategy: 'pessimistic' }],
  ['version column, again when it changed', { strategy: 'optimistic' }],
  ['UPDATE … WHERE available >= 1', { strategy: 'guarded' }],
  ['Redis lock around read-check-write', { strategy: 'locked', lock: 'redis' }],
  ['Redlock over five around read-check-write', { strategy: 'locked', lock: 'redlock' }],
  ['ZooKeeper lock around read-check-write', { strategy: 'locked', lock: 'zookeeper' }],
];

const ISOLATION = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];

/** Every row of the table; another system joins by a row of its own. */
const PLANS: readonly (readonly [string, ShopPlan])[] = [
  ...WAYS.map(([name, way]) => [`hot: ${name}`, { ...way, ...HOT }] as const),
  ...WAYS.map(([name, way]) => [`cold: ${name}`, { ...way, ...COLD }] as const),
  ...ISOLATION.map(
    (isolation) => [`isolation: ${isolation}, read-check-write`, { strategy: 'isolated', isolation, ...HOT }] as const,
  ),
  ['payment: deduct first', { strategy: 'deduct-first', ...FEW }],
  ['payment: deduct later', { strategy: 'deduct-later', ...FEW }],
  ['time-out: waits as long as it takes', { strategy: 'pessimistic', ...DAWDLE }],
  ['time-out: gives up after 50 ms', { strategy: 'gives up', ...DAWDLE }],
  ['time-out: NOWAIT', { strategy: 'never waits', ...DAWDLE }],
];

class Servers {
  readonly #mariadb: MariadbTestServer;
  readonly #redis: readonly RedisTestServer[];
  readonly #zookeeper: ZookeeperTestServer;

  private constructor(mariadb: MariadbTestServer, redis: readonly RedisTestServer[], zookeeper: ZookeeperTestServer) {
    this.#mariadb = mariadb;
    this.#redis = redis;
    this.#zookeeper = zookeeper;
  }

  static async start(): Promise<Servers> {
    const redis = Promise.all(Array.from({ length: LOCK_SERVERS }, () => startRedis()));
    return new Servers(await startMariadb(), await redis, await startZookeeper());
  }

  get places(): ShopServers {
    return {
      mariadb: this.#mariadb.access,
      redisUrls: this.#redis.map(({ url }) => url),
      zookeeper: this.#zookeeper.connectString,
    };
  }

  async stop(): Promise<void> {
    for (const server of [this.#mariadb, ...this.#redis, this.#zookeeper]) await server[Symbol.asyncDispose]();
  }
}

interface Market {
  shop: MeasuredProcess;
  places: ShopServers;
}

function contender(context: BenchContext, name: string, plan: ShopPlan, { shop, places }: Market): Contender {
  const { warmUpMs, measureMs } = context;
  const shape = { inFlight: IN_FLIGHT, warmUpMs: warmUpMs * WARM_UP_SHARE, measureMs: measureMs * WINDOW_SHARE };
  return { name, unit: 'sales', measure: () => shop.call<Sample>('measure', plan, places, shape) };
}

/** `SERIALIZABLE: 120 deadlocks`, for whatever was counted and is not 0. */
function told({ name, notes }: Summary): string[] {
  const counted = Object.entries(notes).filter(([, count]) => count !== 0);
  if (counted.length === 0) return [];
  return [`${name}: ${counted.map(([what, count]) => `${Math.round(count)} ${what}`).join(', ')} in a round.`];
}

export const strategies: Benchmark = {
  name: 'strategies',
  title: 'Ways to sell a unit once, 64 in flight, of one product (hot) or of 10 000 (cold)',
  async run(context) {
    const servers = await Servers.start();
    const shop = MeasuredProcess.start(SHOP);
    try {
      const market = { shop, places: servers.places };
      const summaries = await interleave(
        context,
        PLANS.map(([name, plan]) => contender(context, name, plan, market)),
      );
      return { summaries, figures: [], remarks: summaries.flatMap(told) };
    } finally {
      await shop.stop();
      await servers.stop();
    }
  },
  chart: (summaries) =>
    barChart({
      title: 'Sales per second, 64 in flight',
      bars: summaries.map(({ name, perSecond }) => ({ name, value: perSecond.median })),
    }),
};
