/**
 * The engines that this run tests. `HOLDFAST_TEST_ENGINES` names those that must be there (default: memory); the
 * suites fail when one of them ran nothing.
 */
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import type { EmbeddedEngine } from '../../src/stock/stock-engine.ts';

export interface EngineAdapter {
  name: string;
  /** A fresh, empty engine; `now` gives epoch milliseconds. */
  create(now: () => number): Promise<EmbeddedEngine>;
}

const adapters: EngineAdapter[] = [{ name: 'memory', create: async (now) => new MemoryStockEngine(now) }];

export function requestedEngines(): EngineAdapter[] {
  const names = (process.env.HOLDFAST_TEST_ENGINES ?? 'memory').split(',').map((name) => name.trim());
  return names.map((name) => {
    const adapter = adapters.find((candidate) => candidate.name === name);
    if (adapter === undefined) throw new Error(`HOLDFAST_TEST_ENGINES names ${name}, which has no adapter here`);
    return adapter;
  });
}
