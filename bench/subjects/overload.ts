/** A process that puts more load on an embedded installation than it can take. */
import { serveCalls } from '../harness/child-process.ts';
import { closedLoop } from '../load/closed-loop.ts';
import { openLoop, type RatedSample, type RateShape } from '../load/open-loop.ts';
import { openInstallation, stockUp } from './installation.ts';
import { ONE_HOT_PRODUCT } from './stock.ts';
import { tryReserve, workOf } from './workloads.ts';

const LOOK_EVERY_MS = 5;
const WARM_UP_IN_FLIGHT = 1_024;

export interface OverloadFindings {
  sample: RatedSample;
  /** Commands decided and not recorded, at most. */
  waitingMax: number;
}

serveCalls({
  async run(folder: string, { warmUpMs, ...shape }: RateShape & { warmUpMs: number }): Promise<OverloadFindings> {
    const installation = await openInstallation(folder);
    await stockUp(installation, ONE_HOT_PRODUCT);
    await closedLoop(
      { inFlight: WARM_UP_IN_FLIGHT, warmUpMs, measureMs: 0 },
      workOf('reserve', installation, ONE_HOT_PRODUCT),
    );
    let waitingMax = 0;
    const looking = setInterval(async () => {
      const { unrecorded } = await installation.engine.counts();
      waitingMax = Math.max(waitingMax, unrecorded);
    }, LOOK_EVERY_MS);
    const sample = await openLoop(shape, () => tryReserve(installation));
    clearInterval(looking);
    await installation.stop();
    return { sample, waitingMax };
  },
});
