import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteLedger } from '../../server/src/ledger/sqlite/sqlite-ledger.ts';
import { Acknowledgements } from '../../server/src/recording/acknowledgements.ts';
import { CommandExecutor } from '../../server/src/recording/command-executor.ts';
import { EntryChecker } from '../../server/src/recording/entry-checker.ts';
import { Recorder } from '../../server/src/recording/recorder.ts';
import { restore } from '../../server/src/recording/restore.ts';
import { MemoryStockEngine } from '../../server/src/stock/memory/memory-stock-engine.ts';
import type { Installation } from './installation.ts';

/** Without projections and relay, as long as the composition lacks them. */
export async function openByHand(folder: string): Promise<Installation> {
  mkdirSync(folder, { recursive: true });
  const engine = new MemoryStockEngine(Date.now);
  const ledger = await SqliteLedger.open(join(folder, 'ledger.db'));
  const acknowledgements = new Acknowledgements();
  const nothing = { async *image() {} };
  const reload = () => restore(engine, ledger, nothing, Date.now());
  const recorder = new Recorder({
    engine,
    ledger,
    acknowledgements,
    checker: new EntryChecker(),
    reload,
    now: () => performance.now(),
    events: {
      recorded() {},
      duplicated() {},
      committed() {},
      halted: (reason) => console.error(reason),
      fatal: (reason) => console.error(reason),
    },
  });
  recorder.start(await reload());
  const executor = new CommandExecutor({ engine, ledger, acknowledgements, findProjectedHold: async () => null });
  return {
    engine,
    executor,
    projectionLag: async () => 0,
    stop: async () => {
      await engine.close();
      await recorder.stop();
      await ledger.close();
    },
  };
}
