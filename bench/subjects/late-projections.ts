import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteLedger } from '../../server/src/ledger/sqlite/sqlite-ledger.ts';
import type { Projections } from '../../server/src/projections/projections.ts';
import { openSqliteProjections } from '../../server/src/projections/sqlite/sqlite-projections.ts';
import { Acknowledgements } from '../../server/src/recording/acknowledgements.ts';
import { CommandExecutor } from '../../server/src/recording/command-executor.ts';
import { EntryChecker } from '../../server/src/recording/entry-checker.ts';
import { Recorder } from '../../server/src/recording/recorder.ts';
import { type ImageSource, restore } from '../../server/src/recording/restore.ts';
import { MemoryStockEngine } from '../../server/src/stock/memory/memory-stock-engine.ts';
import type { Installation } from './installation.ts';

export interface LateProjections extends Installation {
  /** From now on what was recorded is projected. */
  startProjecting(): Promise<void>;
}

/** No image: the engine replays every entry. */
const NOTHING_PROJECTED: ImageSource = { async *image() {} };

/**
 * An installation whose projector starts when it is told to. In production the engine is filled once the projector
 * is near the ledger's end, so a backlog of a million entries cannot be had from the start.
 */
export async function openWithoutProjecting(folder: string): Promise<LateProjections> {
  mkdirSync(folder, { recursive: true });
  const engine = new MemoryStockEngine(Date.now);
  const ledgerFile = join(folder, 'ledger.db');
  const ledger = await SqliteLedger.open(ledgerFile);
  const acknowledgements = new Acknowledgements();
  const reload = () => restore(engine, ledger, NOTHING_PROJECTED, Date.now());
  const committed = { commits: 0, entries: 0 };
  let projections: Projections | null = null;
  const recorder = new Recorder({
    engine,
    ledger,
    acknowledgements,
    checker: new EntryChecker(),
    reload,
    now: () => performance.now(),
    events: {
      recorded: (head) => projections?.wake(head.partition, head.seq),
      duplicated: () => undefined,
      committed: ({ entries }) => {
        committed.commits += 1;
        committed.entries += entries;
      },
      halted: (reason) => console.error(reason),
      fatal: (reason) => console.error(reason),
    },
  });
  recorder.start(await reload());
  return {
    engine,
    executor: new CommandExecutor({ engine, ledger, acknowledgements, findProjectedHold: async () => null }),
    projectionLag: async () => projections?.lag() ?? 0,
    commits: async () => ({ ...committed }),
    startProjecting: async () => {
      projections = await openSqliteProjections({
        ledger,
        file: join(folder, 'projections.db'),
        ledgerFile,
        recordedSeq: (partition) => acknowledgements.recordedSeq(partition),
        log: { info: () => undefined, error: (message) => console.error(message) },
      });
      for (const { partition, seq } of await ledger.heads()) if (seq > 0) projections.wake(partition, seq);
    },
    stop: async () => {
      await engine.close();
      await recorder.stop();
      await projections?.close();
      await ledger.close();
    },
  };
}
