/**
 * Writes what the sessions print now into their pages:
 *
 *   node server/tests/docs/update-sessions.ts [page …]
 *
 * Blocks that are as printed already, and those with a `…`, are left as they are.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPage, root } from './markdown.ts';
import { sessions } from './pages.ts';
import { differences, isAsPrinted, isServerStep, runSteps, type StepResult, startServer, stepsOf } from './session.ts';

const WIDTH = 118;

/** A line of JSON with spaces, broken between its members where it is too long. */
function pretty(line: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof value !== 'object' || value === null) return line;
  const words = spaced(value).split(/(?<=,) /);
  const lines = [''];
  for (const word of words) {
    const last = lines.at(-1) as string;
    const joined = last === '' ? word : `${last} ${word}`;
    if (joined.length <= WIDTH) lines[lines.length - 1] = joined;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[ ${value.map(spaced).join(', ')} ]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${spaced(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function updated(markdown: string, results: readonly StepResult[]): string {
  const lines = markdown.split('\n');
  for (const { step, output } of results.toReversed()) {
    const { expected, expectedLine } = step;
    if (expected === null || expected.includes('…') || isAsPrinted(expected, output)) continue;
    const printed = output.trimEnd().replaceAll('\r', '').split('\n');
    const shown = isServerStep(step) ? printed : printed.flatMap((line) => pretty(line).split('\n'));
    lines.splice(expectedLine - 1, expected.split('\n').length - 1, ...shown);
  }
  return lines.join('\n');
}

const wanted = process.argv.slice(2);
for (const pages of sessions) {
  if (wanted.length > 0 && !pages.some((page) => wanted.includes(page))) continue;
  const server = await startServer();
  try {
    const steps = pages.map((page) => stepsOf(readPage(page)));
    const results = await runSteps(server, steps.flat());
    for (const [index, page] of pages.entries()) {
      const own = results.splice(0, steps[index]?.length ?? 0);
      const text = updated(readPage(page), own);
      writeFileSync(join(root, page), text);
      console.log(`${page}: ${own.length} steps`);
      const now = stepsOf(text);
      const left = own.map((result, position) => ({ ...result, step: now[position] ?? result.step }));
      for (const problem of differences(page, left)) console.log(problem);
    }
  } finally {
    await server.stop();
  }
}
