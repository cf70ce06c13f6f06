/**
 * The thread that looks after the ledger's files: it moves committed pages from the write-ahead log into the database
 * (in the writer's thread, SQLite's default, that stalled commits for 10–20 ms), and operation ids into their index.
 */
import { workerData } from 'node:worker_threads';
import { serveThread } from '../../threads/serve-thread.ts';
import { openConnection } from './open-database.ts';
import { attachOperationIndex, OperationIndex } from './operation-index.ts';
import { checkpoint } from './wal-checkpoint.ts';

const { file } = workerData as { file: string };
const database = openConnection(file);
attachOperationIndex(database, file);
database.exec('pragma operations.synchronous = normal');
const index = new OperationIndex(database);

serveThread({
  checkpoint: () => checkpoint(database),
  foldOperations: () => index.fold(),
  close: () => database.close(),
});
