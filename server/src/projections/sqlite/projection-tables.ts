import type { DatabaseSync } from 'node:sqlite';
import type { ProjectedEntry, ProjectionName } from '../projection.ts';
import type { KeyTables } from './key-tables.ts';

/** Which tables of a projection are meant: those that are read, or those being built beside them. */
export type Suffix = '' | '_next';

/** An entry with the numbers of its HQ and of the level of each line. */
export interface NumberedEntry extends ProjectedEntry {
  hqNo: number;
  levelIds: readonly number[];
}

/** One generation of a projection's tables, as the projector writes them. */
export interface ProjectionWriter {
  /** Entries of one partition, in order. @throws ProjectionMismatch */
  apply(projected: NumberedEntry): void;
  /** Ends a batch: what was merged is written. @throws ProjectionMismatch */
  flush(): void;
  /** The batch was rolled back. */
  discard(): void;
}

export interface ProjectionTables {
  name: ProjectionName;
  version: number;
  /** Names without suffix. */
  tables: readonly string[];
  /** `generation` makes the names of indexes unique: a table is renamed, its indexes are not. */
  create(suffix: Suffix, generation: number): string;
  open(database: DatabaseSync, keys: KeyTables, suffix: Suffix): ProjectionWriter;
}
