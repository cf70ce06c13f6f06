/** What callers are told when a batch goes wrong while others of theirs are on their way. */
import { expect, it } from 'vitest';
import type { Ledger, RecordResult } from '../../src/ledger/ledger.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor } from '../../src/recording/command-executor.ts';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import { emptyHeads, HQ, requestOf, reserveOf, stocked } from '../stock/requests.ts';

/** A recorder whose ledger answers when the test says so. */
function recording() {
  const engine = new MemoryStockEngine(() => 1_000_000);
  const acknowledgements = new Acknowledgements();
  const commits: ((result: RecordResult) => void)[] = [];
  const fatal: string[] = [];
  const ledger = { record: () => new Promise((resolve) => commits.push(resolve)) } as Partial<Ledger> as Ledger;
  const recorder = new Recorder({
    engine,
    ledger,
    acknowledgements,
    checker: new EntryChecker(),
    reload: () => new Promise(() => undefined),
    now: () => 0,
    events: {
      recorded: () => undefined,
      duplicated: () => undefined,
      committed: () => undefined,
      halted: () => undefined,
      fatal: (reason) => fatal.push(reason),
    },
  });
  engine.open(emptyHeads());
  recorder.start(emptyHeads());
  const executor = new CommandExecutor({ engine, ledger, acknowledgements, findProjectedHold: async () => null });
  return { engine, executor, commits, fatal };
}

const head = { partition: partitionOf(HQ), epoch: 1, seq: 4, hash: 'h', at: 1_000_000 };
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

it('never calls discarded what was recorded before a rejected entry', async () => {
  const { engine, executor, commits } = recording();
  stocked(engine, 10);
  const first = executor.execute(requestOf(reserveOf(1), 'r1'));
  await pause();
  const second = executor.execute(requestOf(reserveOf(1), 'r2'));
  // A counter changed by hand, as the recorder sees it.
  const third = engine.decide(requestOf(reserveOf(1), 'r3'));
  if (third.kind !== 'decided') throw new Error('not decided');
  third.entry.lines.length = 0;
  commits[0]?.({ status: 'recorded', heads: [head] });
  expect((await first).status).toBe('recorded');
  expect(await second).toEqual({ status: 'unavailable', reason: 'discarded' });
});

it('decides nothing more once it cannot record, so that nobody waits for ever', async () => {
  const { engine, executor, commits, fatal } = recording();
  stocked(engine, 10);
  const first = executor.execute(requestOf(reserveOf(1), 'r1'));
  await pause();
  commits[0]?.({ status: 'unknown', reason: 'I/O error' });
  expect((await first).status).toBe('unknown');
  expect(fatal).toHaveLength(1);
  expect(await executor.execute(requestOf(reserveOf(1), 'r2'))).toEqual({ status: 'unavailable', reason: 'not-open' });
});
