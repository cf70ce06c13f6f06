/** The process that is soaked: an embedded installation and a load on it that leaves it as large as it was. */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { serveCalls } from '../../../bench/harness/child-process.ts';
import { LatencyHistogram } from '../../../bench/harness/latency-histogram.ts';
import { closedLoop } from '../../../bench/load/closed-loop.ts';
import { openLoop } from '../../../bench/load/open-loop.ts';
import { type Installation, openInstallation, stockUp } from '../../../bench/subjects/installation.ts';
import type { Stock } from '../../../bench/subjects/stock.ts';
import { refusable, workOf } from '../../../bench/subjects/workloads.ts';
import type { EngineCounts } from '../../src/stock/stock-engine.ts';

const STOCK: Stock = { stores: 50, products: 200, quantity: 1_000_000 };
const PEAK_IN_FLIGHT = 64;
const PEAK_WARM_UP_MS = 3_000;
const PEAK_MS = 5_000;
const LOOK_EVERY_MS = 10_000;
const BYTES_PER_MIB = 1024 * 1024;
/** A reservation and its confirmation. */
const ENTRIES_PER_SALE = 2;

export interface SoakLook {
  atMs: number;
  perSecond: number;
  p99Ms: number;
  /** What is referenced, after a collection: heap and what hangs on it. */
  usedMiB: number;
  residentMiB: number;
  counts: EngineCounts;
  lag: number;
}

export interface SoakTotals {
  /** Entries. */
  answered: number;
  /** Commands that were refused because too many waited: at 70 % of the peak none should be. */
  refused: number;
}

let installation: Installation | null = null;
const looks: SoakLook[] = [];
const waiting: ((look: SoakLook | null) => void)[] = [];
let over = false;

function opened(): Installation {
  if (installation === null) throw new Error('no installation is open');
  return installation;
}

/** Threads inherit the flags of their process and refuse this one, so it is set from within. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Without the collection, garbage that waits for one would be taken for growth. */
function memoryInUse(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / BYTES_PER_MIB;
}

class Looker {
  readonly #startedAt = performance.now();
  #latencies = new LatencyHistogram();
  #answered = 0;
  #lookedAt = performance.now();

  answered(ms: number): void {
    this.#answered += ENTRIES_PER_SALE;
    this.#latencies.record(ms);
  }

  async look(): Promise<void> {
    const now = performance.now();
    const perSecond = (this.#answered * 1_000) / (now - this.#lookedAt);
    const p99Ms = this.#latencies.percentile(0.99);
    this.#latencies = new LatencyHistogram();
    this.#answered = 0;
    this.#lookedAt = now;
    const counts = await opened().engine.counts();
    const lag = await opened().projectionLag();
    const usedMiB = memoryInUse();
    const residentMiB = process.memoryUsage.rss() / BYTES_PER_MIB;
    hand({ atMs: now - this.#startedAt, perSecond, p99Ms, usedMiB, residentMiB, counts, lag });
  }
}

function hand(look: SoakLook): void {
  const waiter = waiting.shift();
  if (waiter === undefined) looks.push(look);
  else waiter(look);
}

serveCalls(
  {
    /** The peak, in entries a second. */
    async open(folder: string): Promise<number> {
      installation = await openInstallation(folder);
      await stockUp(installation, STOCK);
      const shape = { inFlight: PEAK_IN_FLIGHT, warmUpMs: PEAK_WARM_UP_MS, measureMs: PEAK_MS };
      const { perSecond } = await closedLoop(shape, workOf('confirm', installation, STOCK));
      return perSecond * ENTRIES_PER_SALE;
    },
    async run(entriesPerSecond: number, measureMs: number): Promise<SoakTotals> {
      const looker = new Looker();
      const looking = setInterval(() => void looker.look(), LOOK_EVERY_MS);
      const sell = refusable(workOf('confirm', opened(), STOCK));
      const shape = { perSecond: entriesPerSecond / ENTRIES_PER_SALE, measureMs };
      const { units, refused } = await openLoop(shape, async () => {
        const askedAt = performance.now();
        const answer = await sell();
        if (answer === 'done') looker.answered(performance.now() - askedAt);
        return answer;
      });
      clearInterval(looking);
      over = true;
      for (const waiter of waiting.splice(0)) waiter(null);
      return { answered: units * ENTRIES_PER_SALE, refused };
    },
    /** The next look at it, once it was taken; null when it is over. */
    nextLook(): Promise<SoakLook | null> | SoakLook | null {
      const [look] = looks.splice(0, 1);
      if (look !== undefined) return look;
      return over ? null : new Promise((resolve) => waiting.push(resolve));
    },
  },
  async () => {
    await Promise.race([installation?.stop(), delay(10_000)]);
    process.exit(0);
  },
);
