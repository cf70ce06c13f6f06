/** Installs Debian's packages, without letting them start services, by whoever may: root, or sudo without a password. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Say } from '../progress.ts';

const APT = [
  'apt-get',
  '-q',
  '-y',
  '--no-install-recommends',
  '-o',
  'Dpkg::Use-Pty=0',
  // Somebody else may be installing.
  '-o',
  'DPkg::Lock::Timeout=600',
];
const OUTPUT_CHARACTERS_MAX = 4_000;
const POLICY_FILE = '/usr/sbin/policy-rc.d';
/** Debian asks this file before it starts a service; 101 forbids it. */
const POLICY = '#!/bin/sh\\nexit 101\\n';

/** @throws with the command that a person could run. */
export async function installPackages(packages: string[], why: string, say: Say): Promise<void> {
  const byHand = `Install it by hand: apt-get install ${packages.join(' ')}`;
  if (!isThere('apt-get')) {
    throw new Error(
      `${why}, and this system has no apt-get. Install it in your system's way, or start a container engine`,
    );
  }
  const prefix = rootPrefix();
  if (prefix === null) throw new Error(`${why}, and this user may not install packages. ${byHand}`);
  say(`${why}: installing Debian's packages ${packages.join(', ')}, once`);
  const install = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...APT, 'install', ...packages];
  await withoutServices(prefix, async () => {
    if ((await run(install)).code === 0) return;
    say("apt-get could not; fetching Debian's list of packages anew");
    await run([...prefix, ...APT, 'update']);
    const { code, output } = await run(install);
    if (code !== 0) throw new Error(`${why}, and apt-get failed:\n${output}\n${byHand}`);
  });
}

/** What makes a command run as root: nothing, sudo, or null when neither does. */
function rootPrefix(): string[] | null {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null;
}

/** A package of a server would start one for the whole machine. A policy that is there already stays as it is. */
async function withoutServices(prefix: string[], work: () => Promise<void>): Promise<void> {
  if (existsSync(POLICY_FILE)) return work();
  await run([...prefix, 'sh', '-c', `printf '${POLICY}' > ${POLICY_FILE} && chmod 755 ${POLICY_FILE}`]);
  try {
    await work();
  } finally {
    await run([...prefix, 'rm', '-f', POLICY_FILE]);
  }
}

export function isThere(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}

/** Runs a program to its end; `output` is the end of what it said. */
export function run(command: string[], cwd?: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output = (output + chunk).slice(-OUTPUT_CHARACTERS_MAX);
      });
    }
    child.on('error', (error) => resolve({ code: 1, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
