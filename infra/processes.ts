/** Processes of servers: started apart from the caller, found by what they run, ended for certain. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalServer } from './local-server.ts';

const POLL_MS = 20;
export const STOP_MS_MAX = 30_000;
/** Redis refuses to end while it writes its first append-only file, and forgets that it was asked. */
export const STOP_REMINDER_MS = 1_000;
const KILL_MS_MAX = 10_000;
const LOG_TAIL_LINES = 15;

export interface LaunchOptions {
  /** Whether the server is killed with the thread that launches it, however that ends. */
  diesWithLauncher: boolean;
}

/** Starts it in a session of its own, with its output in its log and none of the caller's streams. */
export function launch(server: LocalServer, { diesWithLauncher }: LaunchOptions): ChildProcess {
  const { file, args, env } = server.command;
  const command = diesWithLauncher ? ['setpriv', '--pdeathsig', 'KILL', file, ...args] : [file, ...args];
  const log = openSync(server.logFile, 'a', 0o600);
  try {
    const child = spawn(command[0]!, command.slice(1), {
      cwd: server.folder,
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', ...env },
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** Waits until it answers. @throws with the end of its log if it ended, or is silent for too long. */
export async function untilReady(server: LocalServer, child: ChildProcess): Promise<void> {
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = new Error(`${server.title} cannot be started: ${error.message}`);
  });
  const giveUpAt = Date.now() + server.readyMsMax;
  let reason: unknown;
  while (Date.now() < giveUpAt) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (failure) throw failure;
    if (ended) throw didNotStart(server, `ended with ${child.exitCode ?? child.signalCode}`);
    try {
      return await server.ask();
    } catch (error) {
      reason = error;
    }
    await delay(POLL_MS);
  }
  const said = reason instanceof Error ? reason.message : String(reason);
  throw didNotStart(server, `did not answer within ${server.readyMsMax / 1000} s (${said})`);
}

function didNotStart(server: LocalServer, what: string): Error {
  const log = readFileSync(server.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  return new Error(
    `${server.title} on port ${server.port} ${what}. The end of its log ${server.logFile}:\n  ${log.join('\n  ')}`,
  );
}

/** Its processes, the server itself first. Zombies are none: they have no command line. */
export function processesOf({ program, settingsFile }: Pick<LocalServer, 'program' | 'settingsFile'>): number[] {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const [file = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (basename(file) !== program) continue;
      if (args.some((arg) => arg === settingsFile || arg.endsWith(`=${settingsFile}`))) found.set(pid, parentOf(pid));
    } catch {
      // Ended meanwhile.
    }
  }
  // What a server forks (Redis does, to save) bears its command line.
  return [...found.keys()].sort((a, b) => Number(found.has(found.get(a)!)) - Number(found.has(found.get(b)!)));
}

function parentOf(pid: number): number {
  // After the name, which is in parentheses and may hold anything: state, parent, …
  return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')[1]);
}

/** Asks its processes to end, and kills what is still there after a while. Returns when none is left. */
export async function end(server: LocalServer): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGTERM', STOP_MS_MAX],
    ['SIGKILL', KILL_MS_MAX],
  ] as const) {
    const giveUpAt = Date.now() + waitMs;
    for (let askedAt = 0, left = processesOf(server); left.length > 0; left = processesOf(server)) {
      if (Date.now() > giveUpAt) break;
      if (Date.now() - askedAt > STOP_REMINDER_MS) {
        for (const pid of left) {
          sendSignal(pid, signal);
          // One that is suspended hears of it only now.
          sendSignal(pid, 'SIGCONT');
        }
        askedAt = Date.now();
      }
      await delay(POLL_MS);
    }
  }
  const left = processesOf(server);
  if (left.length > 0) {
    throw new Error(`${server.title} (process ${left.join(', ')}) does not end, even by SIGKILL; look at it with ps`);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
