import { cpSync } from 'node:fs';
import { atLeast, type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Stock } from '../subjects/stock.ts';
import { EMBEDDED, measureOn } from './contenders.ts';

const QUANTITY = 1_000_000;
const STOCKS: Stock[] = [
  { stores: 10, products: 100, quantity: QUANTITY },
  { stores: 10, products: 1_000, quantity: QUANTITY },
  { stores: 100, products: 1_000, quantity: QUANTITY },
  { stores: 100, products: 10_000, quantity: QUANTITY },
];
const QUICK_LEVELS_MAX = 100_000;
const REQUIRED = 0.85;

export const scaleLevels: Benchmark = {
  name: 'scale-levels',
  title: 'Reservations at random over 1 000 to 1 000 000 levels, 64 in flight, against itself at 1 000',
  async run(context) {
    const stocks = STOCKS.filter((stock) => !context.options.quick || levelsOf(stock) <= QUICK_LEVELS_MAX);
    const contenders: Contender[] = [];
    for (const stock of stocks) contenders.push(await prepared(context, stock));
    const summaries = await interleave(context, contenders);
    const figures = summaries
      .slice(1)
      .map((summary) =>
        atLeast(`${summary.name} to ${at(summaries, 0).name}`, ratio(summary, at(summaries, 0)), REQUIRED),
      );
    return { summaries, figures, remarks: ['The data folder is filled once; each round begins with a copy of it.'] };
  },
};

function levelsOf({ stores, products }: Stock): number {
  return stores * products;
}

async function prepared(context: BenchContext, stock: Stock): Promise<Contender> {
  const name = `${showRate(levelsOf(stock))} levels`;
  const base = context.newFolder('levels-base');
  context.tell(`filling ${name}`);
  const filler = MeasuredProcess.start(EMBEDDED);
  await filler.call('open', base);
  await filler.call('stockUp', stock);
  await filler.call('close');
  await filler.stop();
  return {
    name,
    unit: 'reservations',
    async measure() {
      const folder = context.newFolder('levels');
      cpSync(base, folder, { recursive: true });
      return measureOn(context, folder, { name, workload: 'reserve', inFlight: 64, stock, filled: true });
    },
  };
}
