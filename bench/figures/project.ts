import {
  atLeast,
  atMost,
  type BenchContext,
  type Benchmark,
  type Contender,
  type Figure,
} from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import { median, type Sample, type Summary } from '../harness/sample.ts';
import { ONE_HOT_PRODUCT } from '../subjects/stock.ts';
import { EMBEDDED, embedded, shapeOf } from './contenders.ts';
import { pastOf } from './past.ts';

const BACKLOG = new URL('../subjects/backlog.ts', import.meta.url);
const BURST = 1_000_000;
const QUICK_BURST = 100_000;
const HALF_RATE_MS = 60_000;
const QUICK_HALF_RATE_MS = 8_000;
/** Half the rate of the recorder is kept up with when no entry waits longer than this for its projection. */
const LAG_SECONDS_MAX = 1;
const SLOWED_TO = 0.8;

interface Lags {
  sample: Sample;
  largest: number;
  firstThird: number;
  lastThird: number;
}

export const project: Benchmark = {
  name: 'project',
  title:
    'Entries into levels, movements, reservations and audit, beside the recorder: for ever at half its rate, and after a burst',
  async run(context) {
    const [peak] = await interleave(context, [
      embedded(context, { name: 'reserve-embedded', workload: 'reserve', inFlight: 64 }),
    ]);
    const steady = await halfRate(context, peak as Summary);
    const burst = await afterBurst(context);
    return {
      summaries: [peak as Summary, ...burst.summaries],
      figures: [...steady.figures, ...burst.figures],
      remarks: [...steady.remarks, ...burst.remarks],
    };
  },
};

async function halfRate(context: BenchContext, peak: Summary): Promise<{ figures: Figure[]; remarks: string[] }> {
  const perSecond = Math.round(peak.perSecond.median / 2);
  const measureMs = context.options.quick ? QUICK_HALF_RATE_MS : HALF_RATE_MS;
  const folder = context.newFolder('half-rate');
  const subject = MeasuredProcess.start(EMBEDDED, { profiling: context.profiling('half rate') });
  try {
    await subject.call('open', folder);
    await subject.call('stockUp', ONE_HOT_PRODUCT);
    const { largest, firstThird, lastThird } = await subject.call<Lags>('atRate', ONE_HOT_PRODUCT, {
      perSecond,
      measureMs,
    });
    context.tell(`at ${showRate(perSecond)}/s the projections lag at most ${showRate(largest)} entries`);
    return {
      figures: [atMost('lag at half the rate of the recorder, in time', largest / perSecond, LAG_SECONDS_MAX, 's')],
      remarks: [
        `At ${showRate(perSecond)} entries/s for ${measureMs / 1_000} s the projections were ${showRate(firstThird)} entries behind on average in the first third and ${showRate(lastThird)} in the last, ${showRate(largest)} at most.`,
      ],
    };
  } finally {
    await subject.stop();
    context.removeFolder(folder);
  }
}

async function afterBurst(context: BenchContext) {
  const entries = context.options.quick ? QUICK_BURST : BURST;
  const base = await pastOf(context, entries, ONE_HOT_PRODUCT, false);
  const catchUps: { entries: number; seconds: number }[] = [];
  const contender = (name: string, withBacklog: boolean): Contender => ({
    name,
    unit: 'reservations',
    async measure() {
      const folder = context.newFolder('burst');
      const subject = MeasuredProcess.start(BACKLOG, { profiling: context.profiling(name) });
      try {
        const { sample, caughtUp } = await subject.call<{ sample: Sample; caughtUp: (typeof catchUps)[number] }>(
          'measure',
          { base, folder, withBacklog, shape: shapeOf(context, 64) },
        );
        if (withBacklog) catchUps.push(caughtUp);
        return sample;
      } finally {
        await subject.stop();
        context.removeFolder(folder);
      }
    },
  });
  const summaries = await interleave(context, [
    contender(`recorder while ${showRate(entries)} entries are caught up`, true),
    contender('recorder without a backlog', false),
  ]);
  const [during, without] = [at(summaries, 0), at(summaries, 1)];
  const rate = median(catchUps.map((found) => found.entries / found.seconds));
  return {
    summaries,
    figures: [
      atLeast(
        'recorder with a backlog of projections to without',
        during.perSecond.median / without.perSecond.median,
        SLOWED_TO,
      ),
    ],
    remarks: [
      `The backlog was caught up at ${showRate(rate)} entries/s, in ${median(catchUps.map(({ seconds }) => seconds)).toFixed(1)} s, those recorded meanwhile included.`,
      'The burst is measured without a relay: it would publish the same million beside the projector.',
    ],
  };
}
