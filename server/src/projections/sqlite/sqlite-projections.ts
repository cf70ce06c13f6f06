import { type ProjectionLog, Projections } from '../projections.ts';
import { SqliteProjectionStore } from './sqlite-projection-store.ts';

export interface SqliteProjectionsOptions {
  /** `projections.db`. */
  file: string;
  /** `ledger.db`, which must be open. */
  ledgerFile: string;
  /** Where the ledger stands, as callers were told. */
  recordedSeq: (partition: number) => number;
  log: ProjectionLog;
}

/** @throws ProjectionsUnusable with what to do about it. */
export async function openSqliteProjections(options: SqliteProjectionsOptions): Promise<Projections> {
  const { file, ledgerFile, recordedSeq, log } = options;
  return new Projections({ store: await SqliteProjectionStore.open({ file, ledgerFile }), recordedSeq, log });
}
