/** Ports on loopback that nobody listens on. */

import { randomInt } from 'node:crypto';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Below the ports that systems give to outgoing connections (Linux: from 32768): a port from there could be taken by
// any connection while its server is down.
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const TRIES_MAX = 100;
/** From being drawn to being listened on. */
const CLAIM_MS = 10 * 60_000;
const CLAIMS = join(tmpdir(), `holdfast-ports-${process.getuid?.() ?? 'all'}`);

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** Given to nobody else for ten minutes, whoever of this user asks; by then its server listens. */
export async function freePort(): Promise<number> {
  mkdirSync(CLAIMS, { recursive: true, mode: 0o700 });
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    if (claim(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found between ${PORT_MIN} and ${PORT_MAX} in ${TRIES_MAX} tries`);
}

function claim(port: number): boolean {
  const file = join(CLAIMS, String(port));
  try {
    if (Date.now() - statSync(file).mtimeMs > CLAIM_MS) rmSync(file, { force: true });
  } catch {
    // Nobody has asked for it yet.
  }
  try {
    writeFileSync(file, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
