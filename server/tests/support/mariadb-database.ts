/** Databases for tests on one real server: each ledger of a test has its own. */
import { createConnection } from 'mariadb';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import type { MariadbTestServer } from './servers/mariadb.ts';

let made = 0;

/** A new, empty database, and how Holdfast gets at it. */
export async function freshDatabase(server: MariadbTestServer): Promise<MariadbAccess> {
  made += 1;
  const database = `test_${process.pid}_${made}`;
  await asAdmin(server, [
    `create database ${database}`,
    `grant all privileges on ${database}.* to '${server.access.user}'@'${server.access.host}'`,
  ]);
  return { ...server.access, database };
}

/** Runs statements as a user who may do everything; returns the rows of the last one. */
export async function asAdmin<T>(server: MariadbTestServer, statements: readonly string[]): Promise<T[]> {
  const connection = await createConnection({ ...server.adminAccess, bigIntAsNumber: true });
  try {
    let rows: T[] = [];
    for (const statement of statements) rows = await connection.query<T[]>(statement);
    return rows;
  } finally {
    await connection.end();
  }
}
