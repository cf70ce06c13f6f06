/** Nodes and recorders over one shared engine and one shared ledger, all in memory, with the doings of each in the test's hand. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Evidence, PartitionOwnership } from '../../../../src/ledger/shared-ledger.ts';
import { ClusterAcknowledgements } from '../../../../src/recording/cluster/cluster-acknowledgements.ts';
import { ClusterRecorder } from '../../../../src/recording/cluster/cluster-recorder.ts';
import type {
  PartitionRow,
  PartitionStates,
  PartitionWait,
  SeenHead,
  WaitingPartition,
} from '../../../../src/recording/cluster/partition-states.ts';
import type { ProjectedKeys, ProjectedRows } from '../../../../src/recording/cluster/projected-rows.ts';
import type { RecordedAnnouncement, RecordedChannel } from '../../../../src/recording/cluster/recorded-channel.ts';
import { CommandExecutor, type Execution } from '../../../../src/recording/command-executor.ts';
import { undoOf } from '../../../../src/recording/undo.ts';
import type { Command } from '../../../../src/stock/commands.ts';
import type { Entry } from '../../../../src/stock/entry.ts';
import { partitionOf } from '../../../../src/stock/identifiers.ts';
import type { StockEngine } from '../../../../src/stock/stock-engine.ts';
import { ReplayedRows } from '../../../projections/replayed-rows.ts';
import { HQ, requestOf, reserveOf, unitsOf } from '../../../stock/requests.ts';
import { SharedMemoryEngine } from './shared-memory-engine.ts';
import { SharedMemoryLedger } from './shared-memory-ledger.ts';

export const PARTITION = partitionOf(HQ);
export const OTHER_HQ = ['HQ002', 'HQ003', 'HQ004'].find((hqId) => partitionOf(hqId) !== PARTITION) as string;

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };

export class MemoryChannel implements RecordedChannel {
  readonly #listeners = new Set<(announcements: readonly RecordedAnnouncement[]) => void>();
  readonly all: RecordedAnnouncement[] = [];
  /** False: what is announced is lost. */
  carries = true;

  announce(announcements: readonly RecordedAnnouncement[]): void {
    this.all.push(...announcements);
    if (this.carries) for (const listener of this.#listeners) listener(announcements);
  }

  subscribe(listener: (announcements: readonly RecordedAnnouncement[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export class MemoryPartitionStates implements PartitionStates {
  readonly rows = new Map<number, WaitingPartition>();
  readonly acceptedEpochs = new Map<number, number>();
  evidence: readonly Evidence[] = [];

  async waiting(): Promise<WaitingPartition[]> {
    return [...this.rows.values()];
  }

  async halt({ partition, epoch }: SeenHead, wait: PartitionWait, reason: string): Promise<boolean> {
    if (epoch < (this.acceptedEpochs.get(partition) ?? 0)) return false;
    const seenEpoch = Math.max(epoch, this.rows.get(partition)?.seenEpoch ?? 0);
    const resumed = this.rows.get(partition)?.resumed ?? false;
    this.rows.set(partition, { partition, wait, reason, sinceMs: 0, seenEpoch, resumed });
    return true;
  }

  async rejectionsSince(partition: number, sinceMs: number): Promise<number> {
    return this.evidence.filter((each) => each.partition === partition && each.at >= sinceMs).length;
  }

  async resume(partition: number): Promise<boolean> {
    const row = this.rows.get(partition);
    if (row !== undefined) row.resumed = true;
    return row !== undefined;
  }

  async accepted(partition: number, epoch: number): Promise<void> {
    this.rows.delete(partition);
    this.acceptedEpochs.set(partition, epoch);
  }

  async list(): Promise<PartitionRow[]> {
    return [];
  }
}

/** Who owns what is for the test to say. */
class AssignedOwnership implements PartitionOwnership {
  partitions: number[];

  constructor(partitions: number[]) {
    this.partitions = partitions;
  }

  async renew(): Promise<number[]> {
    return [...this.partitions];
  }

  async leave(): Promise<void> {
    this.partitions = [];
  }
}

export interface TestRecorder {
  recorder: ClusterRecorder;
  ownership: AssignedOwnership;
  log: string[];
}

export class MemoryCluster {
  readonly engine = new SharedMemoryEngine();
  readonly ledger = new SharedMemoryLedger();
  readonly states = new MemoryPartitionStates();
  readonly channel = new MemoryChannel();
  readonly recorders: TestRecorder[] = [];
  readonly nodes: TestNode[] = [];
  /** Entries that the projections have; null: all. */
  projectedUpTo: number | null = null;
  /** Entries that the projections have seen beyond the ledger. */
  projectedAhead = 0;

  constructor() {
    this.states.evidence = this.ledger.evidence;
  }

  recorder(partitions = [PARTITION, partitionOf(OTHER_HQ)], poisonRebuildsMax = 1): TestRecorder {
    const ownership = new AssignedOwnership(partitions);
    const log: string[] = [];
    const recorder = new ClusterRecorder({
      journal: this.engine,
      engine: this.engine,
      ledger: this.ledger,
      ownership,
      states: this.states,
      projected: { read: (keys) => this.#project(keys) },
      images: { async *image() {} },
      channel: this.channel,
      now: () => Date.now(),
      poisonRebuildsMax,
      events: {
        recorded: () => undefined,
        duplicated: (entry) => {
          log.push(`duplicated ${entry.seq}`);
          const [node] = this.nodes;
          if (node !== undefined) void undoOf(entry, node.executor, () => delay(20));
        },
        committed: () => undefined,
        quarantined: (numbers, reason) => log.push(`quarantined ${numbers.join(',')}: ${reason}`),
        opened: (heads) => log.push(...heads.map(({ partition, epoch }) => `opened ${partition} at epoch ${epoch}`)),
        waiting: (partition, reason) => log.push(`waiting ${partition}: ${reason}`),
        trouble: (error) => log.push(`trouble: ${error.message}`),
      },
    });
    const test = { recorder, ownership, log };
    this.recorders.push(test);
    recorder.start();
    return test;
  }

  async #project(keys: readonly ProjectedKeys[]): Promise<ProjectedRows[]> {
    const rows = new ReplayedRows();
    for (const { partition } of keys) {
      const entries = this.ledger.entriesNow(partition);
      for (const entry of entries) if (entry.seq <= (this.projectedUpTo ?? entry.seq)) rows.apply(entry);
    }
    const found = await rows.read(keys);
    return found.map((each) => ({ ...each, seq: each.seq + this.projectedAhead }));
  }

  async node(): Promise<TestNode> {
    const node = new TestNode(this);
    await node.acknowledgements.start();
    this.nodes.push(node);
    return node;
  }

  /** A recorder, a node, and stock of one product in a store of both HQs. */
  static async stocked(quantity = 10): Promise<{ cluster: MemoryCluster; recorder: TestRecorder; node: TestNode }> {
    const cluster = new MemoryCluster();
    const recorder = cluster.recorder();
    const node = await cluster.node();
    await until(() => node.acknowledgements.knownHead(PARTITION)?.epoch === 1);
    for (const hqId of [HQ, OTHER_HQ]) {
      await node.execute({ type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS }, null, hqId);
      await node.execute({ type: 'configure-product', productId: 'P1', settings: NO_SETTINGS }, null, hqId);
      const stocked = await node.execute({ type: 'receive', items: [unitsOf(quantity)] }, `stock/${hqId}`, hqId);
      if (stocked.status !== 'recorded') throw new Error(`not stocked: ${JSON.stringify(stocked)}`);
    }
    return { cluster, recorder, node };
  }

  entries(hqId = HQ): Entry[] {
    return this.ledger.entriesNow(partitionOf(hqId));
  }

  async stop(): Promise<void> {
    this.ledger.onRecord = async (commit) => commit();
    this.ledger.onRead = async () => undefined;
    this.engine.onFilling = async () => undefined;
    for (const { recorder } of this.recorders) await recorder.stop();
    for (const { acknowledgements } of this.nodes) acknowledgements.stop();
  }
}

export class TestNode {
  readonly acknowledgements: ClusterAcknowledgements;
  readonly executor: CommandExecutor;
  readonly troubles: string[] = [];

  constructor({ engine, ledger, channel, states }: MemoryCluster) {
    this.acknowledgements = new ClusterAcknowledgements({
      ledger,
      channel,
      states,
      now: () => performance.now(),
      onTrouble: (error) => this.troubles.push(error.message),
    });
    const decide: StockEngine['decide'] = (request) =>
      engine.decide(request, this.acknowledgements.knownHead(partitionOf(request.hqId)));
    this.executor = new CommandExecutor({
      engine: { decide } as StockEngine,
      ledger,
      acknowledgements: this.acknowledgements,
      findProjectedHold: async () => null,
    });
  }

  execute(command: Command, operationId: string | null, hqId = HQ): Promise<Execution> {
    return this.executor.execute({ ...requestOf(command, operationId), hqId });
  }

  reserve(quantity: number, operationId: string, hqId = HQ): Promise<Execution> {
    const reservationId = reserveOf(1).reservationId.replace(/^rsv_\d+/, `rsv_${partitionOf(hqId)}`);
    return this.execute({ ...reserveOf(quantity), reservationId }, operationId, hqId);
  }

  /** As a client does it: again under the same id until it is known for certain. */
  async reserveUntilTold(quantity: number, operationId: string, hqId = HQ): Promise<Execution> {
    const command = { ...reserveOf(quantity) };
    command.reservationId = command.reservationId.replace(/^rsv_\d+/, `rsv_${partitionOf(hqId)}`);
    for (let tries = 0; ; tries += 1) {
      const execution = await this.execute(command, operationId, hqId);
      if (execution.status !== 'unavailable' && execution.status !== 'unknown') return execution;
      if (tries > 300) throw new Error(`never told: ${JSON.stringify(execution)}`);
      await delay(20);
    }
  }
}

export async function until(holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  for (const endsAt = performance.now() + withinMs; ; ) {
    if (await holds()) return;
    if (performance.now() > endsAt) throw new Error(`it did not come about within ${withinMs} ms: ${holds}`);
    await delay(5);
  }
}
