/** The ways in which a cluster is hurt. Each leaves nothing behind that an operator would have to mend. */
import { setTimeout as delay } from 'node:timers/promises';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { HQS, type TortureCluster } from './cluster.ts';
import { decideBeside } from './decide-beside.ts';
import type { ClusterNode } from './node.ts';
import { canSkewClocks } from './redis-seat.ts';

/** What a recorder says when it has found an engine that the ledger does not know. */
const QUARANTINED = 'these partitions are being filled again';
const CLOCK_AHEAD = 'the clock of Redis is ahead';
const DOWN_MS = [100, 900] as const;
const SUSPENDED_MS = [1_500, 5_000] as const;
const LAG_MS = 400;
const OLDER_MS = 1_500;
const SKEW_S = 3;
const CHANGED_BY = '1000';

export interface Fault {
  name: string;
  /** A process was killed or suspended by it. */
  kills: boolean;
  /** What nodes must say of it within a second. */
  noticedBy?: readonly string[];
  /** Resolves with the instant (epoch milliseconds) since which it can be noticed, or the service was interrupted. */
  strike(cluster: TortureCluster): Promise<number>;
  /** After the cluster was back: what is still odd is put right. */
  mend?(cluster: TortureCluster): Promise<void>;
}

interface Mortal {
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function killAndStart(mortal: Mortal): Promise<number> {
  const at = Date.now();
  await mortal.kill();
  await delay(between(DOWN_MS));
  await mortal.start();
  return at;
}

async function suspend(one: Pick<ClusterNode, 'suspend' | 'resume'>): Promise<number> {
  const at = Date.now();
  one.suspend();
  await delay(between(SUSPENDED_MS));
  one.resume();
  return at;
}

const dying: Fault[] = (
  [
    ['a serving node', ({ serving }) => pick(serving)],
    ['a recording node', ({ recording }) => pick(recording)],
    ['Redis', ({ redis }) => redis.server],
    ['MariaDB', ({ mariadb }) => mariadb],
  ] satisfies [string, (cluster: TortureCluster) => Mortal & Pick<ClusterNode, 'suspend' | 'resume'>][]
).flatMap(([name, choose]) => [
  { name: `${name} is killed`, kills: true, strike: (cluster: TortureCluster) => killAndStart(choose(cluster)) },
  { name: `${name} is suspended`, kills: true, strike: (cluster: TortureCluster) => suspend(choose(cluster)) },
]);

const forgetting: Fault[] = [
  {
    name: 'Redis is emptied',
    kills: false,
    noticedBy: [QUARANTINED],
    async strike({ redis }) {
      const at = Date.now();
      await redis.server.ask('FLUSHALL');
      return at;
    },
  },
  {
    name: 'Redis is put back to an older snapshot',
    kills: true,
    noticedBy: [QUARANTINED],
    async strike({ redis }) {
      const snapshot = await redis.snapshot();
      await delay(OLDER_MS);
      return redis.putBack(snapshot);
    },
  },
  {
    name: 'a counter is changed by hand',
    kills: false,
    noticedBy: [QUARANTINED],
    async strike({ redis, tills }) {
      const hqId = pick(HQS);
      const partition = partitionOf(hqId);
      const epoch = String(await redis.server.ask('HGET', `{p${partition}}:head`, 'epoch'));
      const at = Date.now();
      await redis.server.ask('HINCRBY', `{p${partition}}:e${epoch}:level:${hqId}:S1:P1`, 'onHand', CHANGED_BY);
      // Nobody can tell until something is decided on it.
      void tills.get(hqId)?.receive('S1', 'P1', 1);
      return at;
    },
  },
];

/** A replica that lacks the last moments takes over, after more was decided on it than its master ever heard of. */
function lagging(name: string, skewS: number, noticedBy: readonly string[]): Fault {
  return {
    name,
    kills: true,
    noticedBy,
    async strike({ redis }) {
      const replica = await redis.replica(skewS);
      await delay(LAG_MS);
      await decideBeside(replica.server, HQS);
      return redis.replaceBy(replica);
    },
    ...(skewS === 0 ? {} : { mend: ({ redis }: TortureCluster) => redis.startAgain() }),
  };
}

/** The places that its master gave away go to other commands: no entry that is recorded was ever lost. */
const whileNobodyRecords: Fault = {
  name: 'a lagging replica takes over while nobody records',
  kills: true,
  async strike({ redis, recording }) {
    const at = Date.now();
    const replica = await redis.replica(0, () => {
      for (const node of recording) node.suspend();
    });
    await delay(LAG_MS);
    await redis.replaceBy(replica);
    await delay(LAG_MS);
    for (const node of recording) node.resume();
    return at;
  },
};

const replaced: Fault[] = [
  whileNobodyRecords,
  lagging('a lagging replica takes over', 0, [QUARANTINED]),
  ...(canSkewClocks()
    ? [
        lagging('a lagging replica takes over, its clock 3 s behind', -SKEW_S, [QUARANTINED]),
        lagging('a lagging replica takes over, its clock 3 s ahead', SKEW_S, [QUARANTINED, CLOCK_AHEAD]),
      ]
    : []),
];

export const faults: readonly Fault[] = [...dying, ...forgetting, ...replaced];

export function pick<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)] as T;
}

function between([min, max]: readonly [number, number]): number {
  return min + Math.random() * (max - min);
}
