// Runs a script of this project under the project's own Node, from any state of the checkout:
//
//   node scripts/run.mjs <script, relative to the root> [arguments…]
//
// It promises that
//   - packages are installed first when they are missing or differ from package-lock.json (one line on stderr says so),
//     and by one process only when several start at once;
//   - stdin and stdout belong to the script alone;
//   - the script sees each SIGTERM, SIGINT or SIGHUP once, whether it was sent to this process or to the whole group;
//   - the exit code is the script's, or 128 + the number of the signal that ended it;
//   - the script does not outlive this process nor the npm that started it (see follow-launcher.mjs).
//
// Plain JavaScript without packages, for it must work under the system's Node (18 or newer) before anything is there.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureInstalled } from './setup.mjs';

const NODE_MAJOR_MIN = 24;
const PARENT_POLL_MS = 250;
// A signal to the whole group reaches the script directly. Forwarding waits this long, so that the script can tell the
// two apart; a script that does not answer the forwarded one gets a real signal.
const FORWARD_DELAY_MS = 100;
const FORWARD_ANSWER_MS_MAX = 2_000;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const parentPid = process.ppid;
const shellParentPid = isShellCommand(parentPid) ? parentOf(parentPid) : undefined;

/** The project's own Node, else this one or the system's if it is new enough. */
function findNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const own = join(root, 'node_modules', `node-${platform}-${process.arch}`, 'bin', file);
  const candidates = [own, process.execPath, process.env.npm_node_execpath, 'node'];
  for (const candidate of candidates) {
    if (!candidate || (isAbsolute(candidate) && !existsSync(candidate))) continue;
    const answer = spawnSync(candidate, ['--version'], { encoding: 'utf8' });
    const major = /^v(\d+)\./.exec(answer.stdout ?? '')?.[1];
    if (major && Number(major) >= NODE_MAJOR_MIN) return candidate;
  }
  return undefined;
}

/** Whether a process is the `sh -c …` that npm puts between itself and a script; shells such as dash do not step aside. */
function isShellCommand(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1] === '-c';
  } catch {
    // No Linux: the shells of macOS replace themselves by the command.
    return false;
  }
}

function parentOf(pid) {
  try {
    // After the name, which is in parentheses and may hold anything: state, parent, …
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')[1]);
  } catch {
    return undefined;
  }
}

function isParentGone() {
  if (process.ppid !== parentPid) return true;
  return shellParentPid !== undefined && parentOf(parentPid) !== shellParentPid;
}

/** Calls `stop(signal)` at the first signal, or with SIGTERM when the npm that started this is gone. */
function watchForStop(stop) {
  for (const signal of SIGNALS) process.on(signal, () => stop(signal));
  // Only under npm: a shell that starts the launcher in the background and ends must not end it.
  if (!process.env.npm_lifecycle_event) return;
  const poll = setInterval(() => {
    if (!isParentGone()) return;
    clearInterval(poll);
    stop('SIGTERM');
  }, PARENT_POLL_MS);
  poll.unref();
}

function exitCodeOf(code, signal) {
  return signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1);
}

/** Stripped and compiled modules, so that a start spends no time on either again. Removed with node_modules. */
const compileCache = join(root, 'node_modules', '.cache', 'node');

function runScript(node, script, args) {
  const flags = [
    '--disable-warning=ExperimentalWarning',
    `--import=${pathToFileURL(join(root, 'scripts', 'follow-launcher.mjs')).href}`,
  ];
  const child = spawn(node, [...flags, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, HOLDFAST_LAUNCHER_PID: String(process.pid) },
  });
  child.on('error', (error) => {
    console.error(`holdfast: cannot run ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(exitCodeOf(code, signal)));
  return (signal) => forwardSignal(child, signal);
}

function forwardSignal(child, signal) {
  setTimeout(() => {
    if (!child.connected) return void child.kill(signal);
    const fallback = setTimeout(() => child.kill(signal), FORWARD_ANSWER_MS_MAX);
    child.once('message', () => clearTimeout(fallback));
    child.send({ holdfastSignal: signal }, () => {});
  }, FORWARD_DELAY_MS);
}

async function main() {
  const [script, ...args] = process.argv.slice(2);
  if (!script) {
    console.error('usage: node scripts/run.mjs <script> [arguments…]');
    process.exit(2);
  }
  let forward;
  let stopping = false;
  const installation = new AbortController();
  watchForStop((signal) => {
    if (stopping) return;
    stopping = true;
    if (forward) forward(signal);
    else installation.abort(signal);
  });
  try {
    await ensureInstalled({ root, signal: installation.signal });
    installation.signal.throwIfAborted();
  } catch (error) {
    if (installation.signal.aborted) process.exit(exitCodeOf(null, installation.signal.reason));
    console.error(`holdfast: ${error.message}`);
    process.exit(1);
  }
  const node = findNode();
  if (!node) {
    console.error(
      `holdfast: needs Node ${NODE_MAJOR_MIN} or newer (this is ${process.version}), and no package brings it for ` +
        `${process.platform}-${process.arch}: install it from nodejs.org or with your system's packages`,
    );
    process.exit(1);
  }
  forward = runScript(node, join(root, script), args);
}

await main();
