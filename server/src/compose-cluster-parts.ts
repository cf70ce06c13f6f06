/** What every node of a cluster has, whatever its roles: the servers' connections, and the ports upon them. */
import type { Logger } from 'pino';
import { MariadbCatalog } from './catalog/mariadb/mariadb-catalog.ts';
import { MasterData } from './catalog/master-data.ts';
import { composeExecutor } from './compose-executor.ts';
import { type LockServers, openLock } from './compose-locks.ts';
import { SharedEventFeed } from './events/local/shared-event-feed.ts';
import { MariadbEventSource } from './events/mariadb/mariadb-event-source.ts';
import { MariadbLedger } from './ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from './ledger/mariadb/mariadb-pool.ts';
import { Locks } from './locking/locks.ts';
import { RedisNodeRegistry } from './node-registry/redis/redis-node-registry.ts';
import { openMariadbProjections } from './projections/mariadb/mariadb-projections.ts';
import type { Projections } from './projections/projections.ts';
import { ClusterAcknowledgements } from './recording/cluster/cluster-acknowledgements.ts';
import { MariadbPartitionStates } from './recording/cluster/mariadb/mariadb-partition-states.ts';
import type { PartitionStates } from './recording/cluster/partition-states.ts';
import { RedisRecordedChannel } from './recording/cluster/redis/redis-recorded-channel.ts';
import type { CommandExecutor } from './recording/command-executor.ts';
import { openRedis, type RedisTarget } from './stock/redis/open-redis.ts';
import type { RedisConnection } from './stock/redis/redis-connection.ts';
import { claimRedis } from './stock/redis/redis-installation.ts';
import { RedisStockEngine } from './stock/redis/redis-stock-engine.ts';
import { Scripts } from './stock/redis/scripts.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

export interface NodeTargets {
  node: string;
  redis: RedisTarget;
  database: MariadbAccess;
  locks: LockServers;
  log: Logger;
}

/** Between two looks at the ledger's heads after the engine was found elsewhere. */
const REFRESH_PAUSE_MS = 100;

/** How what was opened is closed, in the order of opening. */
export type Closers = (() => Promise<void> | void)[];

/** How often a clock that is ahead is told of. */
const CLOCK_ALERT_MS = 1_000;

type HearRecorded = (partition: number, seq: number) => void;

export interface NodeParts {
  connection: RedisConnection;
  scripts: Scripts;
  ledger: MariadbLedger;
  states: PartitionStates;
  channel: RedisRecordedChannel;
  acknowledgements: ClusterAcknowledgements;
  engine: RedisStockEngine;
  projections: Projections;
  executor: CommandExecutor;
  catalog: MariadbCatalog;
  masterData: MasterData;
  /** Derives events from what is recorded. */
  source: MariadbEventSource;
  events: SharedEventFeed;
  locks: Locks;
  registry: RedisNodeRegistry;
  /** Hear of every entry that is recorded, here or elsewhere. */
  onRecorded: HearRecorded[];
  trouble: (error: Error) => void;
}

/** @throws LedgerUnusable, ProjectionsUnusable, EngineUnusable: what is wrong, and what to do */
export async function openNodeParts(
  targets: NodeTargets,
  { projects, telemetry, closers }: { projects: boolean; telemetry: Telemetry; closers: Closers },
): Promise<NodeParts> {
  const { node, redis, database, log } = targets;
  const trouble = (error: Error) => log.error({ err: error }, 'something failed, and is tried again');
  const ledger = await MariadbLedger.open(database);
  closers.push(() => ledger.close());
  const connection = await openRedis(redis, (error) => log.warn({ err: error }, 'a connection to Redis was lost'));
  closers.push(() => connection.close());
  await claimRedis(connection, (await ledger.identity()).installationId);
  const states = new MariadbPartitionStates(ledger.connections);
  const channel = await RedisRecordedChannel.open(connection, trouble);
  const now = () => performance.now();
  const acknowledgements = new ClusterAcknowledgements({ ledger, channel, states, now, onTrouble: trouble });
  await acknowledgements.start();
  closers.push(() => acknowledgements.stop());
  const projections = await openMariadbProjections({
    access: database,
    projects,
    ledger,
    recordedSeq: async (partition) => (await ledger.headsOf([partition]))[0]?.seq ?? 0,
    log,
  });
  closers.push(() => projections.close());
  const scripts = new Scripts();
  const engine = engineOn({ connection, scripts, acknowledgements, trouble, log });
  const { history } = projections;
  const executor = composeExecutor({ engine, ledger, acknowledgements }, { history, telemetry, log });
  const catalog = new MariadbCatalog(ledger.connections);
  const lock = await openLock(targets.locks, connection);
  closers.push(() => lock.close());
  const registry = new RedisNodeRegistry(connection, Date.now);
  closers.push(() => registry.leave());
  const source = new MariadbEventSource(database);
  closers.push(() => source.close());
  const parts: NodeParts = {
    connection,
    scripts,
    ledger,
    states,
    channel,
    acknowledgements,
    engine,
    projections,
    executor,
    catalog,
    masterData: new MasterData({ catalog, executor }),
    source,
    events: new SharedEventFeed({ source, heads: () => ledger.heads(), onError: trouble }),
    locks: new Locks({ lock, nodeId: node, observer: telemetry.locks }),
    registry,
    onRecorded: [],
    trouble,
  };
  await parts.events.start();
  closers.push(() => parts.events.close());
  closers.push(listen(parts));
  return parts;
}

function engineOn({
  connection,
  scripts,
  acknowledgements,
  log,
  trouble,
}: Pick<NodeParts, 'connection' | 'scripts' | 'acknowledgements' | 'trouble'> & { log: Logger }): RedisStockEngine {
  // Every refused call says so: whether a new epoch was opened unheard is asked once for all of them.
  let refreshing = false;
  const refreshSoon = () => {
    if (refreshing) return;
    refreshing = true;
    setTimeout(() => {
      refreshing = false;
      acknowledgements.refresh().catch(trouble);
    }, REFRESH_PAUSE_MS).unref();
  };
  return new RedisStockEngine({
    connection,
    scripts,
    now: Date.now,
    knownHead: (partition) => acknowledgements.knownHead(partition),
    onLost: (partition, reason) => {
      log.debug({ partition, reason }, 'the engine is not where the ledger is');
      refreshSoon();
    },
    onClockAhead: clockAlert(log),
  });
}

/** Every script of every partition finds it again. */
function clockAlert(log: Logger): (partition: number, aheadMs: number) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  return (partition, aheadMs) => {
    if (performance.now() - toldAt < CLOCK_ALERT_MS) return;
    toldAt = performance.now();
    log.error({ partition, aheadMs }, 'the clock of Redis is ahead of this node: nothing expires until they agree');
  };
}

/** Hears what is recorded anywhere; returns a function that ends it. */
function listen({ channel, events, projections, onRecorded }: NodeParts): () => void {
  onRecorded.push(
    (partition, seq) => projections.wake(partition, seq),
    (partition, seq) => events.recorded(partition, seq),
  );
  return channel.subscribe((announcements) => {
    for (const { partition, firstSeq, marks, opened } of announcements) {
      const seq = opened ? firstSeq : firstSeq + marks.length - 1;
      for (const hear of onRecorded) hear(partition, seq);
    }
  });
}
