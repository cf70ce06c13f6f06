// Installs the packages of package-lock.json when node_modules lacks them or has others, once for all who start together.
// Plain JavaScript for the system's Node, like run.mjs, its only user.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { delimiter, dirname, join, sep } from 'node:path';

const HEARTBEAT_MS = 1_000;
// Several missed heartbeats: the holder of the lock is gone, or on another machine that is.
const LOCK_SILENCE_MS_MAX = 15_000;
const INSTALL_MS_MAX = 10 * 60_000;
const LOCK_POLL_MS = 200;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Returns when node_modules holds what package-lock.json says. Throws an Error whose message says what failed.
 * `signal` aborts: npm is stopped and the lock let go.
 */
export async function ensureInstalled({ root, signal }) {
  const paths = {
    root,
    lockFile: join(root, 'package-lock.json'),
    stamp: join(root, 'node_modules', '.holdfast-setup'),
    installed: join(root, 'node_modules', '.package-lock.json'),
    mutex: join(root, '.holdfast-setup.lock'),
  };
  if (!existsSync(paths.lockFile) || isCurrent(paths)) return;
  const release = await acquire(paths.mutex, signal);
  try {
    if (isCurrent(paths)) return;
    await install(paths, signal);
    mkdirSync(dirname(paths.stamp), { recursive: true });
    writeFileSync(paths.stamp, stampOf(paths));
  } finally {
    release();
  }
}

function stampOf(paths) {
  const hash = createHash('sha256').update(readFileSync(paths.lockFile)).digest('hex');
  return `${hash} ${process.platform}-${process.arch}\n`;
}

function isCurrent(paths) {
  const stamp = stampOf(paths);
  try {
    if (readFileSync(paths.stamp, 'utf8') === stamp) return true;
  } catch {
    // No stamp: nothing is installed, or somebody ran npm by hand.
  }
  if (!isInstalledByHand(paths)) return false;
  writeFileSync(paths.stamp, stamp);
  return true;
}

/** Whether npm's own note of what is installed agrees with the lock file: `npm install` by hand needs no second one. */
function isInstalledByHand(paths) {
  try {
    const wanted = JSON.parse(readFileSync(paths.lockFile, 'utf8')).packages;
    const present = JSON.parse(readFileSync(paths.installed, 'utf8')).packages;
    return Object.entries(wanted).every(([place, entry]) => {
      if (!place.includes('node_modules/')) return true;
      const found = present[place];
      if (!found) return entry.optional === true && !isMeantForHere(entry);
      return found.version === entry.version && found.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

/** Optional packages are binaries for one platform each, and what only those of other platforms need. */
function isMeantForHere(entry) {
  // Which libc this is costs more to find out than it is worth: one of the two variants is always absent.
  if ((!entry.os && !entry.cpu) || entry.libc) return false;
  return (
    (entry.os ?? [process.platform]).includes(process.platform) && (entry.cpu ?? [process.arch]).includes(process.arch)
  );
}

async function install(paths, signal) {
  const missing = !existsSync(dirname(paths.stamp));
  const why = missing ? 'node_modules is missing' : 'node_modules differs from package-lock.json';
  console.error(`holdfast: ${why}; installing packages (npm ci), once, about half a minute`);
  // `npm ci` deletes node_modules, and Windows lets nobody delete the program that runs.
  const runsFromModules = process.execPath.startsWith(join(paths.root, 'node_modules') + sep);
  const command = process.platform === 'win32' && runsFromModules ? 'install' : 'ci';
  const args = [command, '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { code, output } = await runNpm([...args, '--loglevel=error', '--progress=false'], { paths, signal });
  if (code === 0) return;
  throw new Error(`npm ${command} failed${code === null ? '' : ` with code ${code}`}:\n${output.trim()}`);
}

function runNpm(args, { paths, signal }) {
  const underNpm = process.env.npm_execpath && process.env.npm_node_execpath;
  const file = underNpm ? process.env.npm_node_execpath : process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const ownBin = join(paths.root, 'node_modules', '.bin');
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ownBin);
  const child = spawn(file, underNpm ? [process.env.npm_execpath, ...args] : args, {
    cwd: paths.root,
    env: { ...process.env, PATH: path.join(delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: !underNpm && process.platform === 'win32',
    signal,
    timeout: INSTALL_MS_MAX,
  });
  if (child.pid) writeFileSync(paths.mutex, holderText(child.pid));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => {
      output += `${error.message}\n`;
      if (!child.pid) resolve({ code: null, output });
    });
    child.on('close', (code) => resolve({ code, output }));
  });
}

const holderText = (installerPid) => JSON.stringify({ host: hostname(), pid: process.pid, installerPid });

/** Takes the lock file, waiting for its holder, and keeps it fresh. Returns the function that lets it go. */
async function acquire(mutex, signal) {
  let told = false;
  while (!tryCreate(mutex)) {
    if (isAbandoned(mutex)) {
      discard(mutex);
      continue;
    }
    if (!told) console.error('holdfast: another process is installing packages; waiting for it');
    told = true;
    await sleep(LOCK_POLL_MS);
    signal.throwIfAborted();
  }
  const heartbeat = setInterval(() => {
    try {
      utimesSync(mutex, new Date(), new Date());
    } catch {
      // The lock was taken away by hand; the installation goes on.
    }
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return () => {
    clearInterval(heartbeat);
    rmSync(mutex, { force: true });
  };
}

function tryCreate(mutex) {
  try {
    writeFileSync(mutex, holderText(), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAbandoned(mutex) {
  let silenceMs = 0;
  try {
    silenceMs = Date.now() - statSync(mutex).mtimeMs;
    const holder = JSON.parse(readFileSync(mutex, 'utf8'));
    if (holder.host !== hostname()) return silenceMs > LOCK_SILENCE_MS_MAX;
    if (isAlive(holder.pid) && silenceMs <= LOCK_SILENCE_MS_MAX) return false;
    // A launcher that was killed leaves its npm at work.
    return !(holder.installerPid && isAlive(holder.installerPid) && silenceMs <= INSTALL_MS_MAX);
  } catch {
    // Let go in this instant, or half written: by somebody at work, or by somebody who died of it.
    return silenceMs > LOCK_SILENCE_MS_MAX;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Removes an abandoned lock. Renaming first lets only one of several waiters do it; a lock that is in use goes back. */
function discard(mutex) {
  const aside = `${mutex}.${process.pid}.old`;
  try {
    renameSync(mutex, aside);
    if (!isAbandoned(aside)) linkSync(aside, mutex);
  } catch {
    // Another waiter was first.
  }
  rmSync(aside, { force: true });
}
