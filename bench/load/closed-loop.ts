import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';

export interface LoadShape {
  /** Callers, each of whom asks again as soon as it is answered. */
  inFlight: number;
  warmUpMs: number;
  measureMs: number;
}

/** Does one piece of work and answers how many units that was. Throws when the answer is not the expected one. */
export type Work = () => Promise<number>;

/** Keeps `inFlight` callers busy; counts what is answered within the window. */
export async function closedLoop({ inFlight, warmUpMs, measureMs }: LoadShape, work: Work): Promise<Sample> {
  const histogram = new LatencyHistogram();
  const watch = new ProcessWatch();
  const from = performance.now() + warmUpMs;
  const until = from + measureMs;
  let units = 0;
  let found: ReturnType<ProcessWatch['stop']> | null = null;
  const start = setTimeout(() => watch.start(), warmUpMs);
  const stop = setTimeout(() => {
    found = watch.stop();
  }, warmUpMs + measureMs);
  const caller = async () => {
    for (;;) {
      const askedAt = performance.now();
      if (askedAt >= until) return;
      const done = await work();
      const answeredAt = performance.now();
      if (answeredAt < from || answeredAt >= until) continue;
      histogram.record(answeredAt - askedAt);
      units += done;
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, caller));
  } finally {
    clearTimeout(start);
    clearTimeout(stop);
  }
  found ??= watch.stop();
  const seconds = measureMs / 1_000;
  return { ...found, units, seconds, perSecond: units / seconds, latencyCounts: histogram.counts, notes: {} };
}
