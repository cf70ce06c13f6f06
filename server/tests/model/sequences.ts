/** A sequence of steps, and running it against engine and model with all checks after each step. */
import fc from 'fast-check';
import { partitionOf } from '../../src/stock/identifiers.ts';
import type { EngineRun } from './engine-run.ts';
import { HQ_IDS, PRODUCT_IDS, Requests, STORE_IDS, type Step, setPartitions, step } from './random-steps.ts';

const OVER = { hqIds: HQ_IDS, storeIds: STORE_IDS, productIds: PRODUCT_IDS };
const UNSET = { safetyStock: null, lowThreshold: null };

setPartitions(partitionOf);

export function sequenceOf(maxLength: number): fc.Arbitrary<Step[]> {
  return fc.array(step, { minLength: 4, maxLength, size: 'max' });
}

export function runSequence(run: EngineRun, steps: readonly Step[]): void {
  prepare(run);
  const requests = new Requests(run);
  for (const each of steps) {
    if (each.kind === 'command') run.execute(requests.of(each));
    else run.clock.nowMs += each.ms;
    if (each.kind === 'tick' && each.sweep) run.expireDue();
    run.check(OVER);
  }
}

/** Two stores and two products are known from the start, S9 and P9 only once a step configures them. */
function prepare(run: EngineRun): void {
  for (const hqId of HQ_IDS) {
    const ask = (command: Parameters<EngineRun['execute']>[0]['command']) =>
      run.execute({ hqId, operationId: null, body: null, command });
    for (const storeId of ['S1', 'S2']) ask({ type: 'configure-store', storeId, settings: UNSET });
    for (const productId of ['P1', 'P2']) ask({ type: 'configure-product', productId, settings: UNSET });
    const items = ['HQ', 'S1', 'S2'].map((storeId) => ({ storeId, productId: 'P1', quantity: 4 }));
    ask({ type: 'receive', items });
  }
}
