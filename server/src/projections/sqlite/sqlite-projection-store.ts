import { setTimeout as delay } from 'node:timers/promises';
import { openConnection } from '../../ledger/sqlite/open-database.ts';
import type { Hold } from '../../stock/entry.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { ImageChunk } from '../../stock/stock-engine.ts';
import { ThreadClient } from '../../threads/thread-client.ts';
import {
  type AuditQuery,
  type AuditRow,
  HistoryBehind,
  type LevelQuery,
  type LevelRow,
  type MovementRow,
  type OnHandThen,
} from '../history-reads.ts';
import { type ProjectionName, ProjectionsUnusable } from '../projection.ts';
import type {
  Keyed,
  LevelPageKey,
  MovementKey,
  MovementStoreQuery,
  PartitionStop,
  ProjectionStore,
  ProjectorReport,
  RebuildProgress,
  Rows,
} from '../projection-store.ts';
import { ImageReader } from './image-reader.ts';
import { isDamage, markDamaged } from './open-projections.ts';
import { ProjectorProgress } from './projector-progress.ts';

/** An engine replays what is missing from its image; past this many entries it waits for the projector instead. */
const IMAGE_LAG_MAX = 20_000;
const IMAGE_POLL_MS = 50;
const ALL_PARTITIONS = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);

export interface SqliteProjectionFiles {
  file: string;
  ledgerFile: string;
}

/** `projections.db`: written by one thread, read by another, and by the engine's own when it is filled. */
export class SqliteProjectionStore implements ProjectionStore {
  readonly #files: SqliteProjectionFiles;
  readonly #progress: ProjectorProgress;
  readonly #projector: ThreadClient;
  readonly #reader: ThreadClient;

  private constructor(files: SqliteProjectionFiles, progress: ProjectorProgress, projector: ThreadClient) {
    this.#files = files;
    this.#progress = progress;
    this.#projector = projector;
    this.#reader = new ThreadClient(new URL('./history-thread.ts', import.meta.url), files);
  }

  /** The ledger must be open. @throws ProjectionsUnusable with what to do about it. */
  static async open(files: SqliteProjectionFiles): Promise<SqliteProjectionStore> {
    const progress = new ProjectorProgress();
    const projector = new ThreadClient(new URL('./projector-thread.ts', import.meta.url), {
      ...files,
      progress: progress.memory,
    });
    try {
      await projector.call('open');
    } catch (error) {
      await projector.close();
      const { name, code, message } = error as { name: string; code?: string; message: string };
      throw name === 'ProjectionsUnusable' ? new ProjectionsUnusable(code ?? 'PROJECTIONS_UNUSABLE', message) : error;
    }
    return new SqliteProjectionStore(files, progress, projector);
  }

  wake(): void {
    if (!this.#progress.mustWake()) return;
    // A projector that is gone reports so elsewhere; until then there is nobody to wake.
    this.#projector.call('wake').catch(() => undefined);
  }

  projectedSeq(partition: number): number {
    return this.#progress.get(partition);
  }

  waitFor(partition: number, seq: number, timeoutMs: number): Promise<boolean> {
    return this.#projector.call('waitFor', partition, seq, timeoutMs);
  }

  nextReport(): Promise<ProjectorReport | null> {
    return this.#projector.call('nextReport');
  }

  startRebuild(names: readonly ProjectionName[]): Promise<void> {
    return this.#projector.call('startRebuild', names);
  }

  rebuildProgress(): Promise<RebuildProgress> {
    return this.#projector.call('rebuildProgress');
  }

  levels(query: Keyed<LevelQuery, LevelPageKey>): Promise<Rows<LevelRow, LevelPageKey>> {
    return this.#read('levels', query);
  }

  movements(query: MovementStoreQuery): Promise<Rows<MovementRow, MovementKey>> {
    return this.#read('movements', query);
  }

  audit(query: Keyed<AuditQuery, [seq: number]>): Promise<Rows<AuditRow, [seq: number]>> {
    return this.#read('audit', query);
  }

  reservation(reservationId: string): Promise<{ hqId: string; hold: Hold } | null> {
    return this.#read('reservation', reservationId);
  }

  reservationsOfOrders(hqId: string, orderIds: readonly string[]): Promise<(Hold | null)[]> {
    return this.#read('reservationsOfOrders', hqId, orderIds);
  }

  onHandAt(hqId: string, keys: readonly { storeId: string; productId: string }[], at: number): Promise<OnHandThen[]> {
    return this.#read('onHandAt', hqId, keys, at);
  }

  async #read<T>(method: string, ...args: unknown[]): Promise<T> {
    try {
      return await this.#reader.call<T>(method, ...args);
    } catch (error) {
      throw (error as Error).name === 'HistoryBehind' ? new HistoryBehind() : error;
    }
  }

  /**
   * Waits until the projector is near the ledger's end: after an upgrade or a loss of `projections.db` it projects
   * everything first, which needs far less memory than an engine that replays everything.
   */
  async *image(closedSinceMs: number, partitions: readonly number[] = ALL_PARTITIONS): AsyncGenerator<ImageChunk> {
    const stops = await this.#nearEnd();
    const excluded = new Set(stops.filter(({ kind }) => kind === 'mismatch').map(({ partition }) => partition));
    for (const partition of ALL_PARTITIONS) if (!partitions.includes(partition)) excluded.add(partition);
    const database = openConnection(this.#files.file, { readOnly: true });
    try {
      yield* new ImageReader(database, excluded).image(closedSinceMs);
    } catch (error) {
      if (!isDamage(error)) throw error;
      markDamaged(this.#files.file);
      throw new ProjectionsUnusable(
        'PROJECTIONS_DAMAGED',
        `${this.#files.file} is damaged (${(error as Error).message}). Start again: it is put aside, and everything is projected anew from the ledger.`,
      );
    } finally {
      database.close();
    }
  }

  async #nearEnd(): Promise<PartitionStop[]> {
    for (;;) {
      const { lag, complete, stops } = await this.#projector.call<{
        lag: number;
        complete: boolean;
        stops: PartitionStop[];
      }>('standing');
      if (complete && lag <= IMAGE_LAG_MAX) return stops;
      await delay(IMAGE_POLL_MS);
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#projector.close();
  }
}
