/** The thread that reads the ledger: replays and history never wait behind a commit, nor the other way round. */
import { workerData } from 'node:worker_threads';
import { serveThread } from '../../threads/serve-thread.ts';
import { openConnection } from './open-database.ts';
import { SqliteLedgerStore } from './sqlite-ledger-store.ts';

const { file } = workerData as { file: string };
const store = new SqliteLedgerStore(openConnection(file, { readOnly: true }));

serveThread({
  entries: (partition: number, afterSeq: number, limit: number) => store.entries(partition, afterSeq, limit),
  findOperations: (hqId: string, operationIds: string[]) => store.findOperations(hqId, operationIds),
  operationsSince: (partition: number, sinceMs: number, limit: number) =>
    store.operationsSince(partition, sinceMs, limit),
  close: () => store.close(),
});
