// The whole check of this repository, as `npm test` and CI run it: types, lint, then the suites. Ends with the line
// `N passed, N failed` on stdout, in which a failed check of types or lint counts as one failure.
//
//   npm test                                       everything
//   npm test -- server/tests/tidy [-t name …]      only some suites: what follows goes to `vitest run` as it is
//
// Suites of servers that this machine cannot have are left out, and named in lines before the last one: `left out: …`.
//
// HOLDFAST_TEST_SUMMARY names a file that gets the last line too. With HOLDFAST_TEST_COMPLETE=1 a suite that is left out
// counts as a failure.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  passed: number;
  failed: number;
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

const root = join(import.meta.dirname, '..');
const inModules = (path: string) => join(root, 'node_modules', path);
const TYPECHECK = [inModules('typescript/bin/tsc'), '-p', 'tsconfig.json'];
const LINT = [inModules('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings'];
const VITEST = [inModules('vitest/vitest.mjs'), 'run'];

/** Runs a program under this Node with its output streamed; the exit code, 1 if a signal ended it. */
function run(args: string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    const stop = () => child.kill('SIGTERM');
    process.once('exit', stop);
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code) => {
      process.removeListener('exit', stop);
      resolve(code ?? 1);
    });
  });
}

async function check(name: string, args: string[]): Promise<Counts> {
  console.log(`# ${name}`);
  return { passed: 0, failed: (await run(args)) === 0 ? 0 : 1 };
}

async function suites(filters: string[]): Promise<Counts> {
  console.log('# tests');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  try {
    const report = join(folder, 'report.json');
    const leftOut = join(folder, 'left-out.txt');
    process.env.HOLDFAST_TEST_LEFT_OUT = leftOut;
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await run([...VITEST, ...reporters, ...filters]);
    const counts = existsSync(report) ? countsOf(JSON.parse(readFileSync(report, 'utf8'))) : { passed: 0, failed: 0 };
    // An error outside any test, such as an unhandled rejection, fails the run without failing a test.
    const failed = code === 0 ? counts.failed : Math.max(1, counts.failed);
    return { passed: counts.passed, failed: failed + nameLeftOut(leftOut) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Prints what was left out; how many failures that makes. */
function nameLeftOut(report: string): number {
  const lines = existsSync(report) ? new Set(readFileSync(report, 'utf8').trimEnd().split('\n')) : new Set<string>();
  for (const line of lines) console.log(`left out: ${line}`);
  return process.env.HOLDFAST_TEST_COMPLETE === '1' ? lines.size : 0;
}

function countsOf(report: VitestReport): Counts {
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((result) => result.status === 'failed'),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length };
}

async function main(args: string[]): Promise<number> {
  const parts: Counts[] = [];
  if (args.length === 0) {
    parts.push(await check('types', TYPECHECK));
    parts.push(await check('lint', LINT));
  }
  parts.push(await suites(args));
  const failed = parts.reduce((sum, part) => sum + part.failed, 0);
  const passed = parts.reduce((sum, part) => sum + part.passed, 0);
  const summary = `${passed} passed, ${failed} failed`;
  if (process.env.HOLDFAST_TEST_SUMMARY) writeFileSync(process.env.HOLDFAST_TEST_SUMMARY, `${summary}\n`);
  console.log(summary);
  return failed === 0 ? 0 : 1;
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(code));
}
process.exitCode = await main(process.argv.slice(2));
