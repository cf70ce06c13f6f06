/**
 * Ways to sell a unit once, as they are written when the database (and a lock) is all there is. Every one checks the
 * stock, takes a unit, writes a row for the sale, and has both on disk before it answers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool, PoolConnection } from 'mariadb';
import { productLock } from '../../server/src/locking/lock-key.ts';
import type { Locks } from '../../server/src/locking/locks.ts';

/** True when a unit was sold; false when the caller was sent away. */
export type Sale = (product: number) => Promise<boolean>;

export interface Till {
  pool: Pool;
  /** Null where no lock server was asked for. */
  locks: Locks | null;
  /** Whatever is worth telling: retries, refusals, refunds. */
  count(what: string): void;
}

const PAYMENT_MS = 5;
const GIVE_UP_MS = 50;
const AGAIN_MS = 5;
const [DEADLOCK, LOCK_WAIT, STATEMENT_TIME] = [1213, 1205, 1969];

const READ = 'SELECT available, version FROM stock WHERE product = ?';
const TAKE_GUARDED = 'UPDATE stock SET available = available - 1 WHERE product = ? AND available >= 1';
const WRITE_DOWN = 'INSERT INTO sales (product) VALUES (?)';

type Level = { available: number; version: number };

async function transaction<T>(pool: Pool, work: (connection: PoolConnection) => Promise<T>): Promise<T> {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const result = await work(connection);
    await connection.commit();
    return result;
  } catch (error) {
    await connection.rollback();
    throw error;
  } finally {
    await connection.release();
  }
}

async function levelOf(connection: Pool | PoolConnection, product: number, suffix = ''): Promise<Level> {
  const [level] = (await connection.query(`${READ}${suffix}`, [product])) as Level[];
  if (level === undefined) throw new Error(`there is no product ${product}`);
  return level;
}

/** What was read, less one: right only while nobody else writes in between. */
async function writeBack(connection: PoolConnection, product: number, { available }: Level): Promise<boolean> {
  if (available < 1) return false;
  await connection.query('UPDATE stock SET available = ? WHERE product = ?', [available - 1, product]);
  await connection.query(WRITE_DOWN, [product]);
  return true;
}

/** `SELECT … FOR UPDATE`: others wait at the row. */
export function pessimistic({ pool }: Till): Sale {
  return (product) =>
    transaction(pool, async (connection) =>
      writeBack(connection, product, await levelOf(connection, product, ' FOR UPDATE')),
    );
}

/** Reads, and writes only if the version is still the one that was read; otherwise again. */
export function optimistic({ pool, count }: Till): Sale {
  return async (product) => {
    for (;;) {
      const { available, version } = await levelOf(pool, product);
      if (available < 1) return false;
      const won = await transaction(pool, async (connection) => {
        const update = 'UPDATE stock SET available = ?, version = ? WHERE product = ? AND version = ?';
        const { affectedRows } = await connection.query(update, [available - 1, version + 1, product, version]);
        if (affectedRows === 1) await connection.query(WRITE_DOWN, [product]);
        return affectedRows === 1;
      });
      if (won) return true;
      count('retries');
    }
  };
}

/** One `UPDATE … WHERE available >= 1`: check and effect are one statement. */
export function guarded({ pool }: Till): Sale {
  return (product) => transaction(pool, (connection) => takeGuarded(connection, product));
}

async function takeGuarded(connection: PoolConnection, product: number): Promise<boolean> {
  const { affectedRows } = await connection.query(TAKE_GUARDED, [product]);
  if (affectedRows === 1) await connection.query(WRITE_DOWN, [product]);
  return affectedRows === 1;
}

/** Read, check and write while a lock outside the database keeps the others away. */
export function locked({ pool, locks }: Till): Sale {
  if (locks === null) throw new Error('this takes a lock');
  // Who stands in line waits for his turn; the others ask again, the sooner the less was missed.
  const backoff = locks.lock.queues ? { backoffMs: 10_000, backoffMsMax: 10_000 } : { backoffMs: 2, backoffMsMax: 50 };
  return async (product) => {
    const key = productLock('HQ001', 'STORE001', String(product));
    const acquisition = await locks.acquire([key], { tries: Number.POSITIVE_INFINITY, ...backoff });
    if (acquisition.status !== 'held') throw new Error('an endless number of tries came to an end');
    try {
      const level = await levelOf(pool, product);
      return await transaction(pool, (connection) => writeBack(connection, product, level));
    } finally {
      await acquisition.held.release();
    }
  };
}

/** Read, check and write in one transaction that locks nothing by itself: what the isolation level makes of it. */
export function isolated({ pool, count }: Till): Sale {
  return async (product) => {
    for (;;) {
      try {
        return await transaction(pool, async (connection) =>
          writeBack(connection, product, await levelOf(connection, product)),
        );
      } catch (error) {
        if ((error as { errno?: number }).errno !== DEADLOCK) throw error;
        count('deadlocks');
      }
    }
  };
}

/** A unit that was sold comes in again a moment later, so that there are always fewer than buyers. */
function restock(pool: Pool, product: number): void {
  void delay(PAYMENT_MS).then(() =>
    pool.query('UPDATE stock SET available = available + 1 WHERE product = ?', [product]).catch(() => undefined),
  );
}

/** Takes the unit, then lets the customer pay. */
export function deductFirst({ pool, count }: Till): Sale {
  return async (product) => {
    if (!(await transaction(pool, (connection) => takeGuarded(connection, product)))) {
      count('sent away before paying');
      await delay(AGAIN_MS);
      return false;
    }
    await delay(PAYMENT_MS);
    restock(pool, product);
    return true;
  };
}

/** Looks, lets the customer pay, then takes the unit. */
export function deductLater({ pool, count }: Till): Sale {
  return async (product) => {
    if ((await levelOf(pool, product)).available < 1) {
      count('sent away before paying');
      await delay(AGAIN_MS);
      return false;
    }
    await delay(PAYMENT_MS);
    if (!(await transaction(pool, (connection) => takeGuarded(connection, product)))) {
      count('paid, and refunded');
      return false;
    }
    restock(pool, product);
    return true;
  };
}

/** `SELECT … FOR UPDATE` that gives up: after a while, or at once. */
export function impatient({ pool, count }: Till, patience: 'a while' | 'none'): Sale {
  const [before, after] =
    patience === 'none' ? ['', ' NOWAIT'] : [`SET STATEMENT max_statement_time=${GIVE_UP_MS / 1_000} FOR `, ''];
  return async (product) => {
    try {
      return await transaction(pool, async (connection) => {
        const [level] = (await connection.query(`${before}${READ} FOR UPDATE${after}`, [product])) as Level[];
        return writeBack(connection, product, level!);
      });
    } catch (error) {
      const { errno = 0 } = error as { errno?: number };
      if (![LOCK_WAIT, STATEMENT_TIME].includes(errno)) throw error;
      count('sent away after waiting');
      await delay(AGAIN_MS * Math.random());
      return false;
    }
  };
}

/** Somebody who opens a transaction on the product and takes his time, again and again, until `signal`. */
export async function dawdle(pool: Pool, product: number, ms: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await transaction(pool, async (connection) => {
      await levelOf(connection, product, ' FOR UPDATE');
      await delay(ms, undefined, { signal }).catch(() => undefined);
    }).catch(() => undefined);
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}
