/**
 * What every engine must do, behind the real recorder and ledger: the scenario tables, each in an HQ of its own, and a
 * final check that no outcome of no command is without a row.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVERY_ANSWER, EVERY_OUTCOME } from '../scenarios/every-outcome.ts';
import { type Coverage, ScenarioRun } from '../scenarios/run-scenario.ts';
import { countScenarios } from '../scenarios/tables/count-scenarios.ts';
import { movementScenarios } from '../scenarios/tables/movement-scenarios.ts';
import { replayScenarios } from '../scenarios/tables/replay-scenarios.ts';
import { reservationScenarios } from '../scenarios/tables/reservation-scenarios.ts';
import { requestedEngines } from './engine-adapters.ts';
import { Pipeline } from './pipeline.ts';

const scenarios = { ...movementScenarios, ...countScenarios, ...reservationScenarios, ...replayScenarios };

describe.each(requestedEngines())('the $name engine', (adapter) => {
  const coverage: Coverage = new Set();
  const pipeline = new Pipeline(adapter);
  let scenariosRun = 0;

  beforeAll(() => pipeline.start());
  afterAll(() => pipeline.dispose());

  it.each(Object.entries(scenarios))('%s', async (title, table) => {
    scenariosRun += 1;
    await new ScenarioRun(pipeline, coverage, title).run(table);
  });

  it('has brought out every outcome of every command, and every kind of answer', () => {
    const wanted = Object.entries(EVERY_OUTCOME).flatMap(([type, statuses]) =>
      statuses.map((status) => `${type} ${status}`),
    );
    expect(scenariosRun).toBe(Object.keys(scenarios).length);
    expect([...wanted, ...EVERY_ANSWER].filter((each) => !coverage.has(each))).toEqual([]);
    expect([...coverage].filter((each) => ![...wanted, ...EVERY_ANSWER].includes(each))).toEqual([]);
  });
});
