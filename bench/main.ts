/**
 * `npm run bench` measures every figure of `design/figures.md`, `npm run bench -- NAME…` only some.
 * Ends with 0 when all ratios are reached, 1 when one is missed, 2 when it was asked for what it does not know.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarks } from './figures/figures.ts';
import type { BenchContext, Benchmark, BenchOptions } from './harness/benchmark.ts';
import { describeMachine, type Machine } from './harness/machine.ts';
import { Profiling } from './harness/profile.ts';
import { showResult, storedResult, writePage, writeResult } from './harness/results.ts';

const root = join(import.meta.dirname, '..');
const resultsFolder = join(import.meta.dirname, 'results');
const scratchParent = join(root, '.infra', 'bench');

const USAGE = `usage: npm run bench -- [NAME…] [--rounds N] [--quick] [--profile] [--max-entries N]

  --rounds N       rounds of each contender (default 5; with fewer nothing is written to bench/results)
  --quick          short rounds, three of them: a first look, not written to bench/results
  --profile        one round with the processor's time by function
  --max-entries N  the longest ledger of scale-history (default 10 000 000)

names: ${benchmarks.map(({ name }) => name).join(', ')}`;

const ROUNDS = 5;
const QUICK_ROUNDS = 3;
const ENTRIES_MAX = 10_000_000;
const QUICK_ENTRIES_MAX = 100_000;

interface Request {
  chosen: readonly Benchmark[];
  options: BenchOptions;
}

function readArguments(args: string[]): Request {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      'max-entries': { type: 'string' },
    },
  });
  const unknown = positionals.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}`);
  const { quick, profile } = values;
  return {
    chosen: positionals.length === 0 ? benchmarks : benchmarks.filter(({ name }) => positionals.includes(name)),
    options: {
      quick,
      profile,
      rounds: profile ? 1 : count('rounds', values.rounds, quick ? QUICK_ROUNDS : ROUNDS),
      entriesMax: count('max-entries', values['max-entries'], quick ? QUICK_ENTRIES_MAX : ENTRIES_MAX),
    },
  };
}

function count(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1 on`);
  return value;
}

function contextOf(
  benchmark: Benchmark,
  options: BenchOptions,
  scratch: string,
): { context: BenchContext; profiles: Map<string, Profiling> } {
  const profiles = new Map<string, Profiling>();
  const context: BenchContext = {
    options,
    measureMs: options.quick ? 1_500 : 6_000,
    warmUpMs: options.quick ? 1_000 : 3_000,
    newFolder: (name) => mkdtempSync(join(scratch, `${name}-`)),
    removeFolder: (folder) => rmSync(folder, { recursive: true, force: true }),
    profiling: (contender) => {
      if (!options.profile) return null;
      const folder = join(scratchParent, 'profiles', `${benchmark.name}-${contender.replaceAll(/\W+/g, '-')}`);
      rmSync(folder, { recursive: true, force: true });
      const profiling = new Profiling(folder);
      profiles.set(contender, profiling);
      return profiling;
    },
    tell: (text) => console.error(`  ${text}`),
  };
  return { context, profiles };
}

async function measure(
  benchmark: Benchmark,
  options: BenchOptions,
  machine: Machine,
  scratch: string,
): Promise<boolean> {
  console.error(`\n${benchmark.name}: ${benchmark.title}`);
  const { context, profiles } = contextOf(benchmark, options, scratch);
  const result = storedResult(benchmark, options, machine, await benchmark.run(context));
  console.log(`\n${benchmark.name}\n${showResult(result)}`);
  for (const [contender, profiling] of profiles) console.log(`\n${contender}\n${profiling.report()}`);
  if (!options.quick && options.rounds >= ROUNDS) {
    writeResult(resultsFolder, result, benchmark.chart?.(result.summaries));
    writePage(
      resultsFolder,
      benchmarks.map(({ name }) => name),
    );
  }
  return result.figures.every(({ pass }) => pass);
}

async function main({ chosen, options }: Request): Promise<number> {
  mkdirSync(scratchParent, { recursive: true });
  const scratch = mkdtempSync(join(scratchParent, 'run-'));
  process.on('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
  const machine = describeMachine(scratch);
  console.error(`${machine.cpu}, ${machine.cores} cores; a durable write takes ${machine.fsyncMs.p50.toFixed(2)} ms`);
  const missed: string[] = [];
  for (const benchmark of chosen) {
    const reached = await measure(benchmark, options, machine, scratch).catch((error: unknown) => {
      console.error(`${benchmark.name} failed: ${(error as Error).stack}`);
      return false;
    });
    if (!reached) missed.push(benchmark.name);
  }
  console.log(missed.length === 0 ? '\nall figures are reached' : `\nmissed: ${missed.join(', ')}`);
  return missed.length === 0 ? 0 : 1;
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code));
}

let request: Request | null = null;
try {
  request = readArguments(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`);
}
process.exitCode = request === null ? 2 : await main(request);
