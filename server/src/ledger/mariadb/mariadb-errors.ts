import { SqlError } from 'mariadb';
import { tlsFault } from '../../tls/tls-faults.ts';
import { LedgerUnavailable } from '../ledger.ts';

/** Errors of the server that are told apart: https://mariadb.com/kb/en/mariadb-error-codes/ (MySQL has the same). */
const SERVER = {
  ACCESS_DENIED_DATABASE: 1044,
  ACCESS_DENIED: 1045,
  UNKNOWN_DATABASE: 1049,
  DUPLICATE_KEY: 1062,
  LOCK_WAIT_TIMEOUT: 1205,
  DEADLOCK: 1213,
  ROW_CHANGED: 1020,
  TRIGGERS_REFUSED: 1419,
};
/** Of the connector. */
const SERVER_WITHOUT_TLS = 'ER_SERVER_SSL_DISABLED';

function errnoOf(error: unknown): number {
  return error instanceof SqlError ? error.errno : 0;
}

export function isDuplicateKey(error: unknown): boolean {
  return errnoOf(error) === SERVER.DUPLICATE_KEY;
}

/** Another transaction was in the way: the same work may succeed when it is done again. */
export function isContention(error: unknown): boolean {
  return [SERVER.LOCK_WAIT_TIMEOUT, SERVER.DEADLOCK, SERVER.ROW_CHANGED].includes(errnoOf(error));
}

/**
 * The connection is gone, and with it whatever it had not committed; or there was none to be had. The connector passes
 * some errors of the socket on as they are.
 */
export function isConnectionLost(error: unknown): boolean {
  const { fatal, syscall } = error as { fatal?: boolean; syscall?: string };
  return error instanceof LedgerUnavailable || fatal === true || syscall !== undefined;
}

export function isRefusedLogin(error: unknown): boolean {
  return [SERVER.ACCESS_DENIED, SERVER.ACCESS_DENIED_DATABASE].includes(errnoOf(error));
}

export function isUnknownDatabase(error: unknown): boolean {
  return errnoOf(error) === SERVER.UNKNOWN_DATABASE;
}

/** With a binary log, a user who is not almighty may create triggers only where the server says so. */
export function isTriggerRefused(error: unknown): boolean {
  return errnoOf(error) === SERVER.TRIGGERS_REFUSED;
}

/** The server's own words, without the statement and the connection's number around them. */
export function reasonOf(error: unknown): string {
  // Of a connection over TLS that was cut off: why it was.
  if (error instanceof Error && error.name === 'AbortError') return reasonOf(error.cause ?? error.message);
  if (error instanceof SqlError && error.sqlMessage !== null && error.sqlMessage !== undefined) return error.sqlMessage;
  return (error as Error).message;
}

/** Why we and the server do not agree on TLS, and what to do about it; null: that is not what is wrong. */
export function tlsProblem(error: unknown): string | null {
  const causes = [error, (error as Error).cause];
  const fault = tlsFault(error);
  if (fault !== null) return `${fault}. Check DB_TLS_CA_FILE, and that DB_HOST is a name in its certificate`;
  if (causes.some((each) => each instanceof SqlError && each.code === SERVER_WITHOUT_TLS))
    return 'it has no certificate (ssl_cert, ssl_key). Give it one, or set DB_TLS=off';
  return null;
}
