import { atLeast, atMost, type Benchmark, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showMs, showRate } from '../harness/format.ts';
import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { at, interleave } from '../harness/rounds.ts';
import { median } from '../harness/sample.ts';
import type { OverloadFindings } from '../subjects/overload.ts';
import { embedded } from './contenders.ts';

const OVERLOAD = new URL('../subjects/overload.ts', import.meta.url);
const TIMES = 3;
/** Without that the rest says nothing: the load is made on the thread that decides, and may be slowed by it. */
const OFFERED = 2.7;
const GOODPUT = 0.9;
/** Until the queue is full and the answers come at the pace of the ledger. */
const RAMP_MS = 3_000;
const REFUSED_MS_MAX = 10;
/** The bound of the engine (`UNRECORDED_MAX`). */
const WAITING_MAX = 16_384;
/** The highest sustained load is the one that this many callers can put on it. */
const PEAK_IN_FLIGHT = 1_024;

export const overload: Benchmark = {
  name: 'overload',
  title: 'Three times the highest sustained load, begun on schedule whether answered or not: goodput against the peak',
  async run(context) {
    const peak = embedded(context, { name: 'the peak', workload: 'reserve', inFlight: PEAK_IN_FLIGHT });
    const findings: OverloadFindings[] = [];
    const peaks: number[] = [];
    const summaries = await interleave(context, [
      {
        ...peak,
        measure: async (round) => {
          const sample = await peak.measure(round);
          peaks.push(sample.perSecond);
          return sample;
        },
      },
      {
        name: 'at three times the peak',
        unit: 'reservations',
        async measure() {
          const folder = context.newFolder('overload');
          const subject = MeasuredProcess.start(OVERLOAD, { profiling: context.profiling('overload') });
          // In a round that begins with this one the peak is that of the round before.
          const perSecond = TIMES * median(peaks);
          try {
            const found = await subject.call<OverloadFindings>('run', folder, {
              perSecond,
              warmUpMs: context.warmUpMs,
              rampMs: RAMP_MS,
              measureMs: context.measureMs,
            });
            findings.push(found);
            return found.sample;
          } finally {
            await subject.stop();
            context.removeFolder(folder);
          }
        },
      },
    ]);
    const refusals = new LatencyHistogram();
    for (const { sample } of findings) refusals.add(sample.refusalCounts);
    const waiting = Math.max(...findings.map(({ waitingMax }) => waitingMax));
    const offered = median(findings.map(({ sample }) => sample.offered / sample.seconds));
    const refused = median(findings.map(({ sample }) => sample.refused / sample.seconds));
    return {
      summaries,
      figures: [
        atLeast('load that was begun to the peak', offered / at(summaries, 0).perSecond.median, OFFERED),
        atLeast('goodput to the peak', ratio(at(summaries, 1), at(summaries, 0)), GOODPUT),
        atMost('refusals, p99.9, after being read', refusals.percentile(0.999), REFUSED_MS_MAX, 'ms'),
        atMost('commands that waited for the ledger', waiting, WAITING_MAX, ''),
      ],
      remarks: [
        `${showRate(offered)} offered and ${showRate(refused)} refused a second; a refusal takes ${showMs(refusals.percentile(0.5))} ms (p50).`,
        'The load is made in the process that it is put on, and costs it what making it costs.',
      ],
    };
  },
};
