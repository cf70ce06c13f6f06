import { type ProjectionLog, Projections } from '../projections.ts';
import type { Operations, RecordedSeq } from '../watermarked-history.ts';
import { MariadbProjectionStore, type MariadbProjectionStoreOptions } from './mariadb-projection-store.ts';

export interface MariadbProjectionsOptions extends MariadbProjectionStoreOptions {
  /** Of the same database, open. */
  ledger: Operations;
  /** Where the ledger's primary stands now. */
  recordedSeq: RecordedSeq;
  log: ProjectionLog;
}

/** @throws ProjectionsUnusable, LedgerUnavailable with what to do about it. */
export async function openMariadbProjections(options: MariadbProjectionsOptions): Promise<Projections> {
  const { access, projects, ...parts } = options;
  const store = await MariadbProjectionStore.open({ access, projects });
  return new Projections({ store, lastRecordedSeq: (partition) => store.recordedSeq(partition), ...parts });
}
