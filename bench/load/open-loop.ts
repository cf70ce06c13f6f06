import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';

export interface RateShape {
  /** Pieces of work begun each second, whether those before are answered or not. */
  perSecond: number;
  measureMs: number;
}

/** `done` counts as goodput, `refused` as an honest refusal. Anything else is an error, and throws. */
export type RatedWork = () => Promise<'done' | 'refused'>;

export interface RatedSample extends Sample {
  offered: number;
  refused: number;
  refusalCounts: Uint32Array;
}

const TICK_MS = 1;

/** Begins work at a rate; a latency counts from the moment at which the work was due, late or not. */
export async function openLoop({ perSecond, measureMs }: RateShape, work: RatedWork): Promise<RatedSample> {
  const answers = new LatencyHistogram();
  const refusals = new LatencyHistogram();
  const watch = new ProcessWatch();
  const underWay = new Set<Promise<void>>();
  let failure: unknown = null;
  let offered = 0;
  let done = 0;
  let refused = 0;
  const startedAt = performance.now();
  const begin = (dueAt: number) => {
    const begunAt = performance.now();
    const answered = work().then((answer) => {
      const now = performance.now();
      if (answer === 'refused') {
        refused += 1;
        refusals.record(now - begunAt);
      } else {
        if (now <= startedAt + measureMs) done += 1;
        answers.record(now - dueAt);
      }
    });
    const settled: Promise<void> = answered
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => underWay.delete(settled));
    underWay.add(settled);
  };
  watch.start();
  while (failure === null) {
    const elapsedMs = performance.now() - startedAt;
    const due = Math.floor((Math.min(elapsedMs, measureMs) * perSecond) / 1_000);
    for (; offered < due; offered += 1) begin(startedAt + (offered * 1_000) / perSecond);
    if (elapsedMs >= measureMs) break;
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const seen = watch.stop();
  await Promise.all(underWay);
  if (failure !== null) throw failure;
  const seconds = measureMs / 1_000;
  return {
    ...seen,
    units: done,
    seconds,
    perSecond: done / seconds,
    latencyCounts: answers.counts,
    notes: {},
    offered,
    refused,
    refusalCounts: refusals.counts,
  };
}
