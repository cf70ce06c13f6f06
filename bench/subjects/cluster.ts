/** A process that is one node of a cluster, without HTTP before it, and puts load on it. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import type { RunningApplication } from '../../server/src/application.ts';
import { type ClusterNodeConfig, openClusterNode } from '../../server/src/compose-cluster.ts';
import type { MariadbAccess } from '../../server/src/ledger/mariadb/mariadb-pool.ts';
import type { ProcessRole } from '../../server/src/process-roles.ts';
import { serveCalls } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';
import { openLoop, type RateShape } from '../load/open-loop.ts';
import { commitNotes } from './commits.ts';
import { type ConsumingShape, consuming } from './consuming.ts';
import { decideOnly } from './deciding.ts';
import { installationOf, stockUp } from './installation.ts';
import type { Stock } from './stock.ts';
import { type Workload, workOf } from './workloads.ts';

const READY_POLL_MS = 20;
const TOKEN_KEY_BYTES = 32;

/** Where the servers are that all nodes share. */
export interface ClusterPlace {
  redisUrl: string;
  database: MariadbAccess;
  /** For the roles `relay` and `consumers`. */
  kafka?: { bootstrapServers: string; groupId: string; prefix: string };
}

let application: RunningApplication | null = null;

function opened(): RunningApplication {
  if (application === null) throw new Error('no node is open');
  return application;
}

function configOf({ redisUrl, database, kafka }: ClusterPlace, roles: readonly ProcessRole[]): ClusterNodeConfig {
  return {
    node: `node-${process.pid}`,
    redis: { kind: 'standalone', url: redisUrl },
    database,
    locks: { kind: 'redis' },
    log: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
    roles: new Set(roles),
    kafka: kafka === undefined ? null : { brokers: [kafka.bootstrapServers], groupId: kafka.groupId },
    topics: { prefix: kafka?.prefix },
    outbox: 'relay',
    poisonRebuildsMax: 1,
    events: { earlyEventWaitMs: 30_000, keysFile: null, plainMessages: 'accepted', schemaRegistryUrl: null },
    tokenKey: randomBytes(TOKEN_KEY_BYTES),
    spoolFolder: '.',
  };
}

serveCalls(
  {
    /** How long that took until commands can be decided in all partitions, in milliseconds. */
    async open(place: ClusterPlace, roles: readonly ProcessRole[]): Promise<number> {
      const startedAt = performance.now();
      application = await openClusterNode(configOf(place, roles));
      while (!application.isReady() || application.readiness().degraded.length > 0) await delay(READY_POLL_MS);
      return performance.now() - startedAt;
    },
    stockUp: (stock: Stock) => stockUp(installationOf(opened()), stock),
    async measure(workload: Workload, stock: Stock, shape: LoadShape): Promise<Sample> {
      const installation = installationOf(opened());
      const before = await installation.commits();
      const sample = await closedLoop(shape, workOf(workload, installation, stock));
      return { ...sample, notes: commitNotes(before, await installation.commits()) };
    },
    async atRate(stock: Stock, shape: RateShape): Promise<Sample> {
      const reserve = workOf('reserve', installationOf(opened()), stock);
      return openLoop(shape, async () => {
        await reserve();
        return 'done';
      });
    },
    consume: (shape: ConsumingShape) => consuming(opened(), shape),
    /** Entries that are recorded and not yet published. */
    async relayLag(): Promise<number> {
      const lag = await opened().telemetry.registry.getSingleMetric('holdfast_relay_lag_entries')?.get();
      return lag?.values[0]?.value ?? Number.NaN;
    },
    /** Entries that are recorded and not yet projected, as far as this node has heard. */
    projectionLag: () => installationOf(opened()).projectionLag(),
    /** How long it takes from now on until a command is recorded, whatever stands in its way; in seconds. */
    async untilServed(stock: Stock): Promise<number> {
      const startedAt = performance.now();
      const reserve = workOf('reserve', installationOf(opened()), stock);
      for (;;) {
        const served = await reserve().then(
          () => true,
          () => false,
        );
        if (served) return (performance.now() - startedAt) / 1_000;
        await delay(READY_POLL_MS);
      }
    },
    /** The engine alone, of a cluster whose nodes have stopped. */
    decideOnly,
    async close(): Promise<void> {
      await opened().stop();
      application = null;
    },
  },
  async () => {
    await application?.stop();
    process.exit(0);
  },
);
