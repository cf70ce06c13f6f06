import { setTimeout as delay } from 'node:timers/promises';
import { TopicNames } from '../../server/src/events/topics.ts';
import type { ProcessRole } from '../../server/src/process-roles.ts';
import { atMost, type BenchContext, type Benchmark, type Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Sample } from '../harness/sample.ts';
import { publishedDelays } from '../load/published-delays.ts';
import { SETTLE_MS } from '../subjects/backlog-place.ts';
import { ONE_HOT_PRODUCT } from '../subjects/stock.ts';
import { removeTopics, startBroker } from './broker.ts';
import { ANSWERING, CLUSTER, cluster } from './cluster-contenders.ts';
import { ClusterServers } from './cluster-servers.ts';

const PUBLISHING: readonly ProcessRole[] = [...ANSWERING, 'relay'];
const SECONDS_MAX = 1;
const IN_FLIGHT = 256;
const POLL_MS = 20;
const MS_PER_SECOND = 1_000;
/** The time of a message is when it was published, and not when its producer made it. */
const BROKERS_TIME = { 'log.message.timestamp.type': 'LogAppendTime' };

export const publishDelay: Benchmark = {
  name: 'publish-delay',
  title: 'From a reservation being decided until its event is in Kafka, at half the highest load',
  async run(context) {
    const servers = await ClusterServers.start();
    const kafka = await startBroker(BROKERS_TIME);
    try {
      const peak = await interleave(context, [
        cluster(context, servers, { name: `the highest load, ${IN_FLIGHT} in flight`, inFlight: IN_FLIGHT }),
      ]);
      const perSecond = Math.round(at(peak, 0).perSecond.median / 2);
      const paced = await interleave(context, [publishing(context, servers, kafka.bootstrapServers, perSecond)]);
      const p99 = at(paced, 0).latencyMs?.p99 ?? Number.NaN;
      return {
        summaries: [...peak, ...paced],
        figures: [atMost('decided to published, p99', p99 / MS_PER_SECOND, SECONDS_MAX, 's')],
        remarks: [
          `The latency at half the load (${showRate(perSecond)}/s) is that of \`stock.reserved\`: from the decision, so that being recorded is part of it, until the broker has the event.`,
          'The highest load is that of a node that answers and publishes nothing. Database and broker run on the same cores. No projector runs meanwhile.',
        ],
      };
    } finally {
      await servers.stop();
      await kafka.kill();
    }
  },
};

function publishing(
  context: BenchContext,
  servers: ClusterServers,
  bootstrapServers: string,
  perSecond: number,
): Contender {
  const name = 'half of it, published';
  return {
    name,
    unit: 'reservations',
    async measure(round) {
      const prefix = `delay${round}.`;
      const place = { ...(await servers.freshPlace()), kafka: { bootstrapServers, groupId: prefix, prefix } };
      const subject = MeasuredProcess.start(CLUSTER, { profiling: context.profiling(name) });
      try {
        await subject.call('open', place, PUBLISHING);
        await subject.call('stockUp', ONE_HOT_PRODUCT);
        await delay(SETTLE_MS);
        const { warmUpMs, measureMs } = context;
        const since = Date.now() + warmUpMs;
        const shape = { perSecond, measureMs, rampMs: warmUpMs };
        const sample = await subject.call<Sample>('atRate', ONE_HOT_PRODUCT, shape);
        while ((await subject.call<number>('relayLag')) > 0) await delay(POLL_MS);
        const topic = new TopicNames({ prefix }).of('stock.reserved');
        const { events, counts } = await publishedDelays(bootstrapServers, topic, since);
        if (events < sample.units) throw new Error(`of ${sample.units} reservations ${events} were published`);
        return { ...sample, latencyCounts: counts };
      } finally {
        await subject.stop();
        await removeTopics(bootstrapServers, prefix);
      }
    },
  };
}
