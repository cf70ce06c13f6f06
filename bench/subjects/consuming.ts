/** What a node with the role `consumers` gets done of the orders that are in Kafka. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningApplication } from '../../server/src/application.ts';
import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import { commitNotes } from './commits.ts';
import { installationOf } from './installation.ts';

const POLL_MS = 5;

export interface ConsumingShape {
  /** From the first order on that has its effect. */
  warmUpMs: number;
  measureMs: number;
  /** How many there are at most: that they run out within the window is an error. */
  orders: number;
}

/**
 * An order's latency counts from its producer sending it until its reservation is in the ledger. A replay, of an order
 * that was sent again or whose first answer did not come in time, is no unit.
 */
export async function consuming(
  application: RunningApplication,
  { warmUpMs, measureMs, orders }: ConsumingShape,
): Promise<Sample> {
  const installation = installationOf(application);
  const { consumption } = application.telemetry;
  const tell = consumption.consumed;
  const watch = new ProcessWatch();
  let histogram = new LatencyHistogram();
  let effects = 0;
  let replays = 0;
  let other: string | null = null;
  consumption.consumed = (topic, result, delayMs) => {
    tell(topic, result, delayMs);
    if (result === 'done') {
      effects += 1;
      histogram.record(delayMs);
    } else if (result === 'replayed') replays += 1;
    else other = result;
  };
  while (effects === 0 && other === null) await delay(POLL_MS);
  await delay(warmUpMs);
  const commits = await installation.commits();
  const before = effects;
  histogram = new LatencyHistogram();
  watch.start();
  await delay(measureMs);
  const seen = watch.stop();
  const units = effects - before;
  const { counts } = histogram;
  const notes = { ...commitNotes(commits, await installation.commits()), replays };
  consumption.consumed = tell;
  if (other !== null) throw new Error(`an order came to ${other}`);
  if (effects + replays >= orders) throw new Error(`all ${orders} orders were handled before the time was over`);
  return { ...seen, units, perSecond: units / seen.seconds, latencyCounts: counts, notes };
}
