import { atLeast, type Benchmark, ratio } from '../harness/benchmark.ts';
import { at, interleave } from '../harness/rounds.ts';
import { embedded, oneTransactionEach } from './contenders.ts';

export const reserveEmbedded: Benchmark = {
  name: 'reserve-embedded',
  title:
    'Durable reservations of one hot product, engine level, against one SQLite transaction each that writes all tables',
  async run(context) {
    const reserve = (inFlight: number) =>
      embedded(context, { name: `Holdfast, ${inFlight} in flight`, workload: 'reserve', inFlight });
    const summaries = await interleave(context, [
      reserve(64),
      oneTransactionEach(context, 64),
      reserve(1),
      reserve(1_024),
    ]);
    return {
      summaries,
      figures: [
        atLeast('Holdfast to one transaction each, 64 in flight', ratio(at(summaries, 0), at(summaries, 1)), 5),
      ],
      remarks: ['The projections and the relay run as in production, on the same cores.'],
    };
  },
};
