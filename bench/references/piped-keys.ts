/** The keys of an engine as a file of commands, and how long `redis-cli --pipe` takes to load it into an empty server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'redis';
import { type RedisTestServer, startRedis } from '../../server/tests/support/servers/redis.ts';

const KEYS_PER_SCAN = 2_000;

export interface KeyFile {
  path: string;
  keys: number;
}

type Client = Awaited<ReturnType<typeof connect>>;

async function connect(url: string) {
  const client = createClient({ url });
  client.on('error', (error: Error) => console.error(error));
  await client.connect();
  return client;
}

/** Writes all hashes, lists and sorted sets of the server: the levels and what goes with them. */
export async function writeKeys(server: RedisTestServer, folder: string): Promise<KeyFile> {
  const client = await connect(server.url);
  const path = join(folder, 'keys.resp');
  const file = createWriteStream(path);
  let keys = 0;
  for (const type of Object.keys(READERS) as (keyof typeof READERS)[]) {
    let cursor = '0';
    do {
      const page = await client.scan(cursor, { COUNT: KEYS_PER_SCAN, TYPE: type });
      const commands = await Promise.all(page.keys.map((key) => READERS[type](client, key)));
      if (!file.write(commands.map(packed).join(''))) await once(file, 'drain');
      keys += page.keys.length;
      cursor = page.cursor;
    } while (cursor !== '0');
  }
  file.end();
  await once(file, 'finish');
  await client.close();
  return { path, keys };
}

const READERS = {
  hash: async (client: Client, key: string) => ['HSET', key, ...Object.entries(await client.hGetAll(key)).flat()],
  list: async (client: Client, key: string) => ['RPUSH', key, ...(await client.lRange(key, 0, -1))],
  zset: async (client: Client, key: string) => [
    'ZADD',
    key,
    ...(await client.zRangeWithScores(key, 0, -1)).flatMap(({ value, score }) => [String(score), value]),
  ],
};

function packed(command: string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;
}

/** In seconds. */
export async function loadWithPipe({ path }: KeyFile): Promise<number> {
  const server = await startRedis();
  try {
    const startedAt = performance.now();
    const loading = spawn('redis-cli', ['-p', String(server.port), '--pipe'], {
      env: { ...process.env, REDISCLI_AUTH: server.password },
      stdio: [openSync(path, 'r'), 'ignore', 'inherit'],
    });
    const [code] = await once(loading, 'exit');
    if (code !== 0) throw new Error(`redis-cli --pipe ended with code ${code}`);
    return (performance.now() - startedAt) / 1_000;
  } finally {
    await server[Symbol.asyncDispose]();
  }
}
