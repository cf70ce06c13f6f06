/** Real MariaDB servers, each with data of its own: copied from some that were made once, which takes half the time. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { withLock } from '../../../../infra/lock.ts';
import {
  ADMIN,
  DATABASE,
  installData,
  type MariadbOptions,
  mariadbServer,
  USERNAME,
} from '../../../../infra/mariadb/mariadb.ts';
import { freePort } from '../../../../infra/ports.ts';
import { newPassword } from './redis.ts';
import { serverFolder, TEST_FOLDER, TestServer } from './test-server.ts';

const run = promisify(execFile);

// Small, for they are copied or written with every new server.
const SMALL_FILES: ServerSettings = { innodb_log_file_size: '16M', innodb_buffer_pool_size: '64M' };

export interface MariadbTestOptions {
  /** More lines of my.cnf, or others than usual. */
  settings?: ServerSettings;
}

export interface MariadbAccess {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

export class MariadbTestServer extends TestServer {
  /** As Holdfast gets it: all rights on its database, none elsewhere. */
  readonly access: MariadbAccess;
  /** All rights on everything. */
  readonly adminAccess: MariadbAccess;

  constructor(options: MariadbOptions) {
    super(mariadbServer(options));
    const place = { host: '127.0.0.1', port: options.port, database: DATABASE };
    this.access = { ...place, user: USERNAME, password: options.password };
    this.adminAccess = { ...place, user: ADMIN, password: options.adminPassword };
  }
}

export async function startMariadb({ settings = {} }: MariadbTestOptions = {}): Promise<MariadbTestServer> {
  const folder = serverFolder('mariadb');
  await run('cp', ['-a', '--sparse=always', join(await preparedData(), 'data'), join(folder, 'data')]);
  const passwords = { password: newPassword(), adminPassword: newPassword() };
  const all = { ...SMALL_FILES, ...settings };
  const server = new MariadbTestServer({ folder, port: await freePort(), ...passwords, settings: all });
  await server.start();
  return server;
}

/** A folder with the `data` of a server that was started and stopped once. */
async function preparedData(): Promise<string> {
  const { stdout: version } = await run('mariadbd', ['--no-defaults', '--version']);
  const how = readFileSync(join(import.meta.dirname, '../../../../infra/mariadb/mariadb.ts'));
  const name = createHash('sha256').update(version).update(how).digest('hex').slice(0, 16);
  const folder = join(TEST_FOLDER, `mariadb-${name}`);
  if (existsSync(folder)) return folder;
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true, mode: 0o700 });
    await installData(unfinished);
    const options = {
      folder: unfinished,
      port: await freePort(),
      password: newPassword(),
      adminPassword: newPassword(),
    };
    const server = new MariadbTestServer({ ...options, settings: { ...SMALL_FILES } });
    await server.start();
    await server.stop();
    renameSync(unfinished, folder);
  });
  return folder;
}
