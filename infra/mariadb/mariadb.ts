/** One MariaDB server with the binary log on and every commit on disk, a database, and a user for it. */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mariadb';
import { here, type LocalServer, type Place, type ServerSettings } from '../local-server.ts';

const PROGRAM = 'mariadbd';
const READY_MS_MAX = 120_000;
const CONNECT_MS_MAX = 2_000;
const INSTALL_MS_MAX = 120_000;
export const HOST = '127.0.0.1';

export const DATABASE = 'commerce-inventory';
export const USERNAME = 'holdfast';
/** May do everything; for setting things up, never for Holdfast itself. */
export const ADMIN = 'root';

export interface MariadbOptions {
  folder: string;
  port: number;
  password: string;
  adminPassword: string;
  settings?: ServerSettings;
  place?: Place;
}

export function mariadbServer(options: MariadbOptions): LocalServer {
  const { folder, port, password, place = here } = options;
  const settingsFile = join(folder, 'my.cnf');
  const initFile = join(folder, 'init.sql');
  return {
    title: 'MariaDB',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'mariadb.log'),
    program: PROGRAM,
    command: place({ file: PROGRAM, args: [`--defaults-file=${settingsFile}`] }),
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(join(folder, 'tmp'), { recursive: true, mode: 0o700 });
      writeFileSync(initFile, initSql(options), { mode: 0o600 });
      writeFileSync(settingsFile, myCnf(options, initFile), { mode: 0o600 });
      await installData(folder, place);
    },
    async ask() {
      const connection = await createConnection({
        host: HOST,
        port,
        user: USERNAME,
        password,
        database: DATABASE,
        connectTimeout: CONNECT_MS_MAX,
        socketTimeout: CONNECT_MS_MAX,
      });
      try {
        await connection.query('SELECT 1');
      } finally {
        connection.destroy();
      }
    },
  };
}

function myCnf({ folder, port, settings }: MariadbOptions, initFile: string): string {
  const lines: ServerSettings = {
    ...placesOf(folder),
    port: String(port),
    'bind-address': HOST,
    'init-file': initFile,
    'skip-name-resolve': 'ON',
    'character-set-server': 'utf8mb4',
    innodb_flush_log_at_trx_commit: '1',
    sync_binlog: '1',
    'server-id': '1',
    'log-bin': 'binlog',
    binlog_format: 'ROW',
    binlog_row_image: 'FULL',
    binlog_row_metadata: 'FULL',
    gtid_strict_mode: 'ON',
    // With the binary log on, only this lets a user without SUPER create the triggers that guard the entries.
    log_bin_trust_function_creators: 'ON',
    ...settings,
  };
  return section(lines);
}

function placesOf(folder: string): ServerSettings {
  return {
    datadir: join(folder, 'data'),
    tmpdir: join(folder, 'tmp'),
    // Relative to the data folder: the path of a socket must be shorter than that of some checkouts.
    socket: 'mariadb.sock',
    'pid-file': 'mariadb.pid',
    // Refuses to run as root unless told to.
    ...(process.getuid?.() === 0 ? { user: 'root' } : {}),
  };
}

function section(lines: ServerSettings): string {
  return `[mariadbd]\n${Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')}`;
}

/** Run at every start, before connections are let in; one statement a line. */
function initSql({ password, adminPassword }: MariadbOptions): string {
  const user = `'${USERNAME}'@'${HOST}'`;
  const admin = `'${ADMIN}'@'${HOST}'`;
  return `SET SESSION sql_log_bin = 0;
CREATE DATABASE IF NOT EXISTS \`${DATABASE}\`;
CREATE USER IF NOT EXISTS ${admin};
ALTER USER ${admin} IDENTIFIED BY '${adminPassword}';
GRANT ALL PRIVILEGES ON *.* TO ${admin} WITH GRANT OPTION;
CREATE USER IF NOT EXISTS ${user};
ALTER USER ${user} IDENTIFIED BY '${password}';
GRANT ALL PRIVILEGES ON \`${DATABASE}\`.* TO ${user};
DELETE FROM mysql.global_priv WHERE User = '' OR (User = '${ADMIN}' AND Host <> '${HOST}');
FLUSH PRIVILEGES;
`;
}

/** Makes the system tables, unless they are there. A first start that was interrupted begins anew. */
export async function installData(folder: string, place: Place = here): Promise<void> {
  const data = join(folder, 'data');
  if (existsSync(data)) return;
  const unfinished = join(folder, 'data.unfinished');
  rmSync(unfinished, { recursive: true, force: true });
  // The full settings name files that are not there yet, and logs that would start with the system tables.
  const settingsFile = join(folder, 'install.cnf');
  mkdirSync(join(folder, 'tmp'), { recursive: true, mode: 0o700 });
  writeFileSync(settingsFile, section({ ...placesOf(folder), datadir: unfinished }));
  const args = [`--defaults-file=${settingsFile}`, '--auth-root-authentication-method=normal', '--skip-test-db'];
  const command = place({ file: 'mariadb-install-db', args });
  await promisify(execFile)(command.file, command.args, { timeout: INSTALL_MS_MAX });
  renameSync(unfinished, data);
  rmSync(settingsFile);
}
