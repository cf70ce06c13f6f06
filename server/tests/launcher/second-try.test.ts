import { describe, expect, it } from 'vitest';
import { countsAfter, countsOf, secondTries, unsteady, type VitestReport } from '../../../scripts/second-try.ts';

const ROOT = '/checkout';
const STEADY = 'server/tests/http/stock.test.ts';
const KILLS = 'server/tests/http/cluster/outages.test.ts';

type Statuses = Record<string, Record<string, 'passed' | 'failed' | 'skipped'>>;

function reportOf(files: Statuses): VitestReport {
  const testResults = Object.entries(files).map(([path, tests]) => {
    const assertionResults = Object.entries(tests).map(([fullName, status]) => ({ fullName, status }));
    const failed = assertionResults.some(({ status }) => status === 'failed') || assertionResults.length === 0;
    return { name: `${ROOT}/${path}`, status: failed ? 'failed' : 'passed', assertionResults };
  });
  const count = (of: string) =>
    testResults.flatMap((file) => file.assertionResults).filter(({ status }) => status === of).length;
  return { numPassedTests: count('passed'), numFailedTests: count('failed'), testResults };
}

const tries = (files: Statuses, text = '') => secondTries(reportOf(files), ROOT, () => text);

describe('a second try', () => {
  const first = reportOf({ [STEADY]: { a: 'passed', b: 'skipped' }, [KILLS]: { c: 'failed', d: 'passed' } });

  it('is given to whole files, a few of them', () => {
    expect(tries({ [STEADY]: { a: 'passed' }, [KILLS]: { c: 'failed' } })).toEqual([KILLS]);
    const four = Object.fromEntries([1, 2, 3, 4].map((index) => [`server/tests/http/${index}.test.ts`, {}]));
    expect(tries(four)).toEqual([]);
  });

  it('is given to none where one of them has no need of time, or would draw other inputs', () => {
    const path = 'server/tests/model/redis-stock-model.test.ts';
    expect(tries({ [KILLS]: { c: 'failed' }, [path]: { e: 'failed' } })).toEqual([]);
    expect(tries({ [KILLS]: { c: 'failed' } }, "import fc from 'fast-check';")).toEqual([]);
  });

  it('counts instead of the first one, and names what passed only then', () => {
    const second = reportOf({ [KILLS]: { c: 'passed', d: 'passed' } });
    expect(countsOf(first)).toEqual({ passed: 2, failed: 1 });
    expect(countsAfter(first, second)).toEqual({ passed: 3, failed: 0 });
    expect(unsteady(first, second)).toEqual([`${ROOT}/${KILLS} > c`]);
  });

  it('that fails too is a failure, a file that ran no test among them', () => {
    const second = reportOf({ [KILLS]: { c: 'failed', d: 'failed' } });
    expect(countsAfter(first, second)).toEqual({ passed: 1, failed: 2 });
    expect(unsteady(first, second)).toEqual([]);
    expect(countsAfter(first, reportOf({ [KILLS]: {} }))).toEqual({ passed: 1, failed: 1 });
  });
});
