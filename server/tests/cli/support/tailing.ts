/** `holdfast events tail` in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from '../../support/servers/until.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
const SECOND = 1_000;

export interface Tailing {
  child: ChildProcess;
  lines: string[];
  notes: () => string;
  code: Promise<number | null>;
}

/** Resolves once it listens. */
export async function startTailing(environment: NodeJS.ProcessEnv, ...options: string[]): Promise<Tailing> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'events', 'tail', ...options], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let [rest, notes] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    notes += chunk.toString();
  });
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const listens = async () => {
    if (child.exitCode !== null) throw new Error(notes);
    return notes.includes('Waiting for');
  };
  await until('it listens', 20 * SECOND, listens).catch((error: Error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return { child, lines, notes: () => notes, code };
}

export function hasLines(tailing: Tailing, count: number): Promise<void> {
  return until(`${count} lines`, 20 * SECOND, async () => {
    if (tailing.lines.length >= count) return true;
    throw new Error(`there are ${tailing.lines.length}; it said ${tailing.notes()}`);
  });
}
