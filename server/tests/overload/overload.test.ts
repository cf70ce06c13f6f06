// More is asked than the ledger can take: what is accepted is recorded, what is refused is refused at once and leaves
// no trace, nothing piles up. The figures belong to `npm run bench -- overload`; here no time is asserted.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closedLoop } from '../../../bench/load/closed-loop.ts';
import { openLoop } from '../../../bench/load/open-loop.ts';
import { execute, type Installation, openInstallation, stockUp } from '../../../bench/subjects/installation.ts';
import { HQ, ONE_HOT_PRODUCT, productId, storeId } from '../../../bench/subjects/stock.ts';
import { tryReserve, workOf } from '../../../bench/subjects/workloads.ts';
import { UNRECORDED_MAX } from '../../src/stock/memory/memory-stock-engine.ts';

const HOT_LEVEL = { storeId: storeId(0), productId: productId(0) };
/** What api.md promises: a process lets at least so many wait before it answers 503. */
const PROMISED_WAITING = 8_192;

describe('three times what the ledger can take', () => {
  let folder: string;
  let installation: Installation;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-overload-'));
    installation = await openInstallation(folder);
    await stockUp(installation, ONE_HOT_PRODUCT);
  });

  afterEach(async () => {
    await installation.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function reserved(): Promise<number> {
    const [level] = await installation.engine.levels(HQ, [HOT_LEVEL]);
    return level?.reserved ?? Number.NaN;
  }

  it('refuses what passes the bound, at once and without a trace, and records the rest', async () => {
    const order: ('done' | 'refused')[] = [];
    const asked = 3 * UNRECORDED_MAX;
    const answers = Array.from({ length: asked }, () =>
      tryReserve(installation).then((answer) => {
        order.push(answer);
        return answer;
      }),
    );
    const { unrecorded } = await installation.engine.counts();
    expect(unrecorded).toBeLessThanOrEqual(UNRECORDED_MAX);
    expect(unrecorded).toBeGreaterThanOrEqual(PROMISED_WAITING);
    const done = (await Promise.all(answers)).filter((answer) => answer === 'done').length;
    expect(done).toBe(UNRECORDED_MAX);
    expect(await reserved()).toBe(done);
    // A refusal waits for nobody: all of them were answered before the first commit was.
    expect(order.slice(0, asked - done)).toEqual(Array<string>(asked - done).fill('refused'));
    expect(await tryReserve(installation)).toBe('done');
  });

  it('lets a refused command in under the same operation id once there is room', async () => {
    const filling = Array.from({ length: UNRECORDED_MAX }, () => tryReserve(installation));
    const issue = () => execute(installation, { type: 'issue', items: [{ ...HOT_LEVEL, quantity: 1 }] }, 'issue-1');
    expect(await issue()).toEqual({ status: 'unavailable', reason: 'overloaded' });
    await Promise.all(filling);
    expect(await issue()).toMatchObject({ status: 'recorded', replayed: false });
    expect(await issue()).toMatchObject({ status: 'recorded', replayed: true });
  });

  it('keeps doing its work under an unbroken overload, with its queue and its projections bounded', {
    retry: 1,
  }, async () => {
    const peak = await closedLoop(
      { inFlight: 1_024, warmUpMs: 500, measureMs: 1_000 },
      workOf('reserve', installation, ONE_HOT_PRODUCT),
    );
    const before = await reserved();
    let waitingMax = 0;
    const looking = setInterval(async () => {
      waitingMax = Math.max(waitingMax, (await installation.engine.counts()).unrecorded);
    }, 5);
    let accepted = 0;
    const shape = { perSecond: 3 * peak.perSecond, rampMs: 1_000, measureMs: 1_500 };
    const sample = await openLoop(shape, async () => {
      const answer = await tryReserve(installation);
      if (answer === 'done') accepted += 1;
      return answer;
    });
    clearInterval(looking);
    expect(waitingMax).toBeLessThanOrEqual(UNRECORDED_MAX);
    expect(await reserved()).toBe(before + accepted);
    // The goal is nine tenths; a machine that runs other tests as well must reach the half of it.
    expect(sample.perSecond).toBeGreaterThan(peak.perSecond * 0.45);
    await expect.poll(() => installation.projectionLag()).toBe(0);
  });
});
