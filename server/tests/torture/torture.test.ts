/** Short runs of what `npm run torture` does at length, and the proofs that they can fail. */
import { describe, expect, it } from 'vitest';
import { withPlantedBug } from '../simulation/run-planted.ts';
import { canCutPower, cutPower } from './power-cut.ts';
import { torture } from './torture.ts';

const quiet = { tills: 24, onProgress: () => undefined };

describe('a server that is killed in mid-load', () => {
  it('loses nothing that it acknowledged and does nothing twice', async () => {
    const { findings, acknowledged, kills } = await torture({ ...quiet, kills: 5 });
    expect(findings).toEqual([]);
    expect(kills).toBe(5);
    expect(acknowledged).toBeGreaterThan(100);
  }, 120_000);

  it('is found out when it answers before the commit', async () => {
    await withPlantedBug('answered before the commit', async (sources) => {
      const { findings } = await torture({ ...quiet, kills: 3, sources });
      expect(findings).not.toEqual([]);
    });
  }, 120_000);
});

describe.runIf(canCutPower())('a power cut that takes every byte not synced', () => {
  it('takes nothing that was acknowledged', async () => {
    const { acknowledged, lost } = await cutPower('FULL');
    expect(acknowledged).toBeGreaterThanOrEqual(300);
    expect(lost).toBe(0);
  }, 60_000);

  it('is found out to lose acknowledged operations without synchronous=FULL', async () => {
    expect((await cutPower('OFF')).lost).toBeGreaterThan(0);
    expect((await cutPower('NORMAL')).lost).toBeGreaterThan(0);
  }, 60_000);
});
