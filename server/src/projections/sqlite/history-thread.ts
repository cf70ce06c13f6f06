/** The thread that reads history: a long scan holds up other reads of history, and nothing else. */
import { workerData } from 'node:worker_threads';
import { openConnection } from '../../ledger/sqlite/open-database.ts';
import { serveThread } from '../../threads/serve-thread.ts';
import type { AuditQuery, LevelQuery } from '../history-reads.ts';
import type { Keyed, LevelPageKey, MovementStoreQuery } from '../projection-store.ts';
import { HistoryReader } from './history-reader.ts';

const { file, ledgerFile } = workerData as { file: string; ledgerFile: string };
const database = openConnection(file, { readOnly: true });
const ledger = openConnection(ledgerFile, { readOnly: true });
const reader = new HistoryReader(database, ledger);

serveThread({
  levels: (query: Keyed<LevelQuery, LevelPageKey>) => reader.levels(query),
  movements: (query: MovementStoreQuery) => reader.movements(query),
  audit: (query: Keyed<AuditQuery, [seq: number]>) => reader.audit(query),
  reservation: (reservationId: string) => reader.reservation(reservationId),
  reservationsOfOrders: (hqId: string, orderIds: string[]) => reader.reservationsOfOrders(hqId, orderIds),
  onHandAt: (hqId: string, keys: { storeId: string; productId: string }[], at: number) =>
    reader.onHandAt(hqId, keys, at),
  close() {
    database.close();
    ledger.close();
  },
});
