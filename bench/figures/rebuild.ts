import { atMost, type Benchmark, type Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { interleave } from '../harness/rounds.ts';
import { median, type Sample } from '../harness/sample.ts';
import { type KeyFile, loadWithPipe, writeKeys } from '../references/piped-keys.ts';
import type { Stock } from '../subjects/stock.ts';
import { ANSWERING, CLUSTER } from './cluster-contenders.ts';
import { ClusterServers } from './cluster-servers.ts';

const STOCK: Stock = { stores: 100, products: 10_000, quantity: 1_000_000 };
const QUICK_STOCK: Stock = { stores: 100, products: 1_000, quantity: 1_000_000 };
const REQUIRED = 3;
const LAG_POLL_MS = 200;

export const rebuild: Benchmark = {
  name: 'rebuild',
  title: 'Redis is emptied under a node with 1 000 000 levels, until a command is served, against redis-cli --pipe',
  async run(context) {
    const stock = context.options.quick ? QUICK_STOCK : STOCK;
    const servers = await ClusterServers.start();
    const node = MeasuredProcess.start(CLUSTER, { profiling: context.profiling('rebuild') });
    try {
      await node.call('open', await servers.freshPlace(), [...ANSWERING, 'projector']);
      context.tell('receiving the stock');
      await node.call('stockUp', stock);
      while ((await node.call<number>('projectionLag')) > 0) await new Promise((done) => setTimeout(done, LAG_POLL_MS));
      const keys = await writeKeys(servers.redis, context.newFolder('keys'));
      const summaries = await interleave(context, [emptied(servers, node, stock), piped(keys)]);
      const [served = Number.NaN, loaded = Number.NaN] = summaries.map(({ perSecond }) =>
        median(perSecond.rounds.map((rate) => 1 / rate)),
      );
      return {
        summaries,
        figures: [atMost('emptied until served to redis-cli --pipe, in time', served / loaded, REQUIRED)],
        remarks: [
          `${showRate(stock.stores * stock.products)} levels: a command was served ${served.toFixed(2)} s after Redis was emptied; redis-cli --pipe writes the same ${showRate(keys.keys)} keys in ${loaded.toFixed(2)} s.`,
        ],
      };
    } finally {
      await node.stop();
      await servers.stop();
    }
  },
};

function emptied(servers: ClusterServers, node: MeasuredProcess, stock: Stock): Contender {
  return {
    name: 'emptied, until a command is served',
    unit: 'rebuilds',
    async measure() {
      await servers.redis.ask('FLUSHALL');
      return sampleOf(await node.call<number>('untilServed', stock));
    },
  };
}

function piped(keys: KeyFile): Contender {
  return {
    name: 'redis-cli --pipe',
    unit: 'loads',
    measure: async () => sampleOf(await loadWithPipe(keys)),
  };
}

function sampleOf(seconds: number): Sample {
  return {
    units: 1,
    seconds,
    perSecond: 1 / seconds,
    latencyCounts: null,
    pauses: null,
    cores: 0,
    residentMiB: 0,
    notes: {},
  };
}
