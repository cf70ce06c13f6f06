/**
 * The thread that moves committed pages from the write-ahead log into the database. In the writer's own thread
 * (SQLite's default) a checkpoint stalled commits for 10–20 ms and cost a third of the throughput.
 */
import { workerData } from 'node:worker_threads';
import { serveThread } from '../../threads/serve-thread.ts';
import { openConnection } from './open-database.ts';
import { checkpoint } from './wal-checkpoint.ts';

const { file } = workerData as { file: string };
const database = openConnection(file);

serveThread({
  checkpoint: () => checkpoint(database),
  close: () => database.close(),
});
