import { setTimeout as delay } from 'node:timers/promises';
import { type MariadbAccess, MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import type { Hold } from '../../stock/entry.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { ImageChunk } from '../../stock/stock-engine.ts';
import { ThreadClient } from '../../threads/thread-client.ts';
import type { AuditQuery, AuditRow, LevelQuery, LevelRow, MovementRow, OnHandThen } from '../history-reads.ts';
import type { ProjectionName } from '../projection.ts';
import type {
  Keyed,
  LevelPageKey,
  MovementKey,
  MovementStoreQuery,
  ProjectionStore,
  ProjectorReport,
  RebuildProgress,
  Rows,
} from '../projection-store.ts';
import { Generations } from './generations.ts';
import { HistoryReader, inSnapshot } from './history-reader.ts';
import { ImageReader } from './image-reader.ts';
import { readServingTables } from './layout.ts';
import { readInstallationId } from './ledger-rows.ts';
import { ProjectionProgress } from './projection-progress.ts';

/** Reads at once; more wait their turn. */
const CONNECTIONS = 4;
/** An engine replays what is missing from its image; past this many entries it waits for the projectors instead. */
const IMAGE_LAG_MAX = 20_000;
const IMAGE_POLL_MS = 50;
/** Without any progress for this long there is no projector to wait for. */
const IMAGE_PATIENCE_MS = 3_000;
const IMAGE_MS_MAX = 600_000;
const ALL_PARTITIONS = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);

export interface MariadbProjectionStoreOptions {
  access: MariadbAccess;
  /** Whether this process projects; else it reads what others have projected. */
  projects: boolean;
}

/** Tables in the ledger's own database: written by the projectors of any number of processes, read by all. */
export class MariadbProjectionStore implements ProjectionStore {
  readonly #pool: MariadbPool;
  readonly #imagePool: MariadbPool;
  readonly #generations: Generations;
  readonly #progress: ProjectionProgress;
  readonly #reader: HistoryReader;
  readonly #projector: ThreadClient | null;
  readonly #forwarding: Promise<void>;

  private constructor(parts: {
    pool: MariadbPool;
    imagePool: MariadbPool;
    generations: Generations;
    projector: ThreadClient | null;
  }) {
    this.#pool = parts.pool;
    this.#imagePool = parts.imagePool;
    this.#generations = parts.generations;
    this.#projector = parts.projector;
    this.#progress = new ProjectionProgress(parts.pool);
    this.#reader = new HistoryReader(parts.pool);
    this.#forwarding = parts.projector === null ? Promise.resolve() : this.#forward(parts.projector);
  }

  /** The ledger's tables must be there. @throws ProjectionsUnusable, LedgerUnavailable */
  static async open({ access, projects }: MariadbProjectionStoreOptions): Promise<MariadbProjectionStore> {
    const pool = new MariadbPool(access, { connectionsMax: CONNECTIONS, autocommit: true });
    const imagePool = new MariadbPool(access, { connectionsMax: CONNECTIONS, autocommit: true });
    let projector: ThreadClient | null = null;
    try {
      const installationId = await pool.use(readInstallationId);
      const generations = new Generations({ pool, installationId, now: Date.now });
      const outdated = await generations.prepare();
      if (projects) {
        projector = new ThreadClient(new URL('./projector-thread.ts', import.meta.url), { access, installationId });
        await projector.call('open');
      }
      const store = new MariadbProjectionStore({ pool, imagePool, generations, projector });
      await store.#progress.start(outdated);
      return store;
    } catch (error) {
      await projector?.close();
      await pool.close();
      throw error;
    }
  }

  async #forward(projector: ThreadClient): Promise<void> {
    for (;;) {
      const report = await projector.call<ProjectorReport | null>('nextReport').catch(() => null);
      if (report === null) return;
      this.#progress.report(report);
    }
  }

  wake(): void {
    // A projector that is gone reports so elsewhere; until then there is nobody to wake.
    this.#projector?.call('wake').catch(() => undefined);
  }

  /** As it was when this process last looked. */
  projectedSeq(partition: number): number {
    return this.#progress.projectedSeq(partition);
  }

  /** Where the ledger stood when this process last looked, at most a second ago while the database is there. */
  recordedSeq(partition: number): number {
    return this.#progress.recordedSeq(partition);
  }

  waitFor(partition: number, seq: number, timeoutMs: number): Promise<boolean> {
    return this.#progress.waitFor(partition, seq, timeoutMs);
  }

  nextReport(): Promise<ProjectorReport | null> {
    return this.#progress.nextReport();
  }

  async startRebuild(names: readonly ProjectionName[]): Promise<void> {
    await this.#generations.startRebuild(names);
    this.wake();
  }

  rebuildProgress(): Promise<RebuildProgress> {
    return this.#generations.progress();
  }

  levels(query: Keyed<LevelQuery, LevelPageKey>): Promise<Rows<LevelRow, LevelPageKey>> {
    return this.#reader.levels(query);
  }

  movements(query: MovementStoreQuery): Promise<Rows<MovementRow, MovementKey>> {
    return this.#reader.movements(query);
  }

  audit(query: Keyed<AuditQuery, [seq: number]>): Promise<Rows<AuditRow, [seq: number]>> {
    return this.#reader.audit(query);
  }

  reservation(reservationId: string): Promise<{ hqId: string; hold: Hold } | null> {
    return this.#reader.reservation(reservationId);
  }

  reservationsOfOrders(hqId: string, orderIds: readonly string[]): Promise<(Hold | null)[]> {
    return this.#reader.reservationsOfOrders(hqId, orderIds);
  }

  onHandAt(hqId: string, keys: readonly { storeId: string; productId: string }[], at: number): Promise<OnHandThen[]> {
    return this.#reader.onHandAt(hqId, keys, at);
  }

  /**
   * Waits until these partitions are projected nearly to the ledger's end: after an upgrade everything is projected
   * first, which needs far less memory than an engine that replays everything. Where nobody projects there is no
   * image, and the entries alone must do.
   */
  async *image(closedSinceMs: number, partitions: readonly number[] = ALL_PARTITIONS): AsyncGenerator<ImageChunk> {
    if (!(await this.#nearEnd(partitions))) {
      yield { kind: 'cursors', rows: [] };
      return;
    }
    const chunks = new ChunkQueue();
    const reading = this.#imagePool
      .use(
        (connection) =>
          inSnapshot(connection, async (_, tables) => {
            for await (const chunk of new ImageReader(connection, tables, partitions).image(closedSinceMs)) {
              if (!(await chunks.put(chunk))) return;
            }
          }),
        IMAGE_MS_MAX,
      )
      .then(
        () => chunks.end(null),
        (error: Error) => chunks.end(error),
      );
    try {
      yield* chunks.take();
    } finally {
      chunks.abandon();
      await reading;
    }
  }

  /** False: the tables are not complete, and nobody makes them so. */
  async #nearEnd(partitions: readonly number[]): Promise<boolean> {
    let movedAt = performance.now();
    for (let before = -1; ; ) {
      const [complete, { done, total }] = await Promise.all([this.#isComplete(), this.rebuildProgress()]);
      const lag = await this.#progress.lagOf(partitions);
      if (complete && lag <= IMAGE_LAG_MAX) return true;
      const missing = lag + total - done;
      if (missing !== before) movedAt = performance.now();
      if (performance.now() - movedAt > IMAGE_PATIENCE_MS) return complete;
      before = missing;
      await delay(IMAGE_POLL_MS);
    }
  }

  async #isComplete(): Promise<boolean> {
    return (await this.#pool.use(readServingTables)) !== null;
  }

  async close(): Promise<void> {
    await this.#progress.close();
    await this.#projector?.close();
    await this.#forwarding;
    await this.#pool.close();
    await this.#imagePool.close();
  }
}

/** Hands chunks over one by one; one is read while another is used. */
class ChunkQueue {
  #chunk: ImageChunk | null = null;
  #ended: { error: Error | null } | null = null;
  #abandoned = false;
  #changed: () => void = () => undefined;

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#changed;
      this.#changed = () => {
        before();
        resolve();
      };
    });
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = () => undefined;
    changed();
  }

  /** False: nobody wants more. */
  async put(chunk: ImageChunk): Promise<boolean> {
    while (this.#chunk !== null && !this.#abandoned) await this.#change();
    this.#chunk = chunk;
    this.#tell();
    return !this.#abandoned;
  }

  end(error: Error | null): void {
    this.#ended = { error };
    this.#tell();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#tell();
  }

  async *take(): AsyncGenerator<ImageChunk> {
    for (;;) {
      const chunk = this.#chunk;
      if (chunk !== null) {
        this.#chunk = null;
        this.#tell();
        yield chunk;
      } else if (this.#ended !== null) {
        if (this.#ended.error !== null) throw this.#ended.error;
        return;
      } else await this.#change();
    }
  }
}
