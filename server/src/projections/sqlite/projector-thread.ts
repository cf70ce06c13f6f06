/** The thread that projects: it alone writes `projections.db`. */
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { openConnection } from '../../ledger/sqlite/open-database.ts';
import { SqliteLedgerStore } from '../../ledger/sqlite/sqlite-ledger-store.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import { serveThread } from '../../threads/serve-thread.ts';
import type { ProjectionName } from '../projection.ts';
import type { ProjectorReport } from '../projection-store.ts';
import { isDamage, markDamaged, openProjections } from './open-projections.ts';
import { Projector } from './projector.ts';
import { ProjectorProgress } from './projector-progress.ts';

/** Entries in one transaction, some 50 ms: a read that waits for one entry waits so long at most under a backlog. */
const BATCH_ENTRIES = 2_000;
/** Commits of the ledger that come within this time are projected together. */
const GATHER_MS = 10;
/** The ledger is looked at this often even when nobody calls. */
const POLL_MS = 250;
const RETRY_MS = 1_000;
/** Below the threads that callers wait for: a backlog takes only what they leave. */
const NICENESS = 10;

interface Waiter {
  partition: number;
  seq: number;
  resolve: (reached: boolean) => void;
}

const {
  file,
  ledgerFile,
  progress: shared,
} = workerData as {
  file: string;
  ledgerFile: string;
  progress: SharedArrayBuffer;
};
const progress = new ProjectorProgress(shared);
const reports: ProjectorReport[] = [];
let waiters: Waiter[] = [];
let reportReader: ((report: ProjectorReport | null) => void) | null = null;
let wakeUp: (() => void) | null = null;
let closing = false;
let projector: Projector | null = null;
let running: Promise<void> | null = null;

function report(next: ProjectorReport): void {
  reports.push(next);
  deliver();
}

function deliver(): void {
  if (reportReader === null || (reports.length === 0 && !closing)) return;
  const resolve = reportReader;
  reportReader = null;
  resolve(reports.shift() ?? null);
}

function open(): void {
  lowerPriority();
  const source = new SqliteLedgerStore(openConnection(ledgerFile, { readOnly: true }));
  const { installationId } = source.identity();
  const { database, notes } = openProjections(file, installationId, Date.now());
  for (const text of notes) report({ kind: 'note', text });
  projector = new Projector({
    database,
    file,
    installationId,
    source,
    onStopped: (stop) => report({ kind: 'stopped', stop }),
    onResumed: (partitions) => report({ kind: 'resumed', partitions }),
    onNote: (text) => report({ kind: 'note', text }),
  });
  publish(projector);
  running = run(projector).finally(() => {
    source.close();
    database.close();
  });
}

/** Linux keeps a priority per thread; elsewhere it would be the whole process's. */
function lowerPriority(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICENESS);
  } catch {
    // A container may forbid it; projecting is then as important as the rest.
  }
}

async function run(active: Projector): Promise<void> {
  while (!closing) {
    if (await step(active)) {
      await new Promise(setImmediate);
      continue;
    }
    // Asleep first, then one more look: what is recorded in between finds somebody to wake.
    progress.asleep();
    if (!(await step(active))) await pause(POLL_MS);
  }
}

/** One batch of each kind; false: there is nothing to do. */
async function step(active: Projector): Promise<boolean> {
  try {
    const stopsBefore = active.stops.length;
    const projected = active.serve(BATCH_ENTRIES);
    const built = active.build(BATCH_ENTRIES);
    publish(active);
    if (active.stops.length !== stopsBefore) settle(active);
    if (built === 0 && projected > 0 && projected < BATCH_ENTRIES && waiters.length === 0) await pause(GATHER_MS);
    return projected + built > 0;
  } catch (error) {
    if (isDamage(error)) markDamaged(file);
    report({ kind: 'trouble', reason: (error as Error).message });
    await delay(RETRY_MS);
    return true;
  }
}

function publish(active: Projector): void {
  for (let partition = 0; partition < PARTITION_COUNT; partition += 1) progress.set(partition, active.seq(partition));
  settle(active);
}

/** Answers whoever waited for what is projected now, or for what will not be. */
function settle(active: Projector): void {
  if (waiters.length === 0) return;
  const stopped = new Set(active.stops.map(({ partition }) => partition));
  const waiting: Waiter[] = [];
  for (const waiter of waiters) {
    if (active.seq(waiter.partition) >= waiter.seq) waiter.resolve(true);
    else if (stopped.has(waiter.partition)) waiter.resolve(false);
    else waiting.push(waiter);
  }
  waiters = waiting;
}

/** Ends early when somebody calls. */
async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    wakeUp = () => {
      clearTimeout(timer);
      resolve();
    };
    if (closing) wakeUp();
  });
  wakeUp = null;
}

function opened(): Projector {
  if (projector === null) throw new Error('the projections are not open');
  return projector;
}

serveThread({
  open,
  wake: () => wakeUp?.(),
  waitFor(partition: number, seq: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: Waiter = { partition, seq, resolve };
      waiters.push(waiter);
      const giveUp = () => {
        waiters = waiters.filter((candidate) => candidate !== waiter);
        resolve(false);
      };
      setTimeout(giveUp, timeoutMs).unref();
      settle(opened());
      wakeUp?.();
    });
  },
  nextReport(): Promise<ProjectorReport | null> {
    return new Promise((resolve) => {
      reportReader = resolve;
      deliver();
    });
  },
  startRebuild(names: ProjectionName[]): void {
    opened().startRebuild(names);
    wakeUp?.();
  },
  rebuildProgress: () => opened().rebuildProgress(),
  standing: () => opened().standing(),
  async close(): Promise<void> {
    closing = true;
    wakeUp?.();
    await running;
    for (const waiter of waiters) waiter.resolve(false);
    deliver();
  },
});
