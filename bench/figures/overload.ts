import { setTimeout as delay } from 'node:timers/promises';
import { atLeast, atMost, type BenchContext, type Benchmark, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showMs, showRate } from '../harness/format.ts';
import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { at, interleave } from '../harness/rounds.ts';
import { median, type Sample } from '../harness/sample.ts';
import type { HttpRatedLoad } from '../load/http-open-loop.ts';
import type { RatedSample } from '../load/open-loop.ts';
import { HttpServerSubject } from '../subjects/http-server.ts';
import { RESERVE, STOCK, server } from './http.ts';

const CALLERS = new URL('../load/http-open-loop.ts', import.meta.url);
const TIMES = 3;
/** Without that the rest says nothing. */
const OFFERED = 2.7;
const GOODPUT = 0.9;
/** Until the queue is full and the answers come at the pace of the ledger. */
const RAMP_MS = 3_000;
const REFUSED_MS_MAX = 10;
/** The bound of the engine (`UNRECORDED_MAX`). */
const WAITING_MAX = 16_384;
/** The highest sustained load is the one that this many callers can put on it. */
const PEAK_CONNECTIONS = 256;
/** More than the commands that are let in, so that no caller waits for another. */
const CONNECTIONS = 18_000;
const LOOK_EVERY_MS = 250;

interface Findings {
  sample: RatedSample;
  /** Commands decided and not recorded, at most. */
  waitingMax: number;
}

export const overload: Benchmark = {
  name: 'overload',
  title:
    'Three times the highest sustained load over HTTP, sent on schedule whether answered or not: goodput to the peak',
  async run(context) {
    const peak = server(context, RESERVE, PEAK_CONNECTIONS);
    const found: Findings[] = [];
    const peaks: number[] = [];
    const summaries = await interleave(context, [
      {
        ...peak,
        name: 'the peak',
        unit: 'reservations',
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
          // In a round that begins with this one the peak is that of the round before.
          const findings = await overloaded(context, TIMES * median(peaks));
          found.push(findings);
          return findings.sample;
        },
      },
    ]);
    const refusals = new LatencyHistogram();
    for (const { sample } of found) refusals.add(sample.refusalCounts);
    const offered = median(found.map(({ sample }) => sample.offered / sample.seconds));
    const refused = median(found.map(({ sample }) => sample.refused / sample.seconds));
    return {
      summaries,
      figures: [
        atLeast('load that was sent to the peak', offered / at(summaries, 0).perSecond.median, OFFERED),
        atLeast('goodput to the peak', ratio(at(summaries, 1), at(summaries, 0)), GOODPUT),
        atMost('refusals, p99, after being sent', refusals.percentile(0.99), REFUSED_MS_MAX, 'ms'),
        atMost(
          'commands that waited for the ledger',
          Math.max(...found.map(({ waitingMax }) => waitingMax)),
          WAITING_MAX,
          '',
        ),
      ],
      remarks: [
        `${showRate(offered)} sent and ${showRate(refused)} refused a second; a refusal takes ${showMs(refusals.percentile(0.5))} ms (p50).`,
        `The callers have ${showRate(CONNECTIONS)} connections and a process of their own, on the same cores.`,
      ],
    };
  },
};

async function overloaded(context: BenchContext, perSecond: number): Promise<Findings> {
  const folder = context.newFolder('overload');
  const subject = await HttpServerSubject.start(folder, context.profiling('overload'));
  const callers = MeasuredProcess.start(CALLERS);
  try {
    await subject.stockUp(STOCK);
    const { request, expectedStatus } = RESERVE;
    const load: HttpRatedLoad = {
      port: subject.port,
      request: request(subject.tillToken),
      expectedStatus,
      connections: CONNECTIONS,
      perSecond,
      rampMs: context.warmUpMs + RAMP_MS,
      measureMs: context.measureMs,
    };
    await callers.call('connect', load);
    let ended = false;
    const running = callers.call<RatedSample>('run').finally(() => {
      ended = true;
    });
    const watching = longestQueue(subject, () => ended);
    await delay(load.rampMs ?? 0);
    await subject.process.call('start');
    await delay(load.measureMs);
    const own = await subject.process.call<Pick<Sample, 'pauses' | 'cores' | 'residentMiB'>>('stop');
    const sample = await running;
    const { pauses, cores, residentMiB } = own;
    return { sample: { ...sample, pauses, cores, residentMiB }, waitingMax: await watching };
  } finally {
    await callers.stop();
    await subject.process.stop();
    context.removeFolder(folder);
  }
}

async function longestQueue(subject: HttpServerSubject, ended: () => boolean): Promise<number> {
  let longest = 0;
  while (!ended()) {
    longest = Math.max(longest, await subject.unrecorded());
    await delay(LOOK_EVERY_MS);
  }
  return longest;
}
