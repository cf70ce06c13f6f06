/** Runs a scenario table against a pipeline: every row's answer is compared as text with what the row expects. */
import { hash } from 'node:crypto';
import { expect } from 'vitest';
import type { Execution } from '../../src/recording/command-executor.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { newReservationId, partitionOf, partitionOfReservation } from '../../src/stock/identifiers.ts';
import type { CommandPipeline } from '../conformance/command-pipeline.ts';
import {
  commandOf,
  durationMs,
  type Names,
  parseRows,
  type Row,
  showExecution,
  showHold,
  showLevel,
} from './scenario-language.ts';

/** What the rows brought out: `reserve insufficient`, for the check that every outcome has a row. */
export type Coverage = Set<string>;

const OTHER_ROWS = new Set(['tick', 'sweep', 'restart', 'hold', 'totals', 'entries']);

export class ScenarioRun {
  readonly #pipeline: CommandPipeline;
  readonly #coverage: Coverage;
  readonly #hqId: string;
  readonly #reservations = new Map<string, string>();
  #operations = 0;

  constructor(pipeline: CommandPipeline, coverage: Coverage, title: string) {
    this.#pipeline = pipeline;
    this.#coverage = coverage;
    this.#hqId = `HQ-${hash('sha256', title, 'hex').slice(0, 12)}`;
  }

  async run(table: string): Promise<void> {
    for (const row of parseRows(table)) {
      const answer = await this.#runRow(row);
      if (row.expected === null && answer !== null) expect.fail(`no expectation in row: ${row.text} (${answer})`);
      if (row.expected !== null) expect(answer, row.text).toBe(row.expected);
    }
    expect(this.#pipeline.failures.splice(0)).toEqual([]);
  }

  async #runRow(row: Row): Promise<string | null> {
    if (row.operation.includes('/')) return this.#showLevel(row);
    if (!OTHER_ROWS.has(row.operation)) return this.#execute(row);
    const [name = ''] = row.words;
    switch (row.operation) {
      case 'tick':
        this.#pipeline.nowMs += durationMs(name);
        return null;
      case 'sweep':
        return this.#sweep();
      case 'restart':
        await this.#pipeline.restart();
        return null;
      case 'hold':
        return showHold(await this.#pipeline.findHold(this.#hqId, this.#reservationId(name)));
      case 'totals': {
        const totals = await this.#pipeline.engine.totals(this.#hqId, name);
        return totals === null ? 'unknown' : `${totals.onHand} on hand, ${totals.reserved} reserved`;
      }
      default:
        return String((await this.#entries()).length);
    }
  }

  async #showLevel({ operation, options }: Row): Promise<string> {
    const [storeId = '', productId = ''] = operation.split('/');
    const [level] = await this.#pipeline.engine.levels(this.#hqId, [{ storeId, productId }]);
    const shown = showLevel(level ?? null);
    return options.has('with') && level ? `${shown}, version ${level.version}, low ${level.lowThreshold}` : shown;
  }

  async #sweep(): Promise<string> {
    const before = await this.#entries();
    await this.#pipeline.sweep();
    const after = (await this.#entries()).slice(before.length);
    for (const entry of after) this.#covered(entry.command, entry.outcome.status);
    return `${after.reduce((sum, entry) => sum + entry.holds.length, 0)} expired`;
  }

  async #execute(row: Row): Promise<string> {
    const hqId = row.options.get('hq') === 'other' ? `${this.#hqId}-other` : this.#hqId;
    const entries = row.operation === 'count' ? await this.#entries() : [];
    const command = commandOf(row, this.#names(entries));
    this.#operations += 1;
    const id = row.options.get('id') ?? `op-${this.#operations}`;
    const body =
      row.options.get('body') ??
      row.text
        .split('|')[0]
        ?.replace(/\bid=\S+/, '')
        .replace(/\s+/g, ' ')
        .trim();
    const execution = await this.#pipeline.execute({
      hqId,
      operationId: id === 'none' ? null : id,
      fingerprint: id === 'none' ? null : hash('sha256', body ?? '', 'hex'),
      command,
    });
    this.#remember(command, execution);
    return showExecution(execution);
  }

  #remember(command: Command, execution: Execution): void {
    if (execution.status === 'observed') this.#covered(command, execution.outcome.status);
    if (execution.status === 'recorded') this.#covered(execution.entry.command, execution.entry.outcome.status);
    this.#coverage.add(
      execution.status === 'recorded' && execution.replayed ? 'answer replayed' : `answer ${execution.status}`,
    );
  }

  #covered(command: Command, status: string): void {
    this.#coverage.add(`${command.type} ${status}`);
  }

  #names(entries: Entry[]): Names {
    return {
      reservationId: (name) => this.#reservationId(name),
      historyAt: (storeId, productId, at) => onHandThen(entries, storeId, productId, at),
      nowMs: this.#pipeline.nowMs,
    };
  }

  /** Names that look like reservation ids stand for themselves. */
  #reservationId(name: string): string {
    if (partitionOfReservation(name) !== null || name === 'nonsense') return name;
    let id = this.#reservations.get(name);
    if (id === undefined) {
      id = newReservationId(partitionOf(this.#hqId));
      this.#reservations.set(name, id);
    }
    return id;
  }

  async #entries(): Promise<Entry[]> {
    const entries = await this.#pipeline.entries(this.#hqId);
    return entries.filter((entry) => entry.hqId === this.#hqId);
  }
}

/** `recording.md`, rule 19: what was on hand then, with the differences of counts booked later but taken before. */
function onHandThen(
  entries: readonly Entry[],
  storeId: string,
  productId: string,
  at: number,
): ReturnType<Names['historyAt']> {
  let onHand = 0;
  let last: { countedAt: number; seq: number } | null = null;
  for (const entry of entries) {
    const countedAt = entry.outcome.status === 'counted' ? entry.outcome.countedAt : entry.at;
    for (const line of entry.lines) {
      const level = entry.read.levels[line.level];
      if (level?.storeId !== storeId || level.productId !== productId) continue;
      if (countedAt <= at) onHand += line.onHandChange;
      if (entry.outcome.status === 'counted') last = { countedAt, seq: entry.seq };
    }
  }
  return { onHand, last };
}
