/** Which real servers this machine has, and suites that need them. */

import { appendFileSync } from 'node:fs';
import { describe, type TestOptions } from 'vitest';
import type { ServerKind } from '../../../../infra/local-server.ts';
import { lackOf } from '../../../../infra/programs/programs.ts';
import { ROOT } from './test-server.ts';

/**
 * `describe` for a suite that needs real servers. Where the machine cannot have one, the suite is left out, and the
 * summary of the run names it.
 */
export function describeWith(
  kinds: ServerKind[],
  name: string,
  suite: () => void | Promise<void>,
  options: TestOptions = {},
): void {
  const lacks = kinds.flatMap((kind) => {
    const lack = lackOf(kind, ROOT);
    return lack === undefined ? [] : [`${kind}: ${lack}`];
  });
  if (lacks.length > 0) leaveOut(`${name} (needs ${lacks.join('; ')})`);
  describe.skipIf(lacks.length > 0)(name, options, suite);
}

function leaveOut(line: string): void {
  const report = process.env.HOLDFAST_TEST_LEFT_OUT;
  if (report) appendFileSync(report, `${line}\n`);
  else console.error(`left out: ${line}`);
}
