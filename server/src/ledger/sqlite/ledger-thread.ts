/** The thread that writes the ledger: it alone holds the writing connection. */
import type { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { catalogWrites } from '../../catalog/sqlite/catalog-handlers.ts';
import { SqliteCatalogStore } from '../../catalog/sqlite/sqlite-catalog-store.ts';
import { loadRelayCursors, saveRelayCursors } from '../../events/sqlite/relay-cursor-store.ts';
import { inboxWrites } from '../../ordering/inbox/sqlite/inbox-handlers.ts';
import { letterWrites } from '../../ordering/letters/sqlite/letter-handlers.ts';
import type { RecordedHead } from '../../stock/stock-engine.ts';
import { serveThread } from '../../threads/serve-thread.ts';
import { LedgerConflict } from '../ledger.ts';
import { type DatabaseOptions, openLedgerDatabase } from './open-database.ts';
import { type PackedRecords, unpackRecords } from './packed-records.ts';
import { SqliteLedgerStore } from './sqlite-ledger-store.ts';
import { checkpoint } from './wal-checkpoint.ts';

/** The heads of the new epoch, or the partitions whose cursor stood elsewhere. */
export type OpenedEpoch = { opened: RecordedHead[] } | { moved: number[] };

const { file, options } = workerData as { file: string; options: DatabaseOptions };
let database: DatabaseSync | null = null;
let store: SqliteLedgerStore | null = null;
let catalog: SqliteCatalogStore | null = null;

function opened(): SqliteLedgerStore {
  if (store === null) throw new Error('the ledger is not open');
  return store;
}

function openedDatabase(): DatabaseSync {
  if (database === null) throw new Error('the ledger is not open');
  return database;
}

function openedCatalog(): SqliteCatalogStore {
  if (catalog === null) throw new Error('the ledger is not open');
  return catalog;
}

/** An error crosses the thread without its class and fields, so a conflict goes as what it says. */
function openEpoch(heads: RecordedHead[]): OpenedEpoch {
  try {
    return { opened: opened().openEpoch(heads) };
  } catch (error) {
    if (error instanceof LedgerConflict) return { moved: [...error.partitions] };
    throw error;
  }
}

serveThread({
  async open() {
    database = await openLedgerDatabase(file, options);
    database.exec('pragma wal_autocheckpoint = 0');
    store = new SqliteLedgerStore(database);
    store.operationIds.reviewIndex();
    catalog = new SqliteCatalogStore(database);
  },
  identity: () => opened().identity(),
  heads: () => opened().heads(),
  openEpoch,
  record: (packed: PackedRecords, ahead: boolean) => opened().record(unpackRecords(packed), ahead),
  findOperations: (hqId: string, operationIds: string[]) => opened().findOperations(hqId, operationIds),
  pendingUndos: () => opened().pendingUndos(),
  youngOperations: () => {
    opened().operationIds.reviewIndex();
    return opened().operationIds.size;
  },
  checkpoint: () => checkpoint(openedDatabase()),
  loadRelayCursors: () => loadRelayCursors(openedDatabase()),
  saveRelayCursors: (cursors: [number, number][]) => saveRelayCursors(openedDatabase(), cursors),
  ...catalogWrites(openedCatalog),
  ...inboxWrites(openedDatabase),
  ...letterWrites(openedDatabase),
  close: () => store?.close(),
});
