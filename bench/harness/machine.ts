import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LatencyHistogram } from './latency-histogram.ts';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  os: string;
  /** What one durable write of 4 KiB costs on the disk that everything is measured on. */
  fsyncMs: { p50: number; p99: number };
  node: string;
  sqlite: string;
  commit: string;
}

const SYNCS = 400;
const BLOCK = Buffer.alloc(4_096, 1);
const BYTES_PER_GIB = 1024 ** 3;

export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / BYTES_PER_GIB) * 10) / 10,
    os: `${distribution()} (${type()} ${release()})`,
    fsyncMs: measureSync(folder),
    node: process.version,
    sqlite: sqliteVersion(),
    commit: commit(),
  };
}

function measureSync(folder: string): Machine['fsyncMs'] {
  const file = join(folder, 'sync-probe');
  const descriptor = openSync(file, 'w');
  const histogram = new LatencyHistogram();
  try {
    for (let count = 0; count < SYNCS; count += 1) {
      const startedAt = performance.now();
      writeSync(descriptor, BLOCK);
      fdatasyncSync(descriptor);
      histogram.record(performance.now() - startedAt);
    }
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
  return { p50: histogram.percentile(0.5), p99: histogram.percentile(0.99) };
}

function sqliteVersion(): string {
  const database = new DatabaseSync(':memory:');
  const { version } = database.prepare('select sqlite_version() as version').get() as { version: string };
  database.close();
  return version;
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? type();
  } catch {
    return type();
  }
}

/** The commit that is measured; `+` when the working tree differs from it. */
function commit(): string {
  try {
    const run = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
    const changed = run('status', '--porcelain', '--untracked-files=no', '--', ':/', ':!/bench/results') !== '';
    return `${run('rev-parse', '--short=12', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}
