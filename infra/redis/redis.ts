/** One Redis server: remembers across restarts (every second to disk), evicts nothing, wants a password. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { here, type LocalServer, type Place, type ServerSettings } from '../local-server.ts';
import { askRedis } from './resp.ts';

const PROGRAM = 'redis-server';
const READY_MS_MAX = 60_000;

export interface RedisOptions {
  folder: string;
  port: number;
  password: string;
  settings?: ServerSettings;
  place?: Place;
  /** It rewrites its settings itself, as Sentinel tells it to: they are written once. */
  rewritesSettings?: boolean;
}

export function redisServer(options: RedisOptions): LocalServer {
  const { folder, port, password, settings, rewritesSettings, place = here } = options;
  const settingsFile = join(folder, 'redis.conf');
  const lines = {
    bind: '127.0.0.1',
    port: String(port),
    requirepass: password,
    masterauth: password,
    dir: join(folder, 'data'),
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    // Its processes are found by their command line.
    'set-proc-title': 'no',
    ...settings,
  };
  return {
    title: 'Redis',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'redis.log'),
    program: PROGRAM,
    command: place({ file: PROGRAM, args: [settingsFile] }),
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(lines.dir, { recursive: true, mode: 0o700 });
      if (rewritesSettings && existsSync(settingsFile)) return;
      writeFileSync(settingsFile, redisConf(lines), { mode: 0o600 });
    },
    async ask() {
      await askRedis({ port, password }, ['PING']);
    },
  };
}

export function redisConf(lines: ServerSettings): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}\n`)
    .join('');
}
