import type { Benchmark } from '../harness/benchmark.ts';
import { interleave } from '../harness/rounds.ts';
import { ONE_HOT_PRODUCT } from '../subjects/stock.ts';
import { cluster } from './cluster-contenders.ts';
import { ClusterServers } from './cluster-servers.ts';

const IN_FLIGHT = 256;
const NODES = [1, 2, 4];
const BUSY_HQS = [8, 64];

export const scaleCluster: Benchmark = {
  name: 'scale-cluster',
  title: 'Durable reservations in a cluster of 1, 2 and 4 processes, and with 1, 8 and 64 busy HQs; 256 in flight',
  async run(context) {
    const servers = await ClusterServers.start();
    const spread = { ...ONE_HOT_PRODUCT, hqs: NODES.at(-1) as number };
    try {
      const summaries = await interleave(context, [
        ...NODES.map((nodes) =>
          cluster(context, servers, {
            name: `${nodes === 1 ? 'one process' : `${nodes} processes`}, ${spread.hqs} HQs`,
            inFlight: IN_FLIGHT,
            nodes,
            stock: spread,
          }),
        ),
        ...[1, ...BUSY_HQS].map((hqs) =>
          cluster(context, servers, {
            name: `one process, ${hqs} HQs`,
            inFlight: IN_FLIGHT,
            stock: { ...ONE_HOT_PRODUCT, hqs },
          }),
        ),
      ]);
      return {
        summaries,
        figures: [],
        remarks: [
          'All processes, Redis and MariaDB share the cores of one machine: what it cannot show is what more machines bring.',
        ],
      };
    } finally {
      await servers.stop();
    }
  },
};
