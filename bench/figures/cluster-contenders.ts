/** The sides of the comparisons in cluster mode: each round an empty Redis, a new database and new processes. */
import type { ProcessRole } from '../../server/src/process-roles.ts';
import { freshDatabase } from '../../server/tests/support/mariadb-database.ts';
import type { BenchContext, Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import type { ShopPlan } from '../strategies/shop.ts';
import { ONE_HOT_PRODUCT, type Stock } from '../subjects/stock.ts';
import type { ClusterServers } from './cluster-servers.ts';
import { shapeOf } from './contenders.ts';

export const CLUSTER = new URL('../subjects/cluster.ts', import.meta.url);
const SHOP = new URL('../strategies/shop.ts', import.meta.url);
const FOR_UPDATE: ShopPlan = { strategy: 'pessimistic', products: 1, unitsEach: 100_000_000 };

/** What it takes to answer; projectors of a cluster may have machines of their own. */
export const ANSWERING: readonly ProcessRole[] = ['api', 'recorder', 'scheduler'];

export interface ClusterLoad {
  name: string;
  inFlight: number;
  stock?: Stock;
  /** Nodes among which the callers are spread. */
  nodes?: number;
  roles?: readonly ProcessRole[];
}

export function cluster(context: BenchContext, servers: ClusterServers, load: ClusterLoad): Contender {
  const { name, inFlight, stock = ONE_HOT_PRODUCT, nodes = 1, roles = ANSWERING } = load;
  return {
    name,
    unit: 'reservations',
    async measure() {
      const place = await servers.freshPlace();
      const subjects = Array.from({ length: nodes }, () =>
        MeasuredProcess.start(CLUSTER, { profiling: context.profiling(name) }),
      );
      try {
        for (const subject of subjects) await subject.call('open', place, roles);
        await subjects[0]?.call('stockUp', stock);
        const shape = shapeOf(context, inFlight / nodes);
        return await servers.watched(shape.warmUpMs, async () =>
          together(
            await Promise.all(subjects.map((subject) => subject.call<Sample>('measure', 'reserve', stock, shape))),
          ),
        );
      } finally {
        await Promise.all(subjects.map((subject) => subject.stop()));
      }
    },
  };
}

/** Several nodes under load at once. */
function together(samples: readonly Sample[]): Sample {
  const [first] = samples as [Sample, ...Sample[]];
  const sum = (of: (sample: Sample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  return {
    ...first,
    units: sum(({ units }) => units),
    perSecond: sum(({ perSecond }) => perSecond),
    cores: sum(({ cores }) => cores),
    residentMiB: sum(({ residentMiB }) => residentMiB),
    latencyCounts:
      first.latencyCounts?.map((_count, index) => sum(({ latencyCounts }) => latencyCounts?.[index] ?? 0)) ?? null,
  };
}

/** The engine's script as fast as it decides, nobody waiting for the ledger. */
export function scriptAlone(context: BenchContext, servers: ClusterServers, inFlight: number): Contender {
  const name = `the script alone, ${inFlight} in flight`;
  return {
    name,
    unit: 'decisions',
    async measure() {
      const place = await servers.freshPlace();
      const subject = MeasuredProcess.start(CLUSTER, { profiling: context.profiling(name) });
      try {
        await subject.call('open', place, ANSWERING);
        await subject.call('stockUp', ONE_HOT_PRODUCT);
        await subject.call('close');
        const shape = shapeOf(context, inFlight);
        return await servers.watched(shape.warmUpMs, () => subject.call<Sample>('decideOnly', place, shape));
      } finally {
        await subject.stop();
      }
    },
  };
}

/** A shop that sells with `SELECT … FOR UPDATE` over 32 connections. */
export function forUpdate(context: BenchContext, servers: ClusterServers, inFlight: number): Contender {
  return {
    name: `SELECT … FOR UPDATE, 32 connections, ${inFlight} in flight`,
    unit: 'sales',
    async measure() {
      const shop = MeasuredProcess.start(SHOP);
      try {
        const places = { mariadb: await freshDatabase(servers.mariadb), redisUrls: [], zookeeper: '' };
        return await shop.call<Sample>('measure', FOR_UPDATE, places, shapeOf(context, inFlight));
      } finally {
        await shop.stop();
      }
    },
  };
}
