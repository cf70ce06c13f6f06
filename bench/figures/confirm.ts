import { atLeast, type Benchmark, ratio } from '../harness/benchmark.ts';
import { at, interleave } from '../harness/rounds.ts';
import { embedded } from './contenders.ts';

const IN_FLIGHT = 64;

export const confirm: Benchmark = {
  name: 'confirm',
  title: 'Reserve, then confirm: pairs, 64 in flight, against reserve-embedded',
  async run(context) {
    const summaries = await interleave(context, [
      embedded(context, { name: 'reserve and confirm', workload: 'confirm', inFlight: IN_FLIGHT, unit: 'pairs' }),
      embedded(context, { name: 'reserve-embedded', workload: 'reserve', inFlight: IN_FLIGHT }),
    ]);
    const reached = ratio(at(summaries, 0), at(summaries, 1));
    return { summaries, figures: [atLeast('pairs to single reservations', reached, 0.5)], remarks: [] };
  },
};
