/** A process whose recorder works while its projector catches up with what was recorded before, or has done so. */
import { cpSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { serveCalls } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';
import { openWithoutProjecting } from './late-projections.ts';
import { ONE_HOT_PRODUCT } from './stock.ts';
import { workOf } from './workloads.ts';

const POLL_MS = 50;

interface BacklogLoad {
  /** A folder with a past that is not projected. */
  base: string;
  folder: string;
  withBacklog: boolean;
  shape: LoadShape;
}

serveCalls({
  async measure({
    base,
    folder,
    withBacklog,
    shape,
  }: BacklogLoad): Promise<{ sample: Sample; caughtUp: { entries: number; seconds: number } }> {
    cpSync(base, folder, { recursive: true });
    const installation = await openWithoutProjecting(folder);
    const work = workOf('reserve', installation, ONE_HOT_PRODUCT);
    // The code is warm before the backlog begins: the warm-up must not eat it.
    await closedLoop({ ...shape, measureMs: 0 }, work);
    const caughtUp = async () => {
      while ((await installation.projectionLag()) > 0) await delay(POLL_MS);
    };
    const startedAt = performance.now();
    await installation.startProjecting();
    const backlog = await installation.projectionLag();
    if (!withBacklog) await caughtUp();
    const sample = await closedLoop({ ...shape, warmUpMs: 0 }, work);
    const lag = await installation.projectionLag();
    await caughtUp();
    const seconds = (performance.now() - startedAt) / 1_000;
    const entries = backlog + (withBacklog ? sample.units : 0);
    await installation.stop();
    const notes = { 'entries behind at the start': withBacklog ? backlog : 0, 'at the end of the window': lag };
    return { sample: { ...sample, notes }, caughtUp: { entries, seconds } };
  },
});
