/**
 * Entries → tables, for any number of processes at once. What keeps two of them apart is the projection's own cursor:
 * its row is locked and compared first, in the transaction that writes the rows and moves it.
 */
import { type Connection, SqlError } from 'mariadb';
import type { StoredEntry } from '../../ledger/ledger.ts';
import { isConnectionLost, isContention } from '../../ledger/mariadb/mariadb-errors.ts';
import type { MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { ImageCursor } from '../../stock/stock-engine.ts';
import { PROJECTION_NAMES } from '../projection.ts';
import type { PartitionStop } from '../projection-store.ts';
import type { Generations } from './generations.ts';
import { type Layout, readLayout, type TableGroup } from './layout.ts';
import { EntryReader, type LedgerHead, readHeads } from './ledger-rows.ts';
import { ProjectedBatch } from './projected-batch.ts';

export interface ProjectorParts {
  /** With autocommit. */
  pool: MariadbPool;
  /** Without; the server ends its connections when they fall silent, so that a stalled projector holds no cursor. */
  writer: MariadbPool;
  generations: Generations;
  /** Whether this process is to project the partition now; it saves work, and guards nothing. */
  isMine: (partition: number) => boolean;
  onNote: (note: string) => void;
}

/** The least that a partition gets of a batch, however many wait. */
const SLICE_MIN = 32;
/** What may be left to build within the transaction that switches. */
const SWITCH_ENTRIES_MAX = 2_000;
const WRITE_MS_MAX = 20_000;

export class Projector {
  readonly #parts: ProjectorParts;
  readonly #entries = new EntryReader();
  /** The highest `seq` of each partition that was seen as recorded, and the epoch of it. */
  readonly #seen = new Map<number, { epoch: number; seq: number }>();

  constructor(parts: ProjectorParts) {
    this.#parts = parts;
  }

  /** Partitions that have stopped are tried again; those whose cursor the ledger no longer bears out stop. */
  async start(): Promise<void> {
    await this.#parts.pool.use(async (connection) => {
      await connection.query(
        "update projection_cursors set stop_kind = null, stop_reason = null where state = 'serving' and stop_kind is not null",
      );
      const { serving } = await readLayout(connection);
      for (const cursor of serving.cursors) {
        if (!(await this.#isBorneOut(connection, cursor))) await this.#stopWentBack(connection, serving, cursor);
      }
    }, WRITE_MS_MAX);
  }

  /** Whether the ledger holds the entry at which the cursor stands. */
  async #isBorneOut(connection: Connection, { partition, seq, hash }: ImageCursor): Promise<boolean> {
    if (seq === 0) return true;
    const [entry] = await this.#entries.entries(connection, partition, seq - 1, 1);
    return entry?.seq === seq && entry.hash === hash;
  }

  /** Projects up to about `limit` entries of the partitions that are behind; answers how many. */
  async serve(limit: number): Promise<number> {
    const [layout, heads] = await this.#look();
    const { serving } = layout;
    if (serving.names.length < PROJECTION_NAMES.length) return 0;
    await this.#checkHeads(layout, heads);
    const behind = this.#behind(layout, heads);
    if (behind.length === 0) return 0;
    const slices = await this.#read(behind, limit);
    const whole = new ProjectedBatch(serving);
    const failure = await this.#tryWrite(whole, slices);
    if (failure === null) return whole.entries;
    let projected = 0;
    for (const slice of slices) projected += await this.#oneByOne(serving, slice);
    return projected;
  }

  async #look(): Promise<[Layout, LedgerHead[]]> {
    return await this.#parts.pool.use((connection) => Promise.all([readLayout(connection), readHeads(connection)]));
  }

  #behind({ serving, stops }: Layout, heads: readonly LedgerHead[]): ImageCursor[] {
    const stopped = new Set(stops.map(({ partition }) => partition));
    return heads.flatMap(({ partition, seq }) => {
      const cursor = serving.cursors[partition];
      const waits = cursor !== undefined && seq > cursor.seq && !stopped.has(partition);
      return waits && this.#parts.isMine(partition) ? [cursor] : [];
    });
  }

  /**
   * The ledger never goes back: where it does, projecting on would bury what was there (`recording.md`, rule 17), until
   * an operator has accepted the ledger as it is.
   */
  async #checkHeads({ serving, stops }: Layout, heads: readonly LedgerHead[]): Promise<void> {
    for (const { partition, epoch, seq, hash, acceptedEpoch } of heads) {
      const cursor = serving.cursors[partition];
      let seen = this.#seen.get(partition);
      if (seen !== undefined && seen.epoch < acceptedEpoch) {
        this.#seen.delete(partition);
        seen = undefined;
        const stop = stops.find((each) => each.partition === partition && each.kind === 'ledger-went-back');
        if (stop !== undefined && cursor !== undefined) await this.#goOn(serving, cursor);
      }
      const seenSeq = Math.max(seen?.seq ?? 0, cursor?.seq ?? 0);
      const wentBack = seq < seenSeq || (seq === cursor?.seq && seq > 0 && hash !== cursor.hash);
      if (!wentBack) this.#seen.set(partition, { epoch, seq });
      else if (cursor !== undefined && !stops.some((stop) => stop.partition === partition)) {
        await this.#parts.pool.use((connection) =>
          this.#stopWentBack(connection, serving, { ...cursor, seq: seenSeq }),
        );
      }
    }
  }

  /** If the ledger that was accepted is the one from which the tables were made. */
  async #goOn({ layout }: TableGroup, cursor: ImageCursor): Promise<void> {
    await this.#parts.pool.use(async (connection) => {
      if (!(await this.#isBorneOut(connection, cursor))) return;
      await connection.query(
        `update projection_cursors set stop_kind = null, stop_reason = null
         where state = 'serving' and partition_id = ? and layout = ? and stop_kind = 'ledger-went-back'`,
        [cursor.partition, layout],
      );
    });
  }

  async #stopWentBack(connection: Connection, { layout }: TableGroup, { partition, seq }: ImageCursor): Promise<void> {
    const reason = `entry ${seq} was seen as recorded, and the ledger no longer holds it`;
    await stopPartition(connection, layout, { partition, kind: 'ledger-went-back', reason });
  }

  async #read(cursors: readonly ImageCursor[], limit: number): Promise<Slice[]> {
    const quota = Math.max(Math.min(SLICE_MIN, limit), Math.floor(limit / cursors.length));
    const chosen = cursors.slice(0, Math.ceil(limit / quota));
    return await this.#parts.pool.use((connection) =>
      Promise.all(
        chosen.map(async (cursor) => ({
          cursor,
          rows: await this.#entries.entries(connection, cursor.partition, cursor.seq, quota),
        })),
      ),
    );
  }

  /**
   * Null: written, or another process was first and it will be looked at anew. Else why nothing of it can be written;
   * trouble of the database itself is thrown.
   */
  async #tryWrite(batch: ProjectedBatch, slices: readonly Slice[]): Promise<Error | null> {
    try {
      for (const { cursor, rows } of slices) batch.add(cursor, rows);
      await this.#write(batch);
      return null;
    } catch (error) {
      if (isContention(error)) return null;
      if (isTrouble(error)) throw error;
      return error as Error;
    }
  }

  async #write(batch: ProjectedBatch): Promise<void> {
    await this.#parts.writer.use(async (connection) => {
      if (await batch.lock(connection)) await batch.write(connection);
      await connection.query('commit');
    }, WRITE_MS_MAX);
  }

  /** Entry by entry, so that the cursor stands right before the one that fails. */
  async #oneByOne(serving: TableGroup, { cursor, rows }: Slice): Promise<number> {
    if ((await this.#tryWrite(new ProjectedBatch(serving), [{ cursor, rows }])) === null) return rows.length;
    let from = cursor;
    for (const [index, row] of rows.entries()) {
      const batch = new ProjectedBatch(serving);
      const failure = await this.#tryWrite(batch, [{ cursor: from, rows: [row] }]);
      if (failure === null) {
        from = batch.reached[0] ?? from;
        continue;
      }
      const { partition } = cursor;
      const stop: PartitionStop = { partition, kind: kindOf(failure), reason: failure.message };
      await this.#parts.pool.use((connection) => stopPartition(connection, serving.layout, stop));
      return index;
    }
    return rows.length;
  }

  /** Builds on by up to `limit` entries; once nearly level with what is read, takes its place. Answers how many. */
  async build(limit: number): Promise<number> {
    const layout = await this.#parts.pool.use(readLayout);
    const { building, serving } = layout;
    if (building === null) return 0;
    const missing = (partition: number) =>
      (serving.cursors[partition]?.seq ?? 0) - (building.cursors[partition]?.seq ?? 0);
    try {
      const behind = building.cursors.filter(({ partition }) => missing(partition) > 0);
      if (behind.reduce((sum, { partition }) => sum + missing(partition), 0) <= SWITCH_ENTRIES_MAX) {
        return await this.#switch(serving, building);
      }
      const mine = behind.filter(({ partition }) => this.#parts.isMine(partition));
      const [cursor] = mine.sort((one, other) => missing(other.partition) - missing(one.partition));
      if (cursor === undefined) return 0;
      const [slice] = await this.#read([cursor], Math.min(limit, missing(cursor.partition)));
      const batch = new ProjectedBatch(building);
      batch.add(cursor, (slice as Slice).rows);
      await this.#write(batch);
      return batch.entries;
    } catch (error) {
      if (isContention(error)) return 0;
      if (isTrouble(error)) throw error;
      await this.#parts.generations.abandon((error as Error).message);
      this.#parts.onNote(`the rebuild of ${building.names.join(', ')} failed: ${(error as Error).message}`);
      return 0;
    }
  }

  /** Holds all cursors, builds what is left, and switches. */
  async #switch(serving: TableGroup, building: TableGroup): Promise<number> {
    const built = await this.#parts.writer.use(async (connection) => {
      const [served, reached] = [await lockAll(connection, serving), await lockAll(connection, building)];
      if (served === null || reached === null) {
        await connection.query('rollback');
        return null;
      }
      const batch = new ProjectedBatch(building);
      for (const cursor of reached) {
        const goal = served.find(({ partition }) => partition === cursor.partition)?.seq ?? 0;
        await this.#addUpTo(connection, batch, cursor, goal);
      }
      if (batch.entries > 0) await batch.write(connection);
      await this.#parts.generations.switch(connection, serving, building);
      await connection.query('commit');
      return batch.entries;
    }, WRITE_MS_MAX);
    if (built === null) return 0;
    this.#parts.onNote(`${building.names.join(', ')}: built anew from the entries and switched`);
    return Math.max(1, built);
  }

  async #addUpTo(connection: Connection, batch: ProjectedBatch, cursor: ImageCursor, goal: number): Promise<void> {
    const rows: StoredEntry[] = [];
    for (let { seq } = cursor; seq < goal; ) {
      const read = await this.#entries.entries(connection, cursor.partition, seq, goal - seq);
      if (read.length === 0) throw new Error(`entry ${seq + 1} of partition ${cursor.partition} is missing`);
      rows.push(...read);
      seq = read.at(-1)?.seq ?? goal;
    }
    if (rows.length > 0) batch.add(cursor, rows);
  }
}

interface Slice {
  cursor: ImageCursor;
  rows: readonly StoredEntry[];
}

/** A value that a table refuses: a key twice, a check, a number or a text that does not fit (MySQL: 3819). */
const REFUSED_VALUES = new Set([1062, 1264, 1366, 1406, 3819, 4025]);

/** Whether the database fails, rather than what is to be written. */
function isTrouble(error: unknown): boolean {
  return error instanceof SqlError ? !REFUSED_VALUES.has(error.errno) : isConnectionLost(error);
}

function kindOf(failure: Error): PartitionStop['kind'] {
  return failure.name === 'ProjectionMismatch' || failure instanceof SqlError ? 'mismatch' : 'unreadable';
}

/** Null: another process has switched meanwhile. */
async function lockAll(connection: Connection, { state, layout }: TableGroup): Promise<ImageCursor[] | null> {
  const rows = await connection.query<(ImageCursor & { layout: number })[]>(
    `select partition_id as \`partition\`, seq, hash, at, layout from projection_cursors
     where state = ? order by partition_id for update`,
    [state],
  );
  return rows.length === PARTITION_COUNT && rows.every((row) => row.layout === layout) ? rows : null;
}

async function stopPartition(
  connection: Connection,
  layout: number,
  { partition, kind, reason }: PartitionStop,
): Promise<void> {
  await connection.query(
    `update projection_cursors set stop_kind = ?, stop_reason = ?
     where state = 'serving' and partition_id = ? and layout = ? and stop_kind is null`,
    [kind, reason, partition, layout],
  );
}
