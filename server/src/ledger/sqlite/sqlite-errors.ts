import { LedgerUnusable } from '../ledger.ts';

/** Primary result codes of SQLite that are told apart: https://www.sqlite.org/rescode.html */
const SQLITE = {
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  CONSTRAINT: 19,
  NOTADB: 26,
};

/** The primary result code of an error that `node:sqlite` threw; 0 when it is no error of SQLite's. */
export function sqliteCode(error: unknown): number {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code & 0xff : 0;
}

/** Errors after which SQLite has rolled back, or lets us roll back, for certain. */
export function isDefinite(error: unknown): boolean {
  const code = sqliteCode(error);
  return [SQLITE.BUSY, SQLITE.LOCKED, SQLITE.READONLY, SQLITE.FULL, SQLITE.CONSTRAINT].includes(code);
}

export function isConstraint(error: unknown): boolean {
  return sqliteCode(error) === SQLITE.CONSTRAINT;
}

/** What to tell a person whose data folder cannot be opened. */
export function unusable(file: string, error: unknown): LedgerUnusable {
  const reason = (error as Error).message;
  switch (sqliteCode(error)) {
    case SQLITE.READONLY:
    case SQLITE.CANTOPEN:
    case SQLITE.IOERR:
      return new LedgerUnusable(
        'LEDGER_NOT_WRITABLE',
        `${file} cannot be written (${reason}). Give this user write access to its folder, or name another one with HOLDFAST_DATA.`,
      );
    case SQLITE.CORRUPT:
    case SQLITE.NOTADB:
      return new LedgerUnusable(
        'LEDGER_CORRUPT',
        `${file} is damaged or no database (${reason}). Keep the file, restore the last backup beside it, and compare both with "holdfast verify".`,
      );
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
      return new LedgerUnusable(
        'LEDGER_IN_USE',
        `${file} is locked by another program. Close it (a database browser, a backup tool), then start again.`,
      );
    case SQLITE.FULL:
      return new LedgerUnusable('DISK_FULL', `the disk of ${file} is full. Free some space, then start again.`);
    default:
      return new LedgerUnusable('LEDGER_UNUSABLE', `${file} cannot be opened: ${reason}`);
  }
}
