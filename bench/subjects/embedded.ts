/** A process that holds one embedded installation and puts load on it. */
import { setTimeout as delay } from 'node:timers/promises';
import { serveCalls } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';
import { type Installation, openInstallation, stockUp } from './installation.ts';
import type { Stock } from './stock.ts';
import { type Workload, workOf } from './workloads.ts';

const SETTLE_POLL_MS = 20;

let installation: Installation | null = null;

function opened(): Installation {
  if (installation === null) throw new Error('no installation is open');
  return installation;
}

/** Waits until everything recorded is projected; how long that took, in milliseconds. */
async function settle(): Promise<number> {
  const startedAt = performance.now();
  while ((await opened().projectionLag()) > 0) await delay(SETTLE_POLL_MS);
  return performance.now() - startedAt;
}

serveCalls(
  {
    async open(folder: string): Promise<void> {
      installation = await openInstallation(folder);
    },
    async stockUp(stock: Stock): Promise<void> {
      await stockUp(opened(), stock);
      await settle();
    },
    async measure(workload: Workload, stock: Stock, shape: LoadShape): Promise<Sample> {
      const sample = await closedLoop(shape, workOf(workload, opened(), stock));
      const projectionLag = await opened().projectionLag();
      return {
        ...sample,
        notes: { 'projection lag at the end': projectionLag, 'caught up after, ms': await settle() },
      };
    },
    settle,
    async close(): Promise<void> {
      await opened().stop();
      installation = null;
    },
  },
  async () => {
    await installation?.stop();
    process.exit(0);
  },
);
