import type { Connection } from 'mariadb';
import { isConnectionLost, isContention, reasonOf } from './mariadb-errors.ts';
import type { MariadbPool } from './mariadb-pool.ts';

const ATTEMPTS_MAX = 3;

/** The commit was sent and not answered: only a look at the rows can tell what became of it. */
export class CommitUnknown extends Error {
  constructor(cause: unknown) {
    super(`it is not known whether the database has committed: ${reasonOf(cause)}`, { cause });
    this.name = 'CommitUnknown';
  }
}

/**
 * Runs `work` and commits, all or nothing, on a pool without autocommit. Work that met another transaction, or lost
 * its connection before the commit was sent, is done again a few times.
 * @throws CommitUnknown, LedgerUnavailable, and what `work` throws (it is rolled back)
 */
export async function transact<T>(
  pool: MariadbPool,
  work: (connection: Connection) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await pool.use(async (connection) => {
        const result = await work(connection);
        await commit(connection);
        return result;
      }, timeoutMs);
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !(isContention(error) || isConnectionLost(error))) throw error;
    }
  }
}

/** @throws CommitUnknown */
export async function commit(connection: Connection): Promise<void> {
  try {
    await connection.query('commit');
  } catch (error) {
    throw new CommitUnknown(error);
  }
}
