/**
 * `npm run sim -- --seeds 1000` runs that many seeds; `--seed N` one, or begins there. A seed that fails is shrunk and
 * printed with the commit and the command that repeats it. `--planted` plants bugs and wants each of them caught.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Disks } from './disk.ts';
import { loadParts } from './parts.ts';
import { planOf, showStep } from './plan.ts';
import { runPlanted } from './run-planted.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';

const PROGRESS_EVERY_MS = 1_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    planted: { type: 'boolean', default: false },
    bug: { type: 'string' },
  },
});

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  } catch {
    return 'unknown';
  }
}

async function runSeeds(first: number, count: number): Promise<number> {
  const parts = await loadParts();
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
      if (problems.length > 0) {
        console.log(`\nseed ${seed} failed at commit ${commit()}:`);
        for (const { oracle, text } of problems) console.log(`  [${oracle}] ${text}`);
        const steps = await shrink(plan, problems[0]?.oracle ?? '', (smaller) => simulate(smaller, parts, disks));
        console.log(`\nthe same oracle fails with ${steps.length} of ${plan.steps.length} steps:`);
        for (const step of steps) console.log(showStep(step));
        console.log(`\nrepeat it with: npm run sim -- --seed ${seed} --seeds 1`);
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

function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r${text}`);
  else console.log(text);
}

const first = Number(values.seed ?? 1);
const code = values.planted ? await runPlanted(values.bug) : await runSeeds(first, Number(values.seeds));
process.exit(code);
