import { atLeast, type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Sample } from '../harness/sample.ts';
import { OrderProducer } from '../load/order-producer.ts';
import type { ConsumingShape } from '../subjects/consuming.ts';
import { ONE_HOT_PRODUCT } from '../subjects/stock.ts';
import { removeTopics, startBroker } from './broker.ts';
import { ANSWERING, CLUSTER, cluster } from './cluster-contenders.ts';
import { ClusterServers } from './cluster-servers.ts';

/** More than are handled within the time. */
const WAITING = 300_000;
const QUICK_WAITING = 80_000;
/** As many as a consumer handles at once. */
const IN_FLIGHT = 1_024;
const REQUIRED = 0.7;
const WAITING_PREFIX = 'waiting.';

interface Place {
  servers: ClusterServers;
  bootstrapServers: string;
}

export const consume: Benchmark = {
  name: 'consume',
  title: 'Orders that wait in Kafka until they are reserved in the ledger, against callers in the process',
  async run(context) {
    const servers = await ClusterServers.start();
    const kafka = await startBroker();
    const place = { servers, bootstrapServers: kafka.bootstrapServers };
    const callers = (inFlight: number) =>
      cluster(context, servers, { name: `callers in the process, ${inFlight} in flight`, inFlight });
    try {
      const waiting = await ordersWait(context, place);
      const rates = await interleave(context, [waiting, callers(IN_FLIGHT), callers(64)]);
      const [events, same, usual] = [at(rates, 0), at(rates, 1), at(rates, 2)];
      const perSecond = Math.round(events.perSecond.median / 2);
      const paced = await interleave(context, [ordersCome(context, place, perSecond)]);
      return {
        summaries: [...rates, ...paced],
        figures: [
          atLeast(`orders by event to callers, ${IN_FLIGHT} in flight both`, ratio(events, same), REQUIRED),
          atLeast('orders by event to callers, 64 in flight', ratio(events, usual), REQUIRED),
        ],
        remarks: [
          `One process reads \`order.placed\` of six partitions, decides and records: one unit of one hot product each, every order with a key of its own. The broker runs on the same cores. No projector runs meanwhile.`,
          `At ${showRate(perSecond)} orders/s, half of that, a latency counts from the producer sending an order until its reservation is in the ledger; the producer works on the same cores.`,
        ],
      };
    } finally {
      await servers.stop();
      await kafka.kill();
    }
  },
};

/** The same orders in each round, for a group that is new and a ledger that has none of them. */
async function ordersWait(context: BenchContext, place: Place): Promise<Contender> {
  const orders = context.options.quick ? QUICK_WAITING : WAITING;
  const producer = await OrderProducer.open(place.bootstrapServers, WAITING_PREFIX);
  await producer.place(orders);
  await producer.close();
  const name = 'orders by event';
  return {
    name,
    unit: 'reservations',
    async measure(round) {
      const { warmUpMs, measureMs } = context;
      const shape = { warmUpMs, measureMs, orders };
      const run = { name, prefix: WAITING_PREFIX, groupId: `round${round}`, shape };
      // How long they waited says nothing.
      return { ...(await measured(context, place, run)), latencyCounts: null };
    },
  };
}

function ordersCome(context: BenchContext, place: Place, perSecond: number): Contender {
  const name = 'orders by event, at half that rate';
  return {
    name,
    unit: 'reservations',
    async measure(round) {
      const prefix = `paced${round}.`;
      const { warmUpMs, measureMs } = context;
      const shape = { warmUpMs, measureMs, orders: Number.POSITIVE_INFINITY };
      const producer = await OrderProducer.open(place.bootstrapServers, prefix);
      const enough = new AbortController();
      let placing: Promise<void> = Promise.resolve();
      try {
        const run = { name, prefix, groupId: prefix, shape };
        return await measured(context, place, run, () => {
          placing = producer.placeAt(perSecond, enough.signal);
        });
      } finally {
        enough.abort();
        await placing;
        await producer.close();
        await removeTopics(place.bootstrapServers, prefix);
      }
    },
  };
}

interface Run {
  name: string;
  prefix: string;
  groupId: string;
  shape: ConsumingShape;
}

/** The stock is received before the node becomes a member of the group. */
async function measured(
  context: BenchContext,
  { servers, bootstrapServers }: Place,
  { name, prefix, groupId, shape }: Run,
  onOpen: () => void = () => undefined,
): Promise<Sample> {
  const place = { ...(await servers.freshPlace()), kafka: { bootstrapServers, groupId, prefix } };
  const subject = MeasuredProcess.start(CLUSTER, { profiling: context.profiling(name) });
  try {
    await subject.call('open', place, ANSWERING);
    await subject.call('stockUp', ONE_HOT_PRODUCT);
    await subject.call('close');
    await subject.call('open', place, [...ANSWERING, 'consumers']);
    onOpen();
    return await servers.watched(shape.warmUpMs, () => subject.call<Sample>('consume', shape));
  } finally {
    await subject.stop();
  }
}
