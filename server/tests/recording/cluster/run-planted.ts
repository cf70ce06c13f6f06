/** Plants each bug of the list in a copy of the sources, and says whether the test that must find it fails there. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PlantedBug, plantedBugs } from './planted-bugs.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const COPY = join(ROOT, '.infra', `planted-${process.pid}`);
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');
const CONFIG = `export default { test: { include: ['server/tests/**/*.test.ts'], testTimeout: 20_000 } };\n`;

/** True: the suite fails with the bug in it. */
function isCaught({ name, file, find, replace, suite, tests }: PlantedBug): boolean {
  const path = join(COPY, 'server', file);
  const text = readFileSync(path, 'utf8');
  if (text.split(find).length !== 2)
    throw new Error(`"${name}" cannot be planted: ${file} does not hold once: ${find}`);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  try {
    return run(suite, tests) !== 0;
  } finally {
    writeFileSync(path, text);
  }
}

function run(suite: string, tests: string): number | null {
  const args = ['run', '--root', COPY, `server/tests/recording/cluster/${suite}.test.ts`, '-t', tests];
  const { status, stdout, stderr } = spawnSync(process.execPath, [VITEST, ...args], { encoding: 'utf8' });
  // Nothing that ran proves nothing.
  if (!/Tests .*\d+ (passed|failed)/.test(stdout))
    throw new Error(`"${tests}" named no test of ${suite}:\n${stdout}${stderr}`);
  return status;
}

const wanted = process.argv[2] ?? '';
const bugs = plantedBugs.filter(({ name }) => name.includes(wanted));
let missed = 0;
try {
  mkdirSync(COPY, { recursive: true });
  cpSync(join(ROOT, 'server'), join(COPY, 'server'), { recursive: true });
  cpSync(join(ROOT, 'infra'), join(COPY, 'infra'), { recursive: true });
  for (const file of ['package.json', 'tsconfig.base.json']) cpSync(join(ROOT, file), join(COPY, file));
  writeFileSync(join(COPY, 'vitest.config.ts'), CONFIG);
  for (const bug of bugs) {
    const caught = isCaught(bug);
    missed += caught ? 0 : 1;
    console.log(`${caught ? 'caught    ' : 'NOT CAUGHT'}  ${bug.name}  (${bug.suite}, ${bug.tests})`);
  }
} finally {
  rmSync(COPY, { recursive: true, force: true });
}
console.log(`\n${bugs.length - missed} of ${bugs.length} planted bugs were caught`);
process.exitCode = missed === 0 ? 0 : 1;
