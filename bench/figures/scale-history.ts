import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { atLeast, type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Stock } from '../subjects/stock.ts';
import { measureOn } from './contenders.ts';
import { pastOf } from './past.ts';

const STOCK: Stock = { stores: 10, products: 1_000, quantity: 1_000_000 };
const SIZES = [100_000, 1_000_000, 10_000_000];
const REQUIRED = 0.85;

export const scaleHistory: Benchmark = {
  name: 'scale-history',
  title: 'Reservations on a ledger of up to 10 000 000 entries, 64 in flight, against itself on an empty one',
  async run(context) {
    const contenders: Contender[] = [empty(context)];
    for (const entries of SIZES.filter((size) => size <= context.options.entriesMax)) {
      contenders.push(withPast(context, entries, await pastOf(context, entries, STOCK)));
    }
    const summaries = await interleave(context, contenders);
    const figures = summaries
      .slice(1)
      .map((summary) => atLeast(`${summary.name} to an empty ledger`, ratio(summary, at(summaries, 0)), REQUIRED));
    return {
      summaries,
      figures,
      remarks: [
        'The past is thirty days of reservations, each confirmed, in one chain, all projected; each round begins with a copy of it.',
      ],
    };
  },
};

function empty(context: BenchContext): Contender {
  const name = 'an empty ledger';
  return {
    name,
    unit: 'reservations',
    measure: () =>
      measureOn(context, context.newFolder('empty'), { name, workload: 'reserve', inFlight: 64, stock: STOCK }),
  };
}

function withPast(context: BenchContext, entries: number, base: string): Contender {
  const name = `${showRate(entries)} entries`;
  return {
    name,
    unit: 'reservations',
    async measure() {
      const folder = context.newFolder('history');
      cpSync(base, folder, { recursive: true });
      // What was copied must not go to disk while commits are being measured.
      execFileSync('sync');
      return measureOn(context, folder, { name, workload: 'reserve', inFlight: 64, stock: STOCK, filled: true });
    },
  };
}
