import { atMost, type BenchContext, type Benchmark, type Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import { median, type Sample } from '../harness/sample.ts';
import type { Stock } from '../subjects/stock.ts';
import { EMBEDDED } from './contenders.ts';

const PLAIN_ROWS = new URL('../references/plain-rows.ts', import.meta.url);
const STOCK: Stock = { stores: 100, products: 10_000, quantity: 1_000_000 };
const QUICK_STOCK: Stock = { stores: 100, products: 1_000, quantity: 1_000_000 };
const OPEN_RESERVATIONS = 100_000;
const QUICK_RESERVATIONS = 10_000;
const REQUIRED = 3;
const MEMORY_MIB_MAX = 1.2 * 1_024;

export const restart: Benchmark = {
  name: 'restart',
  title:
    'Start with 1 000 000 levels and 100 000 open reservations until a command is answered, against reading the rows',
  async run(context) {
    const { quick } = context.options;
    const stock = quick ? QUICK_STOCK : STOCK;
    const reservations = quick ? QUICK_RESERVATIONS : OPEN_RESERVATIONS;
    const folder = await filled(context, stock, reservations);
    const [subject, reference] = [starting(context, folder, stock), reading(folder)];
    const summaries = await interleave(context, [subject, reference]);
    const seconds = summaries.map(({ perSecond }) => median(perSecond.rounds.map((rate) => 1 / rate)));
    const [start = Number.NaN, read = Number.NaN] = seconds;
    return {
      summaries,
      figures: [
        atMost('start to reading the rows, in time', start / read, REQUIRED),
        atMost('resident memory after the start', at(summaries, 0).residentMiB, MEMORY_MIB_MAX, 'MiB'),
      ],
      remarks: [
        `${showRate(stock.stores * stock.products)} levels, ${showRate(reservations)} open reservations: served after ${start.toFixed(2)} s, the rows are read in ${read.toFixed(2)} s.`,
        'Both from the start of a process: loading the program is part of it.',
      ],
    };
  },
};

async function filled(context: BenchContext, stock: Stock, reservations: number): Promise<string> {
  const folder = context.newFolder('restart');
  context.tell('filling the data folder');
  const filler = MeasuredProcess.start(EMBEDDED);
  try {
    await filler.call('open', folder);
    await filler.call('stockUp', stock);
    await filler.call('reserveSome', stock, reservations);
    await filler.call('close');
  } finally {
    await filler.stop();
  }
  return folder;
}

function starting(context: BenchContext, folder: string, stock: Stock): Contender {
  const name = 'start until a command is answered';
  return {
    name,
    unit: 'starts',
    async measure() {
      const startedAt = performance.now();
      const subject = MeasuredProcess.start(EMBEDDED, { profiling: context.profiling(name) });
      try {
        const openMs = await subject.call<number>('open', folder);
        await subject.call('reserveSome', stock, 1);
        const seconds = (performance.now() - startedAt) / 1_000;
        const resident = await subject.call<{ residentMiB: number; heapMiB: number }>('memory');
        const notes = { 'opening the data folder, ms': openMs, 'heap in use, MiB': resident.heapMiB };
        return { ...sampleOf(seconds), residentMiB: resident.residentMiB, notes };
      } finally {
        await subject.stop();
      }
    },
  };
}

function reading(folder: string): Contender {
  return {
    name: 'plain SQL reads the rows',
    unit: 'reads',
    async measure() {
      const startedAt = performance.now();
      const reference = MeasuredProcess.start(PLAIN_ROWS);
      try {
        const notes = await reference.call<Record<string, number>>('read', folder);
        return { ...sampleOf((performance.now() - startedAt) / 1_000), notes };
      } finally {
        await reference.stop();
      }
    },
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
