/** `bench/results/<name>.json`, and the page that is made of all of them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, BenchOptions, BenchResult, Figure } from './benchmark.ts';
import { showFigure, showMs, showRate } from './format.ts';
import type { Machine } from './machine.ts';
import type { Summary } from './sample.ts';

export interface StoredResult extends BenchResult {
  name: string;
  title: string;
  date: string;
  rounds: number;
  machine: Machine;
}

export function storedResult(
  benchmark: Benchmark,
  options: BenchOptions,
  machine: Machine,
  result: BenchResult,
): StoredResult {
  const { name, title } = benchmark;
  return { name, title, date: new Date().toISOString(), rounds: options.rounds, machine, ...result };
}

export function writeResult(folder: string, result: StoredResult, chart: string | undefined): void {
  mkdirSync(folder, { recursive: true });
  if (chart !== undefined) writeFileSync(join(folder, chartOf(result.name)), chart);
  writeFileSync(join(folder, `${result.name}.json`), `${JSON.stringify(rounded(result), null, 2)}\n`);
}

const chartOf = (name: string) => `${name}.svg`;

/** More digits than were measured only make two runs look different. */
function rounded(result: StoredResult): unknown {
  return JSON.parse(JSON.stringify(result), (_key, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value,
  );
}

/** Regenerates the readable page from the JSON files, in the order of `names`. */
export function writePage(folder: string, names: readonly string[]): void {
  const results = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as StoredResult)
    .sort((one, other) => names.indexOf(one.name) - names.indexOf(other.name));
  const charts = new Set(names.filter((name) => existsSync(join(folder, chartOf(name)))));
  writeFileSync(join(folder, 'README.md'), page(results, charts));
}

function page(results: readonly StoredResult[], charts: ReadonlySet<string>): string {
  const figures = results.flatMap(({ name, figures: found }) => found.map((figure) => figureRow(name, figure)));
  return `# Figures

Written by \`npm run bench\` from the JSON files beside it; do not edit. A speed is a ratio against a reference that was
measured in the same run on the same machine, round by round in turn; medians. What each one means: [bench](../README.md).

| bench | figure | reached | required | |
|---|---|---|---|---|
${figures.join('\n')}

${results.map((result) => section(result, charts.has(result.name))).join('\n')}`;
}

function figureRow(name: string, { name: figure, reached, required, compare, unit, pass }: Figure): string {
  return `| [\`${name}\`](#${name}) | ${figure} | **${showFigure(reached, unit)}** | ${compare} ${showFigure(required, unit)} | ${pass ? '✓' : '✗ missed'} |`;
}

function section({ name, title, date, rounds, machine, summaries, remarks }: StoredResult, hasChart: boolean): string {
  const { cpu, cores, memoryGiB, os, fsyncMs, node, sqlite, commit } = machine;
  return `## ${name}

${title}
${hasChart ? `\n![${title}](${chartOf(name)})\n` : ''}
| | per second (median) | min–max | p50 | p99 | p99.9 | longest pause | cores | memory |
|---|---|---|---|---|---|---|---|---|
${summaries.map(summaryRow).join('\n')}

${remarks.map((remark) => `- ${remark}\n`).join('')}
${rounds} rounds on ${date.slice(0, 10)} at ${commit}: ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${os}, Node ${node}, SQLite ${sqlite}; a durable write of 4 KiB takes ${showMs(fsyncMs.p50)} ms (p99 ${showMs(fsyncMs.p99)}).
`;
}

function summaryRow({ name, unit, perSecond, latencyMs, pausesMs, cores, residentMiB }: Summary): string {
  const latency =
    latencyMs === null ? ['', '', ''] : [latencyMs.p50, latencyMs.p99, latencyMs.p999].map((ms) => `${showMs(ms)} ms`);
  const pause = pausesMs === null ? '' : `${showMs(pausesMs.max)} ms`;
  const cells = [
    name,
    `**${showRate(perSecond.median)}** ${unit}`,
    `${showRate(perSecond.min)}–${showRate(perSecond.max)}`,
    ...latency,
  ];
  return `| ${[...cells, pause, cores.toFixed(2), `${Math.round(residentMiB)} MiB`].join(' | ')} |`;
}

/** The same on a terminal, at the end of a benchmark. */
export function showResult({ summaries, figures, remarks }: StoredResult): string {
  const width = Math.max(...summaries.map(({ name }) => name.length));
  const lines = summaries.map((summary) => `  ${summary.name.padEnd(width)}  ${summaryLine(summary)}`);
  const notes = summaries.flatMap(({ name, notes: found }) =>
    Object.entries(found).map(([note, value]) => `  ${name}: ${note} ${showFigure(value, '')}`),
  );
  const passes = figures.map(
    ({ name, reached, required, compare, unit, pass }) =>
      `  ${pass ? 'reached' : 'MISSED '}  ${name}: ${showFigure(reached, unit)}, ${compare} ${showFigure(required, unit)}`,
  );
  return [...lines, ...notes, ...remarks.map((remark) => `  ${remark}`), ...passes].join('\n');
}

function summaryLine({ unit, perSecond, latencyMs, pausesMs, cores, residentMiB }: Summary): string {
  const { median, min, max } = perSecond;
  const latency =
    latencyMs === null
      ? ''
      : `  p50 ${showMs(latencyMs.p50)}  p99 ${showMs(latencyMs.p99)}  p99.9 ${showMs(latencyMs.p999)} ms`;
  const pauses = pausesMs === null ? '' : `  pauses p99.9 ${showMs(pausesMs.p999)}, longest ${showMs(pausesMs.max)} ms`;
  return `${showRate(median)} ${unit}/s (${showRate(min)}–${showRate(max)})${latency}${pauses}  ${cores.toFixed(2)} cores  ${Math.round(residentMiB)} MiB`;
}
