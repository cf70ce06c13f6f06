import { atLeast, type Benchmark, ratio } from '../harness/benchmark.ts';
import { at, interleave } from '../harness/rounds.ts';
import { cluster, forUpdate, scriptAlone } from './cluster-contenders.ts';
import { ClusterServers } from './cluster-servers.ts';

export const reserveCluster: Benchmark = {
  name: 'reserve-cluster',
  title:
    'Durable reservations of one hot product, decided by Redis and recorded in MariaDB, against MariaDB alone and Redis alone',
  async run(context) {
    const servers = await ClusterServers.start();
    const reserve = (inFlight: number) =>
      cluster(context, servers, { name: `Holdfast, ${inFlight} in flight`, inFlight });
    try {
      const summaries = await interleave(context, [
        reserve(64),
        forUpdate(context, servers, 64),
        scriptAlone(context, servers, 64),
        reserve(256),
        forUpdate(context, servers, 256),
      ]);
      return {
        summaries,
        figures: [
          atLeast('Holdfast to FOR UPDATE, 64 in flight', ratio(at(summaries, 0), at(summaries, 1)), 6),
          atLeast('Holdfast to the script alone, 64 in flight', ratio(at(summaries, 0), at(summaries, 2)), 0.45),
          atLeast('Holdfast to FOR UPDATE, 256 in flight', ratio(at(summaries, 3), at(summaries, 4)), 7),
        ],
        remarks: [
          'One process decides and records; it shares the cores with its callers, with Redis and with MariaDB. No projector runs meanwhile.',
        ],
      };
    } finally {
      await servers.stop();
    }
  },
};
