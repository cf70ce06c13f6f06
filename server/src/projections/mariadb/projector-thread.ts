/** The thread that projects: parsing entries and comparing rows takes a share of a core that callers wait for. */
import { randomUUID } from 'node:crypto';
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { MariadbOwnership } from '../../ledger/mariadb/mariadb-ownership.ts';
import { type MariadbAccess, MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import { serveThread } from '../../threads/serve-thread.ts';
import type { ProjectorReport } from '../projection-store.ts';
import { Generations } from './generations.ts';
import { PROJECTING } from './projection-tables.ts';
import { Projector } from './projector.ts';

/** Entries in one transaction. */
const BATCH_ENTRIES = 2_000;
/** Commits of the ledger that come within this time are projected together. */
const GATHER_MS = 10;
/** The ledger is looked at this often even when nobody calls: recorders may be other processes. */
const POLL_MS = 50;
const RETRY_MS = 1_000;
const UPKEEP_MS = 10_000;
/** A quarter of a lease. */
const RENEW_MS = 500;
const CLOSE_MS_MAX = 3_000;
/** Below the threads that callers wait for: a backlog takes only what they leave. */
const NICENESS = 10;
/** One to look, one to change tables; one to write, one to renew leases. */
const CONNECTIONS = 2;

const { access, installationId } = workerData as { access: MariadbAccess; installationId: string };
const pool = new MariadbPool(access, { connectionsMax: CONNECTIONS, autocommit: true });
const writer = new MariadbPool(access, { connectionsMax: CONNECTIONS, autocommit: false });
const ownership = new MariadbOwnership(writer, randomUUID(), PROJECTING);
const generations = new Generations({ pool, installationId, now: Date.now });
const reports: ProjectorReport[] = [];
let reportReader: ((report: ProjectorReport | null) => void) | null = null;
let wakeUp: (() => void) | null = null;
let closing = false;
let running: Promise<void> | null = null;
let mine: ReadonlySet<number> = new Set();
let renewing: Promise<void> | null = null;
let upkeptAt = 0;

const projector = new Projector({
  pool,
  writer,
  generations,
  isMine: (partition) => mine.has(partition),
  onNote: (text) => report({ kind: 'note', text }),
});

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

/** Linux keeps a priority per thread; elsewhere it would be the whole process's. */
function lowerPriority(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICENESS);
  } catch {
    // A container may forbid it; projecting is then as important as the rest.
  }
}

async function run(): Promise<void> {
  while (!closing) {
    if (!(await step())) await pause(POLL_MS);
  }
}

/** One batch of each kind; false: there is nothing to do. */
async function step(): Promise<boolean> {
  try {
    const projected = await projector.serve(BATCH_ENTRIES);
    const built = await projector.build(BATCH_ENTRIES);
    if (built === 0 && projected > 0 && projected < BATCH_ENTRIES) await pause(GATHER_MS);
    await upkeep();
    return projected + built > 0;
  } catch (error) {
    report({ kind: 'trouble', reason: (error as Error).message });
    await pause(RETRY_MS);
    return true;
  }
}

/** A lease saves work and guards nothing: while it cannot be renewed, what was owned is projected on. */
async function renewLeases(): Promise<void> {
  while (!closing) {
    await ownership.renew().then(
      (partitions) => {
        mine = new Set(partitions);
      },
      () => undefined,
    );
    await delay(RENEW_MS);
  }
}

async function upkeep(): Promise<void> {
  if (performance.now() - upkeptAt < UPKEEP_MS) return;
  upkeptAt = performance.now();
  await generations.dropRetired();
}

/** Ends early when the thread is to close. */
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

serveThread({
  async open(): Promise<void> {
    lowerPriority();
    await projector.start();
    renewing = renewLeases();
    running = run();
  },
  wake: () => wakeUp?.(),
  nextReport(): Promise<ProjectorReport | null> {
    return new Promise((resolve) => {
      reportReader = resolve;
      deliver();
    });
  },
  async close(): Promise<void> {
    closing = true;
    wakeUp?.();
    await Promise.race([Promise.all([running, renewing]), delay(CLOSE_MS_MAX)]);
    await ownership.leave().catch(() => undefined);
    await Promise.all([pool.close(), writer.close()]);
    deliver();
  },
});
