/** Whether a node of a cluster can serve: looked at again and again, so that asking costs nothing. */
import type { Readiness } from './application.ts';
import type { PartitionRow } from './recording/cluster/partition-states.ts';
import { PARTITION_COUNT } from './stock/limits.ts';
import type { EngineCounts, MaybePromise } from './stock/stock-engine.ts';

const LOOK_MS = 500;

export interface ClusterHealthParts {
  engineCounts: () => MaybePromise<EngineCounts>;
  /** Read from the database, so that its failure is the database's. */
  partitions: () => Promise<PartitionRow[]>;
  /** Parts that are away while reservations go on. */
  degraded: () => string[];
}

export class ClusterHealth {
  readonly #parts: ClusterHealthParts;
  #timer: NodeJS.Timeout | null = null;
  #looking = false;
  readonly #becameReady = Promise.withResolvers<boolean>();
  #stopped = false;
  #reasons: string[] = ['starting'];
  #closed: string[] = [];
  #counts: EngineCounts = { levels: 0, openHolds: 0, rememberedOperations: 0, unrecorded: 0, openPartitions: 0 };

  constructor(parts: ClusterHealthParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    await this.#look();
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** From now on the node says that it drains. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#reasons = ['draining'];
    this.#becameReady.resolve(false);
  }

  /** False: it was stopped before. */
  whenReady(): Promise<boolean> {
    return this.#becameReady.promise;
  }

  /** As of the last look. */
  get counts(): EngineCounts {
    return this.#counts;
  }

  get ready(): boolean {
    return this.#reasons.length === 0;
  }

  readiness(): Readiness {
    return { ready: this.ready, reasons: [...this.#reasons], degraded: [...this.#closed, ...this.#parts.degraded()] };
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const [counts, partitions] = await Promise.allSettled([this.#engineCounts(), this.#parts.partitions()]);
    this.#looking = false;
    if (this.#stopped) return;
    if (counts.status === 'fulfilled') this.#counts = counts.value;
    const rows = partitions.status === 'fulfilled' ? partitions.value : [];
    this.#closed = this.#closedPartitions(rows);
    this.#reasons = [
      ...(partitions.status === 'rejected' ? [`the database does not answer: ${reasonOf(partitions.reason)}`] : []),
      ...(counts.status === 'rejected' ? [`the engine does not answer: ${reasonOf(counts.reason)}`] : []),
      ...(counts.status === 'fulfilled' && counts.value.openPartitions === 0 ? [noneOpen(rows)] : []),
    ];
    if (this.ready) this.#becameReady.resolve(true);
  }

  async #engineCounts(): Promise<EngineCounts> {
    return this.#parts.engineCounts();
  }

  #closedPartitions(rows: readonly PartitionRow[]): string[] {
    const waiting = rows.flatMap(({ partition, waiting: wait }) =>
      wait === null || wait.resumed ? [] : [`partition ${partition} waits for an operator: ${wait.reason}`],
    );
    const closed = PARTITION_COUNT - this.#counts.openPartitions - waiting.length;
    return closed > 0 ? [...waiting, `${closed} of ${PARTITION_COUNT} partitions are being filled`] : waiting;
  }
}

function noneOpen(rows: readonly PartitionRow[]): string {
  return rows.some(({ owner }) => owner !== null)
    ? 'the engine is empty or away, and is being filled'
    : 'the engine is empty or away, and no process with the role recorder runs to fill it';
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
