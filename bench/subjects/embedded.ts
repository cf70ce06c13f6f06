/** A process that holds one embedded installation and puts load on it. */
import { setTimeout as delay } from 'node:timers/promises';
import { serveCalls } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';
import { openLoop, type RateShape } from '../load/open-loop.ts';
import { commitNotes } from './commits.ts';
import { type Installation, openInstallation, stockUp } from './installation.ts';
import type { Stock } from './stock.ts';
import { type Workload, workOf } from './workloads.ts';

const SETTLE_POLL_MS = 20;
const LAG_EVERY_MS = 50;
const CALLERS = 256;
const BYTES_PER_MIB = 1024 * 1024;

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
    /** How long that took, in milliseconds. */
    async open(folder: string): Promise<number> {
      const startedAt = performance.now();
      installation = await openInstallation(folder);
      return performance.now() - startedAt;
    },
    async stockUp(stock: Stock): Promise<void> {
      await stockUp(opened(), stock);
      await settle();
    },
    async measure(workload: Workload, stock: Stock, shape: LoadShape): Promise<Sample> {
      const before = await opened().commits();
      const sample = await closedLoop(shape, workOf(workload, opened(), stock));
      const commits = commitNotes(before, await opened().commits());
      const projectionLag = await opened().projectionLag();
      return {
        ...sample,
        notes: {
          ...commits,
          'projection lag at the end': projectionLag,
          'caught up after, ms': await settle(),
        },
      };
    },
    /** Open reservations, this many. */
    async reserveSome(stock: Stock, count: number): Promise<void> {
      const reserve = workOf('reserve', opened(), stock);
      let left = count;
      const caller = async () => {
        for (; left > 0; ) {
          left -= 1;
          await reserve();
        }
      };
      await Promise.all(Array.from({ length: Math.min(count, CALLERS) }, caller));
      if (count > 1) await settle();
    },
    /** Load at a fixed rate, and how far the projections fall behind meanwhile. */
    async atRate(stock: Stock, shape: RateShape) {
      const reserve = workOf('reserve', opened(), stock);
      const lags: number[] = [];
      const look = setInterval(async () => lags.push(await opened().projectionLag()), LAG_EVERY_MS);
      const sample = await openLoop(shape, async () => {
        await reserve();
        return 'done';
      });
      clearInterval(look);
      const third = Math.floor(lags.length / 3);
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
      return {
        sample,
        largest: Math.max(...lags),
        firstThird: mean(lags.slice(0, third)),
        lastThird: mean(lags.slice(-third)),
      };
    },
    memory(): { residentMiB: number; heapMiB: number } {
      const { rss, heapUsed } = process.memoryUsage();
      return { residentMiB: rss / BYTES_PER_MIB, heapMiB: heapUsed / BYTES_PER_MIB };
    },
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
