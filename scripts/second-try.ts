/** What the suites' reports say, and which files are run once more by themselves before they count as failed. */
import { relative } from 'node:path';

export interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: FileResult[];
}

export interface FileResult {
  /** The whole path of the file. */
  name: string;
  status: string;
  assertionResults: { status: string; fullName: string }[];
}

export interface Counts {
  passed: number;
  failed: number;
}

/** More files than this do not fail because the machine was busy. */
const FILES_MAX = 3;
/** What fails in these is told at once: the machine has no part in it, or another try would draw other inputs. */
const FIRST_TRY_ONLY = /^server\/tests\/(conformance|model|races|reconciliation|scenarios|simulation|stock|tidy)\//;
const DRAWS_INPUTS = /from 'fast-check'/;

/**
 * Suites that kill, stall and restart real servers need time that a busy machine may not give them. A few such files that
 * failed are run again, alone. @returns their paths from the root; none: all failures stand
 */
export function secondTries(report: VitestReport, root: string, readFile: (path: string) => string): string[] {
  const failed = report.testResults.filter(({ status }) => status === 'failed');
  const paths = failed.map(({ name }) => relative(root, name));
  const mayPass = (path: string) => !FIRST_TRY_ONLY.test(path) && !DRAWS_INPUTS.test(readFile(path));
  return failed.length <= FILES_MAX && paths.every(mayPass) ? paths : [];
}

export function countsOf({ numPassedTests, numFailedTests, testResults }: VitestReport): Counts {
  const broken = testResults.filter((file) => file.status === 'failed' && !file.assertionResults.some(hasFailed));
  return { passed: numPassedTests, failed: numFailedTests + broken.length };
}

/** Of a run whose failed files were run again. */
export function countsAfter(first: VitestReport, second: VitestReport): Counts {
  const again = new Set(second.testResults.map(({ name }) => name));
  const kept = first.testResults.filter(({ name }) => !again.has(name)).flatMap((file) => file.assertionResults);
  const { passed, failed } = countsOf(second);
  return {
    passed: passed + kept.filter(({ status }) => status === 'passed').length,
    failed: failed + kept.filter(hasFailed).length,
  };
}

/** The tests that failed at first and passed alone: people are to look at them. */
export function unsteady(first: VitestReport, second: VitestReport): string[] {
  const passed = new Set(
    second.testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.filter(({ status }) => status === 'passed').map(({ fullName }) => `${name} > ${fullName}`),
    ),
  );
  const failed = first.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.filter(hasFailed).map(({ fullName }) => `${name} > ${fullName}`),
  );
  return failed.filter((name) => passed.has(name));
}

function hasFailed({ status }: { status: string }): boolean {
  return status === 'failed';
}
