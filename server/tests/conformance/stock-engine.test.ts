/** Every scenario, behind each embedded engine and the SQLite ledger. */
import { describe } from 'vitest';
import { requestedEngines } from './engine-adapters.ts';
import { everyScenario } from './every-scenario.ts';
import { Pipeline } from './pipeline.ts';

describe.each(requestedEngines())('the $name engine', (adapter) => {
  everyScenario(async () => new Pipeline(adapter));
});
