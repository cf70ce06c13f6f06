/** One process' share of a cluster on real servers: a node that decides and waits, and a recorder. */
import { setTimeout as delay } from 'node:timers/promises';
import { MariadbLedger } from '../../../../src/ledger/mariadb/mariadb-ledger.ts';
import { MariadbOwnership } from '../../../../src/ledger/mariadb/mariadb-ownership.ts';
import type { MariadbAccess } from '../../../../src/ledger/mariadb/mariadb-pool.ts';
import { MariadbProjectedReads } from '../../../../src/projections/mariadb/mariadb-projected-reads.ts';
import { openMariadbProjections } from '../../../../src/projections/mariadb/mariadb-projections.ts';
import type { Projections } from '../../../../src/projections/projections.ts';
import { ClusterAcknowledgements } from '../../../../src/recording/cluster/cluster-acknowledgements.ts';
import { ClusterRecorder } from '../../../../src/recording/cluster/cluster-recorder.ts';
import { MariadbPartitionStates } from '../../../../src/recording/cluster/mariadb/mariadb-partition-states.ts';
import { RedisRecordedChannel } from '../../../../src/recording/cluster/redis/redis-recorded-channel.ts';
import { CommandExecutor } from '../../../../src/recording/command-executor.ts';
import { undoOf } from '../../../../src/recording/undo.ts';
import type { Entry } from '../../../../src/stock/entry.ts';
import { decodeEntry } from '../../../../src/stock/entry-codec.ts';
import { openRedis, type RedisTarget } from '../../../../src/stock/redis/open-redis.ts';
import type { RedisConnection } from '../../../../src/stock/redis/redis-connection.ts';
import { RedisRefill } from '../../../../src/stock/redis/redis-filling.ts';
import { RedisJournal } from '../../../../src/stock/redis/redis-journal.ts';
import { RedisStockEngine } from '../../../../src/stock/redis/redis-stock-engine.ts';
import { Scripts } from '../../../../src/stock/redis/scripts.ts';

export interface MemberOptions {
  redis: RedisTarget;
  database: MariadbAccess;
  name: string;
  poisonRebuildsMax?: number;
  /** Epoch milliseconds, of the node. */
  now?: () => number;
  scripts?: Scripts;
  /** False: what is decided twice is left for the test to take back. */
  undo?: boolean;
}

export class ClusterMember {
  readonly log: string[] = [];
  readonly duplicates: Entry[] = [];
  readonly ledger: MariadbLedger;
  readonly states: MariadbPartitionStates;
  readonly engine: RedisStockEngine;
  readonly acknowledgements: ClusterAcknowledgements;
  readonly executor: CommandExecutor;
  readonly recorder: ClusterRecorder;
  readonly projections: Projections;
  readonly #connection: RedisConnection;

  static async open(options: MemberOptions): Promise<ClusterMember> {
    const log: string[] = [];
    const note = (error: Error) => log.push(`trouble: ${error.message}`);
    const connection = await openRedis(options.redis, note);
    const scripts = options.scripts ?? new Scripts();
    const ledger = await MariadbLedger.open(options.database);
    const [projections, journal, channel] = await Promise.all([
      openMariadbProjections({
        access: options.database,
        projects: true,
        ledger,
        recordedSeq: async (partition) => (await ledger.headsOf([partition]))[0]?.seq ?? 0,
        log: { info: () => undefined, error: (message) => log.push(`projections: ${message}`) },
      }),
      RedisJournal.open(connection, scripts),
      RedisRecordedChannel.open(connection, note),
    ]);
    return new ClusterMember(options, { connection, scripts, ledger, journal, channel, projections, log });
  }

  private constructor(
    { name, poisonRebuildsMax = 1, now = () => Date.now(), undo = true }: MemberOptions,
    parts: {
      connection: RedisConnection;
      scripts: Scripts;
      ledger: MariadbLedger;
      journal: RedisJournal;
      channel: RedisRecordedChannel;
      projections: Projections;
      log: string[];
    },
  ) {
    const { connection, scripts, ledger, journal, channel, projections } = parts;
    this.projections = projections;
    this.log = parts.log;
    this.#connection = connection;
    this.ledger = ledger;
    this.states = new MariadbPartitionStates(ledger.connections);
    this.acknowledgements = new ClusterAcknowledgements({
      ledger,
      channel,
      states: this.states,
      now: () => performance.now(),
      onTrouble: (error) => this.#note(`trouble of the node: ${error.message}`),
    });
    this.engine = new RedisStockEngine({
      connection,
      scripts,
      now,
      knownHead: (partition) => this.acknowledgements.knownHead(partition),
      onLost: (partition, reason) => this.#note(`lost ${partition}: ${reason}`),
      onClockAhead: (partition, aheadMs) => this.#note(`clock of ${partition} is ${aheadMs} ms ahead`),
    });
    this.executor = new CommandExecutor({
      engine: this.engine,
      ledger,
      acknowledgements: this.acknowledgements,
      findProjectedHold: async (hqId, reservationId) => {
        const found = await projections.history.reservation(reservationId);
        return found?.hqId === hqId ? found.hold : null;
      },
    });
    this.recorder = new ClusterRecorder({
      journal,
      engine: new RedisRefill(connection, scripts, (error) => this.#note(`trouble: ${error.message}`)),
      ledger,
      ownership: new MariadbOwnership(ledger.connections.writer, name),
      states: this.states,
      projected: new MariadbProjectedReads(ledger.connections.reader),
      images: projections.images,
      channel,
      now,
      poisonRebuildsMax,
      events: {
        recorded: ({ partition, seq }) => projections.wake(partition, seq),
        duplicated: (entry) => {
          this.duplicates.push(entry);
          if (undo) void undoOf(entry, this.executor).catch(() => undefined);
        },
        committed: () => undefined,
        quarantined: (partitions, reason) => this.#note(`quarantined ${partitions.join(',')}: ${reason}`),
        opened: (heads) =>
          this.#note(`opened ${heads.map(({ partition, epoch }) => `${partition}@${epoch}`).join(',')}`),
        waiting: (partition, reason) => this.#note(`waiting ${partition}: ${reason}`),
        trouble: (error) => this.#note(`trouble: ${error.message}`),
      },
    });
  }

  #note(line: string): void {
    this.log.push(line);
  }

  async start(): Promise<void> {
    await this.acknowledgements.start();
    this.recorder.start();
  }

  /** Lets its recorder go on recording what is decided, then lets go of the servers. */
  async stop(): Promise<void> {
    await this.recorder.stop();
    await this.release();
  }

  async release(): Promise<void> {
    this.acknowledgements.stop();
    await this.projections.close();
    await this.#connection.close();
    await this.ledger.close();
  }

  async entries(partition: number): Promise<Entry[]> {
    const all: Entry[] = [];
    for (;;) {
      const stored = await this.ledger.entries(partition, all.at(-1)?.seq ?? 0, 10_000);
      if (stored.length === 0) return all;
      all.push(...stored.map(({ body }) => decodeEntry(body)));
    }
  }
}

/** Waits until everything that is open has been opened by one of these members. */
export async function untilOpen(member: ClusterMember, partition: number, epochMin = 1): Promise<void> {
  for (let tries = 0; (member.acknowledgements.knownHead(partition)?.epoch ?? 0) < epochMin; tries += 1) {
    if (tries > 1_000) throw new Error(`partition ${partition} is not open: ${member.log.slice(-5).join('\n')}`);
    await delay(10);
  }
}
