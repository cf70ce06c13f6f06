import { type ProjectionLog, Projections } from '../projections.ts';
import type { Operations } from '../watermarked-history.ts';
import { SqliteProjectionStore } from './sqlite-projection-store.ts';

export interface SqliteProjectionsOptions {
  /** `projections.db`. */
  file: string;
  ledgerFile: string;
  /** Of that file, open. */
  ledger: Operations;
  /** Where the ledger stands, as callers were told. */
  recordedSeq: (partition: number) => number;
  log: ProjectionLog;
}

/** @throws ProjectionsUnusable with what to do about it. */
export async function openSqliteProjections(options: SqliteProjectionsOptions): Promise<Projections> {
  const { file, ledgerFile, ...parts } = options;
  const store = await SqliteProjectionStore.open({ file, ledgerFile });
  return new Projections({ store, lastRecordedSeq: parts.recordedSeq, ...parts });
}
