/**
 * `npm run sim -- --seeds 1000` runs that many seeds, then the engine against the model over `--sequences N` (default:
 * twenty for each seed) random sequences of commands; `--seed N` one, or begins there. A seed that fails is shrunk and
 * printed with the commit and the command that repeats it. `--planted` plants bugs one after the other and wants each
 * of them caught (`--bug TEXT`: only those named so); `--bug TEXT` alone shows how a run with that bug fails.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { EngineRun } from '../model/engine-run.ts';
import { runSequence, sequenceOf } from '../model/sequences.ts';
import { Disks } from './disk.ts';
import { loadParts, type Parts } from './parts.ts';
import { type Plan, planOf, type Step, showStep } from './plan.ts';
import { runPlanted, withBug } from './run-planted.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';

const PROGRESS_EVERY_MS = 1_000;
const SEQUENCES_PER_SEED = 20;
const SEQUENCES_AT_ONCE = 1_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    planted: { type: 'boolean', default: false },
    bug: { type: 'string' },
    sequences: { type: 'string' },
  },
});

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  } catch {
    return 'unknown';
  }
}

async function runSeeds(parts: Parts, first: number, count: number): Promise<number> {
  const disks = new Disks();
  await disks.prepare(parts);
  const sums = { entries: 0, crashes: 0 };
  const startedAt = Date.now();
  let shownAt = 0;
  try {
    for (let seed = first; seed < first + count; seed += 1) {
      const plan = planOf(seed);
      const { problems, entries, crashes } = await simulate(plan, parts, disks);
      sums.entries += entries;
      sums.crashes += crashes;
      if (problems[0] !== undefined) {
        console.log(`\nseed ${seed} failed at commit ${commit()}:`);
        for (const { oracle, text } of problems) console.log(`  [${oracle}] ${text}`);
        const steps = await shrink(plan, problems[0].oracle, (smaller) => simulate(smaller, parts, disks));
        report(plan, steps);
        return 1;
      }
      if (Date.now() - shownAt < PROGRESS_EVERY_MS && seed + 1 < first + count) continue;
      shownAt = Date.now();
      const elapsed = ((shownAt - startedAt) / 1_000).toFixed(0);
      progress(`${seed + 1 - first} of ${count} seeds, ${sums.entries} entries, ${sums.crashes} crashes, ${elapsed} s`);
    }
  } finally {
    disks.dispose();
  }
  console.log(`\nno promise was broken (commit ${commit()}, seeds ${first} to ${first + count - 1})`);
  return 0;
}

/** The model tests of `server/tests/model`, at length. */
function runSequences(count: number): number {
  for (let done = 0; done < count; done += SEQUENCES_AT_ONCE) {
    const property = fc.property(sequenceOf(60), (steps) => runSequence(new EngineRun(), steps));
    const result = fc.check(property, { numRuns: Math.min(SEQUENCES_AT_ONCE, count - done) });
    if (result.failed) {
      console.log(`\nengine and model differ at commit ${commit()}:\n${fc.defaultReportMessage(result)}`);
      return 1;
    }
    progress(`${Math.min(done + SEQUENCES_AT_ONCE, count)} of ${count} sequences`);
  }
  console.log(`\nengine and model agree over ${count} sequences of up to 60 steps`);
  return 0;
}

function report({ seed, steps: all }: Plan, steps: readonly Step[]): void {
  console.log(`\nthe same oracle fails with ${steps.length} of ${all.length} steps:`);
  for (const step of steps) console.log(showStep(step));
  console.log(`\nrepeat it with: npm run sim -- --seed ${seed} --seeds 1`);
}

function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r${text}`);
  else console.log(text);
}

async function main(): Promise<number> {
  if (values.planted) return runPlanted(values.bug);
  const first = Number(values.seed ?? 1);
  const count = Number(values.seeds);
  if (values.bug !== undefined) return withBug(values.bug, (parts) => runSeeds(parts, first, count));
  const code = await runSeeds(await loadParts(), first, count);
  return code === 0 ? runSequences(Number(values.sequences ?? SEQUENCES_PER_SEED * count)) : code;
}

process.exit(await main());
