import { join } from 'node:path';
import { atLeast, atMost, type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import { median, type Sample } from '../harness/sample.ts';
import { writeStockFile } from '../subjects/csv-file.ts';
import type { Stock } from '../subjects/stock.ts';

const IMPORTING = new URL('../subjects/importing.ts', import.meta.url);
const BULK_INSERT = new URL('../references/bulk-insert.ts', import.meta.url);
const STOCK: Stock = { stores: 100, products: 10_000, quantity: 1_000 };
const QUICK_STOCK: Stock = { stores: 10, products: 10_000, quantity: 1_000 };
/** Other quantities: another file, not a replay of the first. */
const OTHER_QUANTITY = 2_000;
const REQUIRED = 0.3;
/** What one import leaves behind, the next one's peak would show. */
const PEAKS_MAX = 1.1;

export const importStock: Benchmark = {
  name: 'import',
  title: 'Opening stock of 1 000 000 levels from CSV, against a bulk insert of the same rows into one table',
  async run(context) {
    const stock = context.options.quick ? QUICK_STOCK : STOCK;
    const folder = context.newFolder('csv');
    const file = join(folder, 'stock.csv');
    const other = join(folder, 'other.csv');
    await writeStockFile(file, stock);
    await writeStockFile(other, { ...stock, quantity: OTHER_QUANTITY });
    const peaks: number[] = [];
    const summaries = await interleave(context, [
      importing(context, { file, other, stock, peaks }),
      bulkInsert(context, stock),
    ]);
    return {
      summaries,
      figures: [
        atLeast('rows imported to rows inserted', ratio(at(summaries, 0), at(summaries, 1)), REQUIRED),
        atMost('peak memory of a second import to the first', median(peaks), PEAKS_MAX),
      ],
      remarks: [
        `${showRate(stock.stores * stock.products)} rows. The bulk insert reads no CSV, checks nothing, and writes one table.`,
        'Memory: the second file names the same levels, so that what could grow is the import and not the stock.',
      ],
    };
  },
};

interface Files {
  file: string;
  other: string;
  stock: Stock;
  /** Of the second import, as a share of the first one's. */
  peaks: number[];
}

function importing(context: BenchContext, { file, other, stock, peaks }: Files): Contender {
  const name = 'Holdfast imports CSV';
  return {
    name,
    unit: 'rows',
    async measure() {
      const folder = context.newFolder('import');
      const subject = MeasuredProcess.start(IMPORTING, { profiling: context.profiling(name) });
      try {
        await subject.call('open', folder, stock);
        const sample = await subject.call<Sample>('importFile', file);
        const second = await subject.call<Sample>('importFile', other);
        peaks.push(second.residentMiB / sample.residentMiB);
        return sample;
      } finally {
        await subject.stop();
        context.removeFolder(folder);
      }
    },
  };
}

function bulkInsert(context: BenchContext, stock: Stock): Contender {
  return {
    name: 'bulk insert into SQLite',
    unit: 'rows',
    async measure() {
      const folder = context.newFolder('bulk');
      const reference = MeasuredProcess.start(BULK_INSERT);
      try {
        return await reference.call<Sample>('insert', folder, stock);
      } finally {
        await reference.stop();
        context.removeFolder(folder);
      }
    },
  };
}
