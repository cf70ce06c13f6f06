/**
 * How far everything is projected, whoever projects it: one look at the cursors for all who wait, often while somebody
 * waits, else once a second for the figures and for the partitions that have stopped.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import type { ProjectionName } from '../projection.ts';
import type { PartitionStop, ProjectorReport } from '../projection-store.ts';

const WAITING_POLL_MS = 10;
const IDLE_POLL_MS = 1_000;

interface ProgressRow {
  partition: number;
  projected: number;
  recorded: number;
  stopKind: PartitionStop['kind'] | null;
  stopReason: string | null;
}

interface Waiter {
  partition: number;
  seq: number;
  until: number;
  resolve: (reached: boolean) => void;
}

export class ProjectionProgress {
  readonly #pool: MariadbPool;
  #rows = new Map<number, ProgressRow>();
  #waiters: Waiter[] = [];
  readonly #reports: ProjectorReport[] = [];
  #reader: ((report: ProjectorReport | null) => void) | null = null;
  #failing = false;
  #closed = false;
  #hurry: () => void = () => undefined;
  #polling: Promise<void> = Promise.resolve();

  constructor(pool: MariadbPool) {
    this.#pool = pool;
  }

  /** @throws LedgerUnavailable */
  async start(outdated: readonly ProjectionName[]): Promise<void> {
    if (outdated.length > 0) {
      this.report({
        kind: 'note',
        text: `the projection of ${outdated.join(', ')} has a new version and is built anew`,
      });
    }
    await this.#look();
    this.#polling = this.#poll();
  }

  projectedSeq(partition: number): number {
    return this.#rows.get(partition)?.projected ?? 0;
  }

  recordedSeq(partition: number): number {
    return this.#rows.get(partition)?.recorded ?? 0;
  }

  /** Entries that are recorded and not projected, of these partitions that have not stopped, as it is now. */
  async lagOf(partitions: readonly number[]): Promise<number> {
    await this.#look();
    let lag = 0;
    for (const partition of partitions) {
      const row = this.#rows.get(partition);
      if (row !== undefined && row.stopKind === null) lag += Math.max(0, row.recorded - row.projected);
    }
    return lag;
  }

  waitFor(partition: number, seq: number, timeoutMs: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#waiters.push({ partition, seq, until: performance.now() + timeoutMs, resolve });
      this.#hurry();
    });
  }

  report(report: ProjectorReport): void {
    this.#reports.push(report);
    this.#deliver();
  }

  nextReport(): Promise<ProjectorReport | null> {
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#reader === null || (this.#reports.length === 0 && !this.#closed)) return;
    const resolve = this.#reader;
    this.#reader = null;
    resolve(this.#reports.shift() ?? null);
  }

  async #poll(): Promise<void> {
    while (!this.#closed) {
      await this.#pause(this.#waiters.length > 0 ? WAITING_POLL_MS : IDLE_POLL_MS);
      if (this.#closed) return;
      try {
        await this.#look();
        this.#failing = false;
      } catch (error) {
        if (!this.#failing) this.report({ kind: 'trouble', reason: (error as Error).message });
        this.#failing = true;
        this.#settle();
        await delay(WAITING_POLL_MS);
      }
    }
  }

  /** Ends early when somebody begins to wait. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      const hurried = ms === IDLE_POLL_MS;
      this.#hurry = () => {
        if (!hurried && !this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
      if (this.#closed || (hurried && this.#waiters.length > 0)) this.#hurry();
    });
  }

  async #look(): Promise<void> {
    const rows = await this.#pool.read<ProgressRow>(
      `select p.partition_id as \`partition\`, p.seq as projected, c.seq as recorded, p.stop_kind as stopKind,
         p.stop_reason as stopReason
       from projection_cursors p join cursors c on c.partition_id = p.partition_id where p.state = 'serving'`,
    );
    const before = this.#rows;
    this.#rows = new Map(rows.map((row) => [row.partition, row]));
    this.#reportStops(before);
    this.#settle();
  }

  #reportStops(before: ReadonlyMap<number, ProgressRow>): void {
    const resumed: number[] = [];
    for (const { partition, stopKind: kind, stopReason } of this.#rows.values()) {
      const known = before.get(partition)?.stopKind ?? null;
      const reason = stopReason ?? '';
      if (kind === null && known !== null) resumed.push(partition);
      else if (kind !== null && (known === null || before.get(partition)?.stopReason !== stopReason)) {
        this.report({ kind: 'stopped', stop: { partition, kind, reason } });
      }
    }
    if (resumed.length > 0) this.report({ kind: 'resumed', partitions: resumed });
  }

  /** Answers whoever waited for what is projected now, for what will not be, or long enough. */
  #settle(): void {
    const now = performance.now();
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      const row = this.#rows.get(waiter.partition);
      if ((row?.projected ?? 0) >= waiter.seq) waiter.resolve(true);
      else if ((row?.stopKind ?? null) !== null || waiter.until <= now) waiter.resolve(false);
      else waiting.push(waiter);
    }
    this.#waiters = waiting;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hurry();
    await this.#polling;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(false);
    this.#deliver();
  }
}
