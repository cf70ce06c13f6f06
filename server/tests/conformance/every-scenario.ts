/**
 * What every engine must do, behind the real recorder and ledger: the scenario tables, each in an HQ of its own, and a
 * final check that no outcome of no command is without a row.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EVERY_ANSWER, EVERY_OUTCOME } from '../scenarios/every-outcome.ts';
import { type Coverage, ScenarioRun } from '../scenarios/run-scenario.ts';
import { countScenarios } from '../scenarios/tables/count-scenarios.ts';
import { movementScenarios } from '../scenarios/tables/movement-scenarios.ts';
import { orderScenarios } from '../scenarios/tables/order-scenarios.ts';
import { replayScenarios } from '../scenarios/tables/replay-scenarios.ts';
import { reservationScenarios } from '../scenarios/tables/reservation-scenarios.ts';
import type { CommandPipeline } from './command-pipeline.ts';
import { everyOrderOrItsCancellation } from './order-marks.ts';

const scenarios = {
  ...movementScenarios,
  ...countScenarios,
  ...reservationScenarios,
  ...replayScenarios,
  ...orderScenarios,
};

export function everyScenario(open: () => Promise<CommandPipeline>): void {
  const coverage: Coverage = new Set();
  let pipeline: CommandPipeline;
  let scenariosRun = 0;

  beforeAll(async () => {
    pipeline = await open();
    await pipeline.start();
  });
  afterAll(() => pipeline.dispose());

  it.each(Object.entries(scenarios))('%s', async (title, table) => {
    scenariosRun += 1;
    await new ScenarioRun(pipeline, coverage, title).run(table);
  });

  it('gives an id to an order or to its cancellation, when both come at once', () =>
    everyOrderOrItsCancellation(pipeline));

  it('has brought out every outcome of every command, and every kind of answer', () => {
    const wanted = Object.entries(EVERY_OUTCOME).flatMap(([type, statuses]) =>
      statuses.map((status) => `${type} ${status}`),
    );
    expect(scenariosRun).toBe(Object.keys(scenarios).length);
    expect([...wanted, ...EVERY_ANSWER].filter((each) => !coverage.has(each))).toEqual([]);
    expect([...coverage].filter((each) => ![...wanted, ...EVERY_ANSWER].includes(each))).toEqual([]);
  });
}
