/**
 * The engine against the independent model over random command sequences. `HOLDFAST_MODEL_RUNS` asks for more than
 * the 10 000 sequences of a usual run.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { WINDOW_BOUNDS } from '../../src/stock/operation-memory.ts';
import { EngineRun } from './engine-run.ts';
import { HQ_IDS } from './random-steps.ts';
import { runSequence, sequenceOf } from './sequences.ts';

const RUNS = Number(process.env.HOLDFAST_MODEL_RUNS ?? 10_000);

describe('the memory engine and the model', () => {
  it('spread the HQs over partitions, two of them in one', () => {
    expect(partitionOf(HQ_IDS[0])).toBe(partitionOf(HQ_IDS[1]));
    expect(partitionOf(HQ_IDS[0])).not.toBe(partitionOf(HQ_IDS[2]));
  });

  it(`agree over ${RUNS} sequences`, () => {
    fc.assert(
      fc.property(sequenceOf(24), (steps) => runSequence(new EngineRun(), steps)),
      { numRuns: RUNS },
    );
  }, 600_000);

  it('agree when the window forgets nearly at once', () => {
    const bounds = { ...WINDOW_BOUNDS, countMax: 3, keepMs: -1, windowMs: 2_000 };
    fc.assert(
      fc.property(sequenceOf(40), (steps) => runSequence(new EngineRun(bounds), steps)),
      { numRuns: Math.ceil(RUNS / 5) },
    );
  }, 600_000);
});
