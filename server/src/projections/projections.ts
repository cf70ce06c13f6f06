/** What the rest of Holdfast sees of the projections, whatever database holds them. */
import type { RebuildReport } from '../application.ts';
import type { ImageSource } from '../recording/restore.ts';
import { PARTITION_COUNT } from '../stock/limits.ts';
import type { HistoryReads } from './history-reads.ts';
import { isProjectionName, PROJECTION_NAMES } from './projection.ts';
import type { PartitionStop, ProjectionStore, ProjectorReport, RebuildProgress } from './projection-store.ts';
import { type Operations, type RecordedSeq, WatermarkedHistory } from './watermarked-history.ts';

const PROGRESS_EVERY_MS = 100;

export interface ProjectionLog {
  info(message: string): void;
  error(message: string): void;
}

export interface ProjectionsParts {
  store: ProjectionStore;
  ledger: Operations;
  /** Where the ledger stands, as callers were told. */
  recordedSeq: RecordedSeq;
  /** Where it was last seen to stand, for the figure of the lag alone. */
  lastRecordedSeq: (partition: number) => number;
  log: ProjectionLog;
}

export interface PartitionStatus {
  partition: number;
  /** The last entry that is projected. */
  seq: number;
  /** Why its entries are no longer projected. */
  stopped?: string;
}

/** Nobody knows a projection of this name. */
export class UnknownProjection extends Error {
  constructor(name: string) {
    super(`there is no projection "${name}"; there are ${PROJECTION_NAMES.join(', ')}`);
    this.name = 'UnknownProjection';
  }
}

export class Projections {
  readonly history: HistoryReads;
  readonly images: ImageSource;
  readonly store: ProjectionStore;
  readonly #parts: ProjectionsParts;
  readonly #stops = new Map<number, PartitionStop>();
  readonly #listening: Promise<void>;

  constructor(parts: ProjectionsParts) {
    this.#parts = parts;
    this.store = parts.store;
    this.images = parts.store;
    this.history = new WatermarkedHistory(parts.store, parts.ledger, parts.recordedSeq);
    this.#listening = this.#listen();
  }

  /** To be called after every commit. */
  wake(_partition: number, _seq: number): void {
    this.store.wake();
  }

  /** The partitions that hold anything. */
  status(): PartitionStatus[] {
    const all: PartitionStatus[] = [];
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1) {
      const seq = this.store.projectedSeq(partition);
      const stop = this.#stops.get(partition);
      if (stop !== undefined) all.push({ partition, seq, stopped: stop.reason });
      else if (seq > 0) all.push({ partition, seq });
    }
    return all;
  }

  /** Entries that are recorded and not yet projected. */
  lag(): number {
    let lag = 0;
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1) {
      lag += Math.max(0, this.#parts.lastRecordedSeq(partition) - this.store.projectedSeq(partition));
    }
    return lag;
  }

  /**
   * Builds one projection (null: all of them) anew from the entries beside what is read, then switches.
   * @throws UnknownProjection; Error when the entries contradict themselves or another rebuild is under way
   */
  async rebuild(name: string | null, onProgress?: (done: number, total: number) => void): Promise<RebuildReport> {
    if (name !== null && !isProjectionName(name)) throw new UnknownProjection(name);
    const names = name === null ? PROJECTION_NAMES : [name];
    const startedAt = performance.now();
    await this.store.startRebuild(names);
    const { total } = await this.#followRebuild(onProgress);
    return { projections: [...names], entries: total, durationMs: Math.round(performance.now() - startedAt) };
  }

  async #followRebuild(onProgress?: (done: number, total: number) => void): Promise<RebuildProgress> {
    for (;;) {
      const progress = await this.store.rebuildProgress();
      onProgress?.(progress.done, progress.total);
      if (progress.failure !== null) throw new Error(`the rebuild failed: ${progress.failure}`);
      if (progress.building.length === 0) return progress;
      await new Promise((resolve) => setTimeout(resolve, PROGRESS_EVERY_MS));
    }
  }

  /** Until the store is closed. */
  async #listen(): Promise<void> {
    for (;;) {
      const report = await this.store.nextReport().catch(() => null);
      if (report === null) return;
      this.#report(report);
    }
  }

  #report(report: ProjectorReport): void {
    const { log } = this.#parts;
    switch (report.kind) {
      case 'stopped':
        this.#stops.set(report.stop.partition, report.stop);
        log.error(`the history of partition ${report.stop.partition} stands still: ${report.stop.reason}`);
        return;
      case 'resumed':
        for (const partition of report.partitions) this.#stops.delete(partition);
        return;
      case 'note':
        log.info(report.text);
        return;
      case 'trouble':
        log.error(`projecting fails and is tried again: ${report.reason}`);
        return;
    }
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.#listening;
  }
}
