/**
 * Entries → tables. Synchronous: it runs in a thread of its own, on its own file. `projections.db` is apart from
 * `ledger.db` because SQLite has one writer per file: projecting must never hold up a commit that a caller waits
 * for. It is derived data, so it does without an fsync per commit (`synchronous=NORMAL`; WAL keeps it whole), while
 * the ledger never does.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { StoredEntry } from '../../ledger/ledger.ts';
import { isConstraint, sqliteCode } from '../../ledger/sqlite/sqlite-errors.ts';
import type { RecordedHead } from '../../stock/stock-engine.ts';
import { PROJECTION_NAMES, type ProjectionName } from '../projection.ts';
import type { PartitionStop, RebuildProgress } from '../projection-store.ts';
import { KeyTables } from './key-tables.ts';
import { tooNew } from './open-projections.ts';
import { createTables, dropTables, PROJECTIONS, switchTables, TableSet } from './table-set.ts';

/** Where entries are taken from; the ledger's own store over a connection that only reads. */
export interface EntrySource {
  heads(): RecordedHead[];
  entries(partition: number, afterSeq: number, limit: number): StoredEntry[];
}

export interface ProjectorParts {
  database: DatabaseSync;
  file: string;
  installationId: string;
  source: EntrySource;
  onStopped: (stop: PartitionStop) => void;
  /** A rebuild removed what they were stopped for. */
  onResumed: (partitions: number[]) => void;
  onNote: (note: string) => void;
}

/** The least that a partition gets of a batch, however many wait. */
const SLICE_MIN = 32;

export class Projector {
  readonly #parts: ProjectorParts;
  readonly #keys: KeyTables;
  readonly #stops = new Map<number, PartitionStop>();
  #serving: TableSet;
  #building: TableSet | null = null;
  #buildFailure: Error | null = null;

  /** @throws ProjectionsUnusable when a newer version wrote the tables. */
  constructor(parts: ProjectorParts) {
    this.#parts = parts;
    this.#keys = new KeyTables(parts.database);
    this.#serving = this.#prepareTables();
    this.#resumeBuilding();
    this.#checkCursors();
  }

  seq(partition: number): number {
    return this.#serving.cursor(partition).seq;
  }

  get stops(): PartitionStop[] {
    return [...this.#stops.values()];
  }

  /** Creates what is missing; tables of another version are built anew. */
  #prepareTables(): TableSet {
    const { database, file } = this.#parts;
    const rows = database.prepare("select name, version from projections where state = 'serving'").all() as {
      name: ProjectionName;
      version: number;
    }[];
    const current: ProjectionName[] = [];
    for (const name of PROJECTION_NAMES) {
      const row = rows.find((candidate) => candidate.name === name);
      const { version } = PROJECTIONS[name];
      if (row !== undefined && row.version > version) {
        throw tooNew(file, `"${name}" is version ${row.version}, this program's ${version}`);
      }
      if (row?.version === version) current.push(name);
    }
    const outdated = PROJECTION_NAMES.filter((name) => !current.includes(name));
    if (outdated.length > 0) this.#replaceOutdated(outdated, rows.length > 0);
    const serving = current.length > 0 ? current : PROJECTION_NAMES;
    return new TableSet(database, this.#keys, 'serving', serving);
  }

  #replaceOutdated(outdated: readonly ProjectionName[], upgraded: boolean): void {
    const { database, installationId, onNote } = this.#parts;
    const all = outdated.length === PROJECTION_NAMES.length;
    database.exec('begin immediate');
    const unfinished = buildingNames(database);
    dropTables(database, 'building', unfinished);
    dropTables(database, 'serving', outdated);
    const names = PROJECTION_NAMES.filter((name) => outdated.includes(name) || (!all && unfinished.includes(name)));
    createTables(database, installationId, all ? 'serving' : 'building', names);
    database.exec('commit');
    if (upgraded) onNote(`the projection of ${outdated.join(', ')} has a new version and is built anew`);
  }

  #resumeBuilding(): void {
    const { database } = this.#parts;
    const names = buildingNames(database);
    if (names.length > 0) this.#building = new TableSet(database, this.#keys, 'building', names);
  }

  /** A cursor whose entry is not in the ledger has seen more than the ledger holds now. */
  #checkCursors(): void {
    for (const { partition } of this.#parts.source.heads()) {
      const { seq, hash } = this.#serving.cursor(partition);
      if (seq === 0) continue;
      const [entry] = this.#parts.source.entries(partition, seq - 1, 1);
      if (entry?.seq === seq && entry.hash === hash) continue;
      this.#stop(partition, 'ledger-went-back', `entry ${seq} was projected, and the ledger no longer holds it`);
    }
  }

  #stop(partition: number, kind: PartitionStop['kind'], reason: string): void {
    const stop: PartitionStop = { partition, kind, reason };
    this.#stops.set(partition, stop);
    this.#parts.onStopped(stop);
  }

  /** Projects up to about `limit` entries of the partitions that are behind; answers how many. */
  serve(limit: number): number {
    const behind = this.#parts.source
      .heads()
      .filter(({ partition, seq }) => seq > this.#serving.cursor(partition).seq && !this.#stops.has(partition));
    if (behind.length === 0) return 0;
    const quota = Math.max(Math.min(SLICE_MIN, limit), Math.floor(limit / behind.length));
    let projected = 0;
    this.#transaction(this.#serving, () => {
      for (const { partition } of behind) {
        if (projected >= limit) break;
        const rows = this.#parts.source.entries(partition, this.#serving.cursor(partition).seq, quota);
        projected += this.#advance(partition, rows);
      }
    });
    return projected;
  }

  /** A slice that fails is tried again entry by entry, so that the cursor stands right before the one that fails. */
  #advance(partition: number, rows: readonly StoredEntry[]): number {
    if (this.#trySlice(partition, rows) === null) return rows.length;
    for (const [index, row] of rows.entries()) {
      const error = this.#trySlice(partition, [row]);
      if (error === null) continue;
      this.#stop(
        partition,
        error.name === 'ProjectionMismatch' || isConstraint(error) ? 'mismatch' : 'unreadable',
        error.message,
      );
      return index;
    }
    return rows.length;
  }

  /** Null, or why nothing of the slice was projected. Errors of the database itself are thrown. */
  #trySlice(partition: number, rows: readonly StoredEntry[]): Error | null {
    const { database } = this.#parts;
    database.exec('savepoint slice');
    try {
      this.#serving.advance(partition, rows);
      database.exec('release slice');
      return null;
    } catch (error) {
      if (sqliteCode(error) !== 0 && !isConstraint(error)) throw error;
      database.exec('rollback to slice; release slice');
      this.#serving.discard();
      return error as Error;
    }
  }

  #transaction(set: TableSet, work: () => void): void {
    const { database } = this.#parts;
    database.exec('begin immediate');
    try {
      work();
      database.exec('commit');
      set.committed();
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      set.discardAll();
      throw error;
    }
  }

  /** Begins to build projections anew beside those that are read. */
  startRebuild(names: readonly ProjectionName[]): void {
    if (this.#building !== null) throw new Error(`a rebuild of ${this.#building.names.join(', ')} is under way`);
    const { database, installationId } = this.#parts;
    database.exec('begin immediate');
    createTables(database, installationId, 'building', names);
    database.exec('commit');
    this.#buildFailure = null;
    this.#building = new TableSet(database, this.#keys, 'building', names);
  }

  rebuildProgress(): RebuildProgress {
    const building = this.#building;
    const total = this.#sum(this.#serving);
    return {
      building: building?.names ?? [],
      done: building === null ? total : this.#sum(building),
      total,
      failure: this.#buildFailure?.message ?? null,
    };
  }

  #sum(set: TableSet): number {
    let sum = 0;
    for (const { partition } of this.#parts.source.heads()) sum += set.cursor(partition).seq;
    return sum;
  }

  /** Builds on by up to `limit` entries; once level with what is read, takes its place. Answers how many. */
  build(limit: number): number {
    const building = this.#building;
    if (building === null || this.#buildFailure !== null) return 0;
    const behind = this.#parts.source.heads().find(({ partition }) => this.#missing(building, partition) > 0);
    if (behind === undefined) {
      this.#switch(building);
      return 0;
    }
    const { partition } = behind;
    const wanted = Math.min(limit, this.#missing(building, partition));
    const rows = this.#parts.source.entries(partition, building.cursor(partition).seq, wanted);
    try {
      this.#transaction(building, () => building.advance(partition, rows));
    } catch (error) {
      if (sqliteCode(error) !== 0 && !isConstraint(error)) throw error;
      this.#abandon(building, error as Error);
    }
    return rows.length;
  }

  #missing(building: TableSet, partition: number): number {
    return this.#serving.cursor(partition).seq - building.cursor(partition).seq;
  }

  /** The entries contradict themselves: what is read stays, if there is any. */
  #abandon(building: TableSet, error: Error): void {
    const { database, onNote } = this.#parts;
    this.#buildFailure = error;
    onNote(`the rebuild of ${building.names.join(', ')} failed: ${error.message}`);
    if (!building.names.every((name) => this.#serving.names.includes(name))) return;
    database.exec('begin immediate');
    dropTables(database, 'building', building.names);
    database.exec('commit');
    this.#building = null;
  }

  #switch(building: TableSet): void {
    const { database, onNote } = this.#parts;
    database.exec('begin immediate');
    switchTables(database, building.names);
    database.exec('commit');
    const names = PROJECTION_NAMES.filter(
      (name) => this.#serving.names.includes(name) || building.names.includes(name),
    );
    this.#serving = new TableSet(database, this.#keys, 'serving', names);
    this.#building = null;
    this.#resume();
    onNote(`${building.names.join(', ')}: built anew from the entries and switched`);
  }

  /** Whoever stopped at a wrong row tries again; a projection that was not built anew stops it once more. */
  #resume(): void {
    const partitions = this.stops.filter(({ kind }) => kind === 'mismatch').map(({ partition }) => partition);
    for (const partition of partitions) this.#stops.delete(partition);
    if (partitions.length > 0) this.#parts.onResumed(partitions);
  }

  /** How far everything that is not stopped lies behind the ledger, and whether all projections can be read. */
  standing(): { lag: number; complete: boolean; stops: PartitionStop[] } {
    let lag = 0;
    for (const { partition, seq } of this.#parts.source.heads()) {
      if (!this.#stops.has(partition)) lag += seq - this.seq(partition);
    }
    return { lag, complete: this.#serving.names.length === PROJECTION_NAMES.length, stops: this.stops };
  }
}

function buildingNames(database: DatabaseSync): ProjectionName[] {
  const rows = database.prepare("select name from projections where state = 'building'").all() as { name: string }[];
  return PROJECTION_NAMES.filter((name) => rows.some((row) => row.name === name));
}
