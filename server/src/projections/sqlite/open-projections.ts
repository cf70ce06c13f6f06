/** Opens `projections.db`. It is derived, so a missing or damaged one is no loss: it is projected anew. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { LedgerUnusable } from '../../ledger/ledger.ts';
import { openConnection } from '../../ledger/sqlite/open-database.ts';
import { sqliteCode } from '../../ledger/sqlite/sqlite-errors.ts';
import { ProjectionsUnusable } from '../projection.ts';
import { KEY_TABLES } from './key-tables.ts';

/** Of the tables that all projections share; each projection has a version of its own. */
export const SCHEMA_VERSION = 1;

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** Pages (64 MB) in the write-ahead log before they are copied: a page that changes in every batch is copied once. */
const CHECKPOINT_PAGES = 16_384;

const SHARED_TABLES = `
  create table installation (id integer primary key check (id = 1), installation_id text not null) strict;
  create table projections (
    name text not null,
    state text not null check (state in ('serving', 'building')),
    version integer not null,
    generation integer not null,
    primary key (name, state)
  ) strict, without rowid;
  create table cursors (
    name text not null,
    state text not null check (state in ('serving', 'building')),
    partition_id integer not null,
    seq integer not null,
    hash text not null,
    at integer not null,
    primary key (name, state, partition_id)
  ) strict, without rowid;
  ${KEY_TABLES}
`;

export interface OpenedProjections {
  database: DatabaseSync;
  /** What a person should know: a damaged file was put aside. */
  notes: string[];
}

/** @throws ProjectionsUnusable with what to do about it. */
export function openProjections(file: string, installationId: string, nowMs: number): OpenedProjections {
  const notes: string[] = [];
  if (existsSync(damageMarker(file))) notes.push(putAside(file, nowMs, 'it was found damaged while in use'));
  try {
    return { database: openSound(file, installationId), notes };
  } catch (error) {
    if (!isDamage(error)) throw asUnusable(file, error);
    notes.push(putAside(file, nowMs, (error as Error).message));
    return { database: openSound(file, installationId), notes };
  }
}

/** Whether an error of SQLite's says that the file itself is damaged. */
export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** Leaves a note beside the file, so that the next start puts it aside: now it is in use. */
export function markDamaged(file: string): void {
  writeFileSync(damageMarker(file), '');
}

function damageMarker(file: string): string {
  return `${file}.damaged`;
}

function putAside(file: string, nowMs: number, reason: string): string {
  const aside = `${file}.damaged-${new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const part of ['', '-wal', '-shm']) {
    if (existsSync(file + part)) renameSync(file + part, aside + part);
  }
  rmSync(damageMarker(file), { force: true });
  return `${file} is damaged (${reason}). It was moved to ${aside}, and everything is projected anew from the ledger; nothing is lost.`;
}

function openSound(file: string, installationId: string): DatabaseSync {
  const database = openConnection(file, { synchronous: 'NORMAL' });
  try {
    database.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    const { user_version: version } = database.prepare('pragma user_version').get() as { user_version: number };
    if (version > SCHEMA_VERSION)
      throw tooNew(file, `its schema is version ${version}, this program's ${SCHEMA_VERSION}`);
    if (version === 0) install(database, file, installationId);
    checkInstallation(database, file, installationId);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function install(database: DatabaseSync, file: string, installationId: string): void {
  if (database.prepare('select 1 from sqlite_master').get() !== undefined) {
    throw new ProjectionsUnusable(
      'PROJECTIONS_FOREIGN',
      `${file} is a database of another program. Move it away, then start again: it is written anew.`,
    );
  }
  database.exec('begin immediate');
  database.exec(SHARED_TABLES);
  database.prepare('insert into installation (id, installation_id) values (1, ?)').run(installationId);
  database.exec(`pragma user_version = ${SCHEMA_VERSION}`);
  database.exec('commit');
}

function checkInstallation(database: DatabaseSync, file: string, installationId: string): void {
  const row = database.prepare('select installation_id as id from installation').get() as { id: string } | undefined;
  if (row?.id === installationId) return;
  throw new ProjectionsUnusable(
    'PROJECTIONS_FOREIGN',
    `${file} belongs to another installation (${row?.id ?? 'none'}; the ledger beside it is ${installationId}). Put the files of one installation together, or remove ${file}: it is projected anew from the ledger.`,
  );
}

export function tooNew(file: string, what: string): ProjectionsUnusable {
  return new ProjectionsUnusable(
    'PROJECTIONS_TOO_NEW',
    `${file} was written by a newer version of Holdfast: ${what}. Start that version, or remove the file: it is projected anew from the ledger.`,
  );
}

function asUnusable(file: string, error: unknown): unknown {
  if (error instanceof ProjectionsUnusable) return error;
  const reason = (error as Error).message;
  if (error instanceof LedgerUnusable || sqliteCode(error) !== 0) {
    return new ProjectionsUnusable(
      'PROJECTIONS_UNUSABLE',
      `${file} cannot be opened: ${reason}. Check that this user may write there and that no other program has it open.`,
    );
  }
  return error;
}
