/**
 * Cuts the power of a simulated disk under a process that is acknowledging reservations: what no sync had made durable
 * is gone. Then the ledger is opened on what is left, and every acknowledged operation is looked for.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DatabaseOptions } from '../../src/ledger/sqlite/open-database.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { HQ } from './reserving.ts';

export interface PowerCut {
  acknowledged: number;
  lost: number;
}

const ACKNOWLEDGED_MIN = 300;

/** Whether this machine can build the simulated disk. */
export function canCutPower(): boolean {
  return process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;
}

export async function cutPower(synchronous: NonNullable<DatabaseOptions['synchronous']>): Promise<PowerCut> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-power-'));
  const [data, durable] = [join(folder, 'data'), join(folder, 'durable')];
  mkdirSync(data);
  mkdirSync(durable);
  try {
    const shim = join(folder, 'shim.so');
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', shim, join(import.meta.dirname, 'power-cut-shim.c'), '-ldl']);
    const acknowledged = await writeUntilCut({ data, durable, shim, synchronous });
    const ledger = await SqliteLedger.open(join(durable, 'ledger.db'));
    const found = await ledger.findOperations(HQ, acknowledged);
    await ledger.close();
    return { acknowledged: acknowledged.length, lost: acknowledged.length - found.length };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The operation ids that were acknowledged before the cut. */
async function writeUntilCut(disk: {
  data: string;
  durable: string;
  shim: string;
  synchronous: string;
}): Promise<string[]> {
  const writer = join(import.meta.dirname, 'power-cut-writer.ts');
  const child = spawn(process.execPath, [writer, disk.data, disk.synchronous], {
    env: {
      ...process.env,
      NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
      LD_PRELOAD: disk.shim,
      WATCH_DIR: disk.data,
      DURABLE_DIR: disk.durable,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === ACKNOWLEDGED_MIN) child.kill('SIGKILL');
  }
  return acknowledged;
}
