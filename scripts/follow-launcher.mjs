// Loaded before a script that scripts/run.mjs starts (`node --import`). It makes the script end with its launcher and see
// each stop signal once, without a line about it in the script itself.
//
//   - The launcher died (its channel closed): the script gets SIGTERM, as from its launcher, unless it listens for
//     'disconnect' itself; what is still there after ORPHAN_MS_MAX is killed.
//   - The launcher forwards a signal as a message. If the signal has reached the script directly as well (Ctrl-C in a
//     terminal, a signal to the group), the message changes nothing; else it is raised here.
//
// Processes and threads that the script starts inherit the `--import`; only the launcher's own child acts on it.

import { isMainThread } from 'node:worker_threads';

const ORPHAN_MS_MAX = 30_000;
// The direct signal and the message may be seen in either order.
const DIRECT_SIGNAL_GRACE_MS = 100;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'];

const seen = new Set();
const markers = new Map(SIGNALS.map((signal) => [signal, () => seen.add(signal)]));

/** Notes signals that arrive, as long as the script handles them itself: a listener alone would disable the default. */
function noteDirectSignals() {
  process.on('newListener', (event, listener) => {
    const marker = markers.get(event);
    if (!marker || listener === marker || process.listeners(event).includes(marker)) return;
    process.prependListener(event, marker);
  });
  process.on('removeListener', (event) => {
    const marker = markers.get(event);
    if (!marker) return;
    const left = process.listeners(event);
    if (left.length === 1 && left[0] === marker) process.removeListener(event, marker);
  });
}

function raiseOnce(signal) {
  if (seen.has(signal)) return;
  seen.add(signal);
  process.kill(process.pid, signal);
}

function followLauncher() {
  noteDirectSignals();
  process.on('message', (message) => {
    const signal = message?.holdfastSignal;
    if (!SIGNALS.includes(signal)) return;
    process.send?.({ holdfastSignalSeen: signal }, () => {});
    setTimeout(() => raiseOnce(signal), DIRECT_SIGNAL_GRACE_MS);
  });
  process.on('disconnect', () => {
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), ORPHAN_MS_MAX).unref();
    if (process.listenerCount('disconnect') === 1) raiseOnce('SIGTERM');
  });
  // Listening must not keep a script alive that has nothing left to do.
  process.channel?.unref();
}

if (isMainThread && process.env.HOLDFAST_LAUNCHER_PID === String(process.ppid) && process.channel) followLauncher();
delete process.env.HOLDFAST_LAUNCHER_PID;
