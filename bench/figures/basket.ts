import { atLeast, type Benchmark, ratio } from '../harness/benchmark.ts';
import { at, interleave } from '../harness/rounds.ts';
import { embedded } from './contenders.ts';

const IN_FLIGHT = 64;
const TEN_THOUSAND_PRODUCTS = { stores: 1, products: 10_000, quantity: 1_000_000 };

export const basket: Benchmark = {
  name: 'basket',
  title: 'Baskets of 5 lines over 10 000 products, 64 in flight, in lines, against reserve-embedded',
  async run(context) {
    const summaries = await interleave(context, [
      embedded(context, {
        name: 'baskets of 5 lines',
        workload: 'basket',
        inFlight: IN_FLIGHT,
        unit: 'lines',
        stock: TEN_THOUSAND_PRODUCTS,
      }),
      embedded(context, { name: 'reserve-embedded', workload: 'reserve', inFlight: IN_FLIGHT }),
    ]);
    const reached = ratio(at(summaries, 0), at(summaries, 1));
    return { summaries, figures: [atLeast('lines in baskets to single reservations', reached, 1)], remarks: [] };
  },
};
