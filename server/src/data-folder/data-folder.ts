/** The folder of an embedded installation: who may use it, and where its files are. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { LedgerUnusable } from '../ledger/ledger.ts';

/** A process that was just killed may hold its locks a moment longer. */
const LOCK_WAIT_MS = 3_000;
const LOCK_RETRY_MS = 50;

export interface RunningServer {
  url: string;
  pid: number;
}

/**
 * The lock is one of the operating system's, held by an open transaction on a database of its own: it goes with the
 * process, however that ends.
 */
export class DataFolder {
  readonly path: string;
  readonly #lock: DatabaseSync;

  private constructor(path: string, lock: DatabaseSync) {
    this.path = path;
    this.#lock = lock;
  }

  /** @throws LedgerUnusable when the folder cannot be written, or another process has it. */
  static async acquire(path: string, waitMs = LOCK_WAIT_MS): Promise<DataFolder> {
    makeFolder(path);
    const giveUpAt = Date.now() + waitMs;
    for (;;) {
      const lock = tryLock(path);
      if (lock !== null) return new DataFolder(path, lock);
      if (Date.now() > giveUpAt) throw inUse(path);
      await delay(LOCK_RETRY_MS);
    }
  }

  get ledgerFile(): string {
    return join(this.path, 'ledger.db');
  }

  get projectionsFile(): string {
    return join(this.path, 'projections.db');
  }

  /** Tells other programs on this machine where the server listens; forgotten on release. */
  announce(server: RunningServer): void {
    writeFileSync(serverFile(this.path), `${JSON.stringify(server)}\n`);
  }

  release(): void {
    rmSync(serverFile(this.path), { force: true });
    this.#lock.close();
  }
}

/** The server that has this folder, if one runs: the lock says so, not the file. */
export function findRunningServer(path: string): RunningServer | null {
  let server: RunningServer;
  try {
    server = JSON.parse(readFileSync(serverFile(path), 'utf8')) as RunningServer;
  } catch {
    return null;
  }
  const lock = tryLock(path);
  lock?.close();
  return lock === null ? server : null;
}

function serverFile(path: string): string {
  return join(path, 'server.json');
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw notWritable(path, error);
  }
}

function tryLock(path: string): DatabaseSync | null {
  let lock: DatabaseSync | null = null;
  try {
    lock = new DatabaseSync(join(path, 'holdfast.lock'), { timeout: 0 });
    lock.exec('pragma locking_mode = exclusive; begin exclusive');
    return lock;
  } catch (error) {
    lock?.close();
    const SQLITE_BUSY = 5;
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw notWritable(path, error);
  }
}

function notWritable(path: string, error: unknown): LedgerUnusable {
  return new LedgerUnusable(
    'LEDGER_NOT_WRITABLE',
    `The data folder ${path} cannot be written (${(error as Error).message}). Give this user write access to it, or name another one with HOLDFAST_DATA.`,
  );
}

function inUse(path: string): LedgerUnusable {
  let holder = '';
  try {
    const { url, pid } = JSON.parse(readFileSync(serverFile(path), 'utf8')) as RunningServer;
    holder = ` (process ${pid} on ${url})`;
  } catch {
    // A process that has not announced itself yet, or a command that serves nothing.
  }
  return new LedgerUnusable(
    'DATA_FOLDER_IN_USE',
    `The data folder ${path} is in use by another Holdfast${holder}. Stop that one first, or name another folder with HOLDFAST_DATA.`,
  );
}
