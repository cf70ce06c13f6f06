import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import { chainHash, genesisHash } from '../chain.ts';
import { LedgerUnusable } from '../ledger.ts';
import { migrations } from '../migrations/migrations.ts';
import { attachOperationIndex, createOperationIndex } from './operation-index.ts';
import { NodeSqliteDialect } from './sqlite-dialect.ts';
import { unusable } from './sqlite-errors.ts';

const BUSY_TIMEOUT_MS = 5_000;

export interface DatabaseOptions {
  /** `FULL` is the guarantee; `OFF` exists for the negative control of the torture. */
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
  readOnly?: boolean;
}

/** Opens a connection with the settings that the guarantees rest on. */
export function openConnection(file: string, options: DatabaseOptions = {}): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: options.readOnly ?? false, timeout: BUSY_TIMEOUT_MS });
  if (options.readOnly !== true) {
    const { journal_mode } = database.prepare('pragma journal_mode = wal').get() as { journal_mode: string };
    if (journal_mode !== 'wal') {
      database.close();
      throw new LedgerUnusable(
        'LEDGER_NO_WAL',
        `${file} cannot use write-ahead logging here (${journal_mode}). Use a local disk.`,
      );
    }
    database.exec(`pragma synchronous = ${options.synchronous ?? 'FULL'}`);
  }
  database.exec('pragma cache_size = -16384; pragma temp_store = memory');
  return database;
}

/**
 * Opens, creates or upgrades the ledger, and holds its cursors against its last entries.
 * @throws LedgerUnusable with what to do about it.
 */
export async function openLedgerDatabase(file: string, options: DatabaseOptions = {}): Promise<DatabaseSync> {
  let database: DatabaseSync | null = null;
  try {
    database = openConnection(file, options);
    await migrate(database, file, migrations);
    const installationId = installOnce(database);
    checkHeads(database, file);
    attachOperationIndex(database, file);
    createOperationIndex(database, installationId);
    return database;
  } catch (error) {
    database?.close();
    throw error instanceof LedgerUnusable ? error : unusable(file, error);
  }
}

/** Brings a database to the newest schema; refuses one that a newer version has changed. */
export async function migrate(database: DatabaseSync, file: string, all: Record<string, Migration>): Promise<void> {
  const kysely = new Kysely<unknown>({ dialect: new NodeSqliteDialect(database) });
  const applied = appliedMigrations(database);
  const unknown = applied.filter((name) => !(name in all));
  if (unknown.length > 0) {
    throw new LedgerUnusable(
      'LEDGER_TOO_NEW',
      `${file} was written by a newer version of Holdfast (it has ${unknown.join(', ')}). Start that version, or restore a backup made before the upgrade.`,
    );
  }
  if (applied.length === Object.keys(all).length) return;
  const migrator = new Migrator({ db: kysely, provider: { getMigrations: async () => all } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

function appliedMigrations(database: DatabaseSync): string[] {
  const table = database.prepare("select name from sqlite_master where name = 'kysely_migration'").get();
  if (table === undefined) return [];
  return (database.prepare('select name from kysely_migration order by name').all() as { name: string }[]).map(
    (row) => row.name,
  );
}

/** A new ledger gets its identity, and a cursor for each partition. */
function installOnce(database: DatabaseSync): string {
  database.exec('begin immediate');
  if (database.prepare('select 1 from installation').get() === undefined) {
    const installationId = randomUUID();
    const now = Date.now();
    database
      .prepare('insert into installation (id, installation_id, created_at) values (1, ?, ?)')
      .run(installationId, now);
    const insert = database.prepare('insert into cursors (partition_id, epoch, seq, hash, at) values (?, 0, 0, ?, 0)');
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1)
      insert.run(partition, genesisHash(installationId, partition));
  }
  database.exec('commit');
  const { installation_id } = database.prepare('select installation_id from installation').get() as {
    installation_id: string;
  };
  return installation_id;
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
function checkHeads(database: DatabaseSync, file: string): void {
  const rows = database
    .prepare(
      `select c.partition_id, c.seq as cursor_seq, c.hash as cursor_hash, e.seq, e.hash, e.body, p.hash as previous
       from cursors c
       left join entries e on e.partition_id = c.partition_id
         and e.seq = (select max(seq) from entries where partition_id = c.partition_id)
       left join entries p on p.partition_id = c.partition_id and p.seq = e.seq - 1`,
    )
    .all() as unknown as LastEntry[];
  for (const row of rows) {
    const stands = row.seq === null ? row.cursor_seq === 0 : row.seq === row.cursor_seq && row.hash === row.cursor_hash;
    const own = row.previous === null || row.body === null || chainHash(row.previous, row.body) === row.hash;
    if (stands && own) continue;
    throw new LedgerUnusable(
      'LEDGER_CORRUPT',
      `${file}: partition ${row.partition_id} ends at entry ${row.seq ?? 0}, its cursor at ${row.cursor_seq}; they do not match. Keep the file and restore the last backup.`,
    );
  }
}
