// scripts/run.mjs: what its first lines promise, shown with real processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const LAUNCHER = join(ROOT, 'scripts/run.mjs');
const FIXTURE = 'server/tests/launcher/fixture.ts';
const ENDED_MS_MAX = 20_000;
const isWindows = process.platform === 'win32';

interface Run {
  process: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  ended: Promise<number | null>;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Starts a process as the leader of its own group, so that a signal can go to all of it. */
function start(args: string[], env: Record<string, string> = {}): Run {
  const { npm_lifecycle_event: _, ...inherited } = process.env;
  const child = spawn(process.execPath, args, { env: { ...inherited, ...env }, detached: true });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  cleanups.push(() => kill(-child.pid!, 'SIGKILL'));
  // When nobody holds its streams any more: the script has ended too.
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { process: child, stdout: () => stdout, stderr: () => stderr, ended };
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 20) {
    if (waitedMs > ENDED_MS_MAX) throw new Error(`not within ${ENDED_MS_MAX} ms: ${condition}`);
    await sleep(20);
  }
}

/** Until the fixture has set itself up. */
function listening(run: Run): Promise<void> {
  return until(() => run.stdout().includes('listening\n'));
}

describe('the launcher', () => {
  it('passes arguments and the exit code, and adds nothing to stdout', async () => {
    const run = start([LAUNCHER, FIXTURE, 'echo', '--flag', 'two words']);
    expect(await run.ended).toBe(5);
    expect(run.stdout()).toBe('["--flag","two words"]\n');
    expect(run.stderr()).toBe('');
  });

  it('says how it is used', async () => {
    expect(await start([LAUNCHER]).ended).toBe(2);
  });
});

describe.skipIf(isWindows)('a signal', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'to the launcher alone reaches the script once: %s',
    async (signal) => {
      const run = start([LAUNCHER, FIXTURE, 'count-signals']);
      await listening(run);
      kill(run.process.pid!, signal);
      expect(await run.ended).toBe(7);
      expect(run.stdout().match(/SIG\w+/g)).toEqual([signal]);
    },
  );

  it.each(['SIGTERM', 'SIGINT'] as const)('to the whole group reaches the script once: %s', async (signal) => {
    const run = start([LAUNCHER, FIXTURE, 'count-signals']);
    await listening(run);
    kill(-run.process.pid!, signal);
    expect(await run.ended).toBe(7);
    expect(run.stdout().match(/SIG\w+/g)).toEqual([signal]);
  });

  it('ends a script that does not listen, with the code of the signal', async () => {
    const run = start([LAUNCHER, FIXTURE, 'wait']);
    await listening(run);
    kill(run.process.pid!, 'SIGTERM');
    expect(await run.ended).toBe(143);
  });
});

describe.skipIf(isWindows)('a script ends', () => {
  it.each(['wait', 'count-signals', 'listen-for-disconnect'])('when its launcher is killed: %s', async (behaviour) => {
    const run = start([LAUNCHER, FIXTURE, behaviour]);
    await listening(run);
    kill(run.process.pid!, 'SIGKILL');
    await run.ended;
    if (behaviour === 'count-signals') expect(run.stdout().match(/SIG\w+/g)).toEqual(['SIGTERM']);
    if (behaviour === 'listen-for-disconnect') expect(run.stdout()).toMatch(/drained\n$/);
  });

  // npm runs scripts through a shell, which stays in between or steps aside.
  it.each([true, false])('when the npm that started its launcher is killed; shell: %s', async (shell) => {
    const npm = `const { spawn } = require('node:child_process');
      const args = ${JSON.stringify([LAUNCHER, FIXTURE, 'count-signals'])};
      const command = [process.execPath, ...args].map((arg) => JSON.stringify(arg)).join(' ');
      const options = { stdio: 'inherit' };
      ${shell} ? spawn('sh', ['-c', command + '; exit $?'], options) : spawn(process.execPath, args, options);`;
    const run = start(['-e', npm], { npm_lifecycle_event: 'start' });
    await listening(run);
    kill(run.process.pid!, 'SIGKILL');
    await run.ended;
    expect(run.stdout().match(/SIG\w+/g)).toEqual(['SIGTERM']);
  });
});

describe('set-up', () => {
  /** A checkout with an empty list of packages, which npm installs without asking anyone. */
  function checkout(): string {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-launcher-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    cpSync(join(ROOT, 'scripts'), join(folder, 'scripts'), { recursive: true });
    cpSync(join(ROOT, FIXTURE), join(folder, 'fixture.ts'));
    writePackages(folder, '1.0.0');
    return folder;
  }

  function writePackages(folder: string, version: string): void {
    const self = { name: 'checkout', version };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...self, type: 'module' }));
    const lock = { ...self, lockfileVersion: 3, requires: true, packages: { '': self } };
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
  }

  const launch = (folder: string) => start([join(folder, 'scripts/run.mjs'), 'fixture.ts', 'echo']);
  const INSTALLING = /installing packages \(npm ci\)/;

  it('installs once for all who start together, and not again', async () => {
    const folder = checkout();
    const runs = [launch(folder), launch(folder), launch(folder)];
    for (const run of runs) expect(await run.ended, run.stderr()).toBe(5);
    for (const run of runs) expect(run.stdout()).toBe('[]\n');
    expect(runs.filter((run) => INSTALLING.test(run.stderr()))).toHaveLength(1);

    const later = launch(folder);
    expect(await later.ended).toBe(5);
    expect(later.stderr()).toBe('');
    expect(readdirSync(folder).filter((name) => name.includes('.lock'))).toEqual([]);
  });

  it('ignores the lock of a process that died', async () => {
    const folder = checkout();
    const dead = start(['-e', '']);
    await dead.ended;
    const holder = { host: hostname(), pid: dead.process.pid };
    writeFileSync(join(folder, '.holdfast-setup.lock'), JSON.stringify(holder));
    const run = launch(folder);
    expect(await run.ended, run.stderr()).toBe(5);
    expect(run.stderr()).toMatch(INSTALLING);
    expect(existsSync(join(folder, '.holdfast-setup.lock'))).toBe(false);
  });

  it('says what failed', async () => {
    const folder = checkout();
    writeFileSync(join(folder, 'package.json'), '{');
    const run = launch(folder);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toMatch(/npm ci failed with code 1:[\s\S]*package\.json/);
    expect(run.stdout()).toBe('');
  });
});
