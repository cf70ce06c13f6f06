/** A short run of the simulation, as `npm run sim` does it, and the proof that it can fail. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SEEDS = 100;

function run(...args: string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
  });
  return { code: status, text: `${stdout}\n${stderr}` };
}

// Other seeds each day: what a usual run has seen once it need not see again.
const firstSeed = Math.floor(Date.now() / 86_400_000) * SEEDS;

it(`keeps its promises over ${SEEDS} seeds`, () => {
  const { code, text } = run('--seeds', String(SEEDS), '--seed', String(firstSeed));
  expect(text).toContain('no promise was broken');
  expect(code).toBe(0);
}, 120_000);

it('prints a failing seed with its commit, what failed, few steps and how to repeat it', () => {
  const { code, text } = run('--bug', 'answered before the commit', '--seeds', '5');
  expect(code).toBe(1);
  expect(text).toMatch(/seed 1 failed at commit [0-9a-f]{7}/);
  expect(text).toContain('[acknowledged is recorded]');
  expect(text).toMatch(/fails with \d of \d+ steps/);
  expect(text).toContain('npm run sim -- --seed 1 --seeds 1');
}, 120_000);

it('catches every planted bug', () => {
  const { code, text } = run('--planted');
  expect(text).not.toContain('NOT CAUGHT');
  expect(code).toBe(0);
}, 300_000);
