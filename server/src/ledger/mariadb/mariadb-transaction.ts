import { type Connection, SqlError } from 'mariadb';
import { LedgerUnavailable } from '../ledger.ts';
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

/**
 * As `transact`, for tables beside the entries: what the database refused is rolled back for certain; only a commit
 * without an answer leaves that open.
 * @throws what `refused` makes of the reason: nothing was done; LedgerUnavailable: it is not known; what `work` throws
 */
export async function transactOrRefuse<T>(
  pool: MariadbPool,
  work: (connection: Connection) => Promise<T>,
  refused: (reason: string) => Error,
): Promise<T> {
  try {
    return await transact(pool, work);
  } catch (error) {
    if (error instanceof CommitUnknown) throw new LedgerUnavailable(error.message, error);
    if (!(error instanceof SqlError || error instanceof LedgerUnavailable)) throw error;
    throw refused(reasonOf(error));
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
