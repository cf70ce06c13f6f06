import { randomUUID } from 'node:crypto';
import { type Migration, Migrator } from 'kysely/migration';
import type { Connection } from 'mariadb';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import { startMark } from '../../stock/shared-engine.ts';
import { chainHash, genesisHash } from '../chain.ts';
import { LedgerUnavailable, LedgerUnusable } from '../ledger.ts';
import { sharedMigrations } from '../migrations/migrations.ts';
import { kyselyOver } from './kysely-connection.ts';
import { isRefusedLogin, isTriggerRefused, isUnknownDatabase, reasonOf, tlsProblem } from './mariadb-errors.ts';
import { type MariadbAccess, MariadbPool } from './mariadb-pool.ts';
import { checkServer } from './server-settings.ts';

const MIGRATION_MS_MAX = 300_000;
const MIGRATION_LOCK_SECONDS_MAX = 60;
const READERS_MAX = 8;
const WRITERS_MAX = 4;
/** How an HQ finds its partition (`partitionOf`); never to change within an installation. */
const PARTITIONING = `fnv1a/${PARTITION_COUNT}`;

/** The connections of one ledger: whoever keeps tables in its database uses the same. */
export interface MariadbConnections {
  /** Each statement on its own. */
  reader: MariadbPool;
  /** Transactions, committed by a statement of their own (`transact`). */
  writer: MariadbPool;
}

/**
 * Opens the ledger's database: its server's settings are checked, its schema is created or upgraded by one process at
 * a time, and its cursors are held against its last entries.
 * @throws LedgerUnusable with what is wrong and what to do about it
 */
export async function openMariadb(access: MariadbAccess): Promise<MariadbConnections> {
  const reader = new MariadbPool(access, { autocommit: true, connectionsMax: READERS_MAX });
  const writer = new MariadbPool(access, { autocommit: false, connectionsMax: WRITERS_MAX, onConnect: checkServer });
  try {
    await writer.use((connection) => prepareOnce(connection, access, sharedMigrations), MIGRATION_MS_MAX);
    await checkHeads(reader, access);
    return { reader, writer };
  } catch (error) {
    await Promise.all([reader.close(), writer.close()]);
    throw error instanceof LedgerUnusable ? error : unusable(access, error);
  }
}

/** Brings the schema up to date under a lock that ends with its connection. */
async function prepareOnce(
  connection: Connection,
  access: MariadbAccess,
  all: Record<string, Migration>,
): Promise<void> {
  const lock = `holdfast/${access.database}`.slice(0, 64);
  const [row] = await connection.query<{ taken: number | null }[]>('select get_lock(?, ?) as taken', [
    lock,
    MIGRATION_LOCK_SECONDS_MAX,
  ]);
  if (row?.taken !== 1) {
    throw new LedgerUnusable(
      'LEDGER_BUSY',
      `another process has been changing the schema of ${placeOf(access)} for ${MIGRATION_LOCK_SECONDS_MAX} s. Start again once it is done.`,
    );
  }
  try {
    await migrate(connection, access, all);
    await installOnce(connection, access);
  } finally {
    await connection.query('select release_lock(?)', [lock]);
  }
}

async function migrate(connection: Connection, access: MariadbAccess, all: Record<string, Migration>): Promise<void> {
  const applied = await appliedMigrations(connection);
  const unknown = applied.filter((name) => !(name in all));
  if (unknown.length > 0) {
    throw new LedgerUnusable(
      'LEDGER_TOO_NEW',
      `${placeOf(access)} was written by a newer version of Holdfast (it has ${unknown.join(', ')}). Start that version, or restore a backup made before the upgrade.`,
    );
  }
  if (applied.length === Object.keys(all).length) return;
  const migrator = new Migrator({ db: kyselyOver(connection), provider: { getMigrations: async () => all } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  await connection.query('commit');
}

async function appliedMigrations(connection: Connection): Promise<string[]> {
  const [table] = await connection.query<unknown[]>(`show tables like 'kysely_migration'`);
  if (table === undefined) return [];
  const rows = await connection.query<{ name: string }[]>('select name from kysely_migration order by name');
  return rows.map(({ name }) => name);
}

/** A new ledger gets its identity, and a cursor for each partition. */
async function installOnce(connection: Connection, access: MariadbAccess): Promise<void> {
  const [installed] = await connection.query<{ partitioning: string }[]>('select partitioning from installation');
  if (installed !== undefined) {
    if (installed.partitioning === PARTITIONING) return;
    throw new LedgerUnusable(
      'LEDGER_OTHER_PARTITIONING',
      `${placeOf(access)} spreads its HQs over partitions by ${installed.partitioning}, this version of Holdfast by ${PARTITIONING}. Start the version that made it.`,
    );
  }
  const installationId = randomUUID();
  const cursors = Array.from({ length: PARTITION_COUNT }, (_, partition) => {
    const hash = genesisHash(installationId, partition);
    return [partition, 0, 0, hash, startMark(0, hash), 0];
  });
  await connection.query(
    'insert into installation (id, installation_id, created_at, partitioning) values (1, ?, ?, ?)',
    [installationId, Date.now(), PARTITIONING],
  );
  await connection.batch(
    'insert into cursors (partition_id, epoch, seq, hash, mark, at) values (?, ?, ?, ?, ?, ?)',
    cursors,
  );
  await connection.batch(
    'insert into owners (partition_id) values (?)',
    cursors.map(([partition]) => [partition]),
  );
  await connection.query('commit');
}

interface LastEntry {
  partition_id: number;
  cursor_seq: number;
  cursor_hash: string;
  seq: number | null;
  hash: string | null;
  body: string | null;
  previous: string | null;
}

/** Each cursor stands on its last entry, and that entry's hash is its own. */
async function checkHeads(reader: MariadbPool, access: MariadbAccess): Promise<void> {
  const rows = await reader.read<LastEntry>(
    `select c.partition_id, c.seq as cursor_seq, c.hash as cursor_hash, e.seq, e.hash, e.body, p.hash as previous
     from cursors c
     left join entries e on e.partition_id = c.partition_id
       and e.seq = (select max(seq) from entries l where l.partition_id = c.partition_id)
     left join entries p on p.partition_id = c.partition_id and p.seq = e.seq - 1`,
  );
  for (const row of rows) {
    const stands = row.seq === null ? row.cursor_seq === 0 : row.seq === row.cursor_seq && row.hash === row.cursor_hash;
    const own = row.previous === null || row.body === null || chainHash(row.previous, row.body) === row.hash;
    if (stands && own) continue;
    throw new LedgerUnusable(
      'LEDGER_CORRUPT',
      `${placeOf(access)}: partition ${row.partition_id} ends at entry ${row.seq ?? 0}, its cursor at ${row.cursor_seq}; they do not match. Keep the database as it is and restore the last backup beside it.`,
    );
  }
}

function placeOf({ host, port, database }: MariadbAccess): string {
  return `the database ${database} on ${host}:${port}`;
}

function unusable(access: MariadbAccess, error: unknown): LedgerUnusable {
  const place = placeOf(access);
  const reason = reasonOf(error);
  if (isRefusedLogin(error)) {
    // MariaDB says no more to a user who must come over TLS and does not.
    const orTls = access.tls === undefined ? ', and DB_TLS if it wants TLS' : '';
    return new LedgerUnusable(
      'LEDGER_LOGIN_REFUSED',
      `${place} refused the user ${access.user} (${reason}). Check DB_USERNAME and DB_PASSWORD${orTls}; the user needs all rights on the database ${access.database}.`,
    );
  }
  if (isUnknownDatabase(error)) {
    return new LedgerUnusable(
      'LEDGER_NO_DATABASE',
      `${place} is not there. Create it ("create database \`${access.database}\`"), or name another one with DB_NAME.`,
    );
  }
  if (isTriggerRefused(error)) {
    return new LedgerUnusable(
      'LEDGER_NO_TRIGGERS',
      `${place} refuses the triggers that keep entries from being changed. Put "log_bin_trust_function_creators = 1" under [mariadbd] (MySQL: [mysqld]) in the server's configuration, or say "set global log_bin_trust_function_creators = 1"; then start again.`,
    );
  }
  const problem = tlsProblem(error);
  if (problem !== null) return new LedgerUnusable('LEDGER_TLS', `${place} is not spoken to: ${problem}.`);
  if (error instanceof LedgerUnavailable) {
    return new LedgerUnusable('LEDGER_UNREACHABLE', `${reason}. Start the server, or correct DB_HOST and DB_PORT.`);
  }
  return new LedgerUnusable('LEDGER_UNUSABLE', `${place} cannot be opened: ${reason}`);
}
