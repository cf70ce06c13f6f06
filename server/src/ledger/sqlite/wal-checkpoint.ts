import type { DatabaseSync } from 'node:sqlite';

/** Copies what no reader holds back and answers the frames that the log holds, copied or not. */
export function checkpoint(database: DatabaseSync): number {
  const { log } = database.prepare('pragma wal_checkpoint(passive)').get() as { log: number };
  return log;
}
