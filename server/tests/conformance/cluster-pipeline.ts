/**
 * The Redis engine and the MariaDB ledger with a recorder between them, on real servers. As in production but for the
 * clock, which is the test's, and for the projections, which are worked out from the entries.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import type { CommandExecutor } from '../../src/recording/command-executor.ts';
import { PARTITION_COUNT } from '../../src/stock/limits.ts';
import { WINDOW_BOUNDS } from '../../src/stock/operation-memory.ts';
import type { RedisTarget } from '../../src/stock/redis/open-redis.ts';
import { Scripts } from '../../src/stock/redis/scripts.ts';
import type { StockEngine } from '../../src/stock/stock-engine.ts';
import { ClusterMember } from '../recording/cluster/support/cluster-member.ts';
import { sourceFor } from '../stock/redis/engine-rig.ts';
import { CommandPipeline } from './command-pipeline.ts';

export interface ClusterServers {
  redis: RedisTarget;
  database: MariadbAccess;
  /** Forgets all that Redis holds. */
  flush: () => Promise<unknown>;
}

const OPEN_MS_MAX = 60_000;

export class ClusterPipeline extends CommandPipeline {
  readonly #servers: ClusterServers;
  #member: ClusterMember | null = null;
  #starts = 0;
  /** Lines of the member's log that a start explains. */
  #seenLog = 0;

  constructor(servers: ClusterServers) {
    super();
    this.#servers = servers;
  }

  /** The process that was started last. */
  get member(): ClusterMember {
    if (this.#member === null) throw new Error('the pipeline is not started');
    return this.#member;
  }

  override get engine(): StockEngine {
    return this.member.engine;
  }

  override get executor(): CommandExecutor {
    return this.member.executor;
  }

  override get ledger(): Ledger {
    return this.member.ledger;
  }

  override async start(): Promise<void> {
    this.#starts += 1;
    const member = await ClusterMember.open({
      redis: this.#servers.redis,
      database: this.#servers.database,
      name: `start-${this.#starts}`,
      now: () => this.nowMs,
      scripts: new Scripts(WINDOW_BOUNDS, sourceFor({ engineAheadMs: 0, forgetsAtOnce: true })),
      undo: false,
    });
    await member.start();
    this.#member = member;
    const endsAt = performance.now() + OPEN_MS_MAX;
    while (!this.#isOpen(member)) {
      if (performance.now() > endsAt) throw new Error(`it did not open: ${member.log.join('\n')}`);
      await delay(10);
    }
    this.#seenLog = member.log.length;
  }

  /** Every partition under an epoch of this start. */
  #isOpen({ acknowledgements, recorder }: ClusterMember): boolean {
    const partitions = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);
    const isNew = (partition: number) => (acknowledgements.knownHead(partition)?.epoch ?? 0) >= this.#starts;
    return partitions.every(isNew) && recorder.open.length === PARTITION_COUNT;
  }

  override async sweep(): Promise<void> {
    await super.sweep();
    this.#noteFailures();
  }

  #noteFailures(): void {
    this.failures.push(...this.member.log.slice(this.#seenLog));
    this.#seenLog = this.member.log.length;
  }

  override async stop(): Promise<void> {
    this.#noteFailures();
    this.duplicates.push(...this.member.duplicates);
    await this.member.stop();
    this.#member = null;
  }

  override async restart(): Promise<void> {
    await this.stop();
    await this.#servers.flush();
    await this.start();
  }

  override async dispose(): Promise<void> {
    if (this.#member !== null) await this.stop();
  }
}
