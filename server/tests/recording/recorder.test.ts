/** What callers are told when a batch goes wrong while others of theirs are on their way. */
import { expect, it } from 'vitest';
import type { Ledger, PartitionRecord, RecordResult } from '../../src/ledger/ledger.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor } from '../../src/recording/command-executor.ts';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import type { RecordedHead } from '../../src/stock/stock-engine.ts';
import { emptyHeads, HQ, requestOf, reserveOf, stocked } from '../stock/requests.ts';

/** A recorder whose ledger answers when the test says so. */
function recording() {
  const engine = new MemoryStockEngine(() => 1_000_000);
  const acknowledgements = new Acknowledgements();
  const commits: ((result: RecordResult) => void)[] = [];
  const fatal: string[] = [];
  const halts: string[] = [];
  const reload = Promise.withResolvers<RecordedHead[]>();
  const sent: (readonly PartitionRecord[])[] = [];
  const ledger = {
    recordsAhead: true,
    record: (records) => {
      sent.push(records);
      return new Promise((resolve) => commits.push(resolve));
    },
  } as Partial<Ledger> as Ledger;
  const recorder = new Recorder({
    engine,
    ledger,
    acknowledgements,
    checker: new EntryChecker(),
    reload: () => reload.promise,
    now: () => 0,
    events: {
      recorded: () => undefined,
      duplicated: () => undefined,
      committed: () => undefined,
      halted: (reason) => halts.push(reason),
      fatal: (reason) => fatal.push(reason),
    },
  });
  engine.open(emptyHeads());
  recorder.start(emptyHeads());
  const executor = new CommandExecutor({ engine, ledger, acknowledgements, findProjectedHold: async () => null });
  return { engine, executor, commits, sent, fatal, halts, reload };
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

it('never calls discarded what was recorded before a rejected entry, though its caller was still to be told', async () => {
  const { engine, executor, commits } = recording();
  stocked(engine, 10);
  // One batch: the callers of its second half are told a moment after those of the first.
  const callers = ['r1', 'r2', 'r3', 'r4'].map((id) => executor.execute(requestOf(reserveOf(1), id)));
  await pause();
  commits[0]?.({ status: 'recorded', heads: [{ ...head, seq: 7 }] });
  const rejected = engine.decide(requestOf(reserveOf(1), 'r5'));
  if (rejected.kind !== 'decided') throw new Error('not decided');
  rejected.entry.lines.length = 0;
  expect((await Promise.all(callers)).map(({ status }) => status)).toEqual(Array(4).fill('recorded'));
});

it('sends a batch ahead without a hash, and again with it when the one before holds a duplicate', async () => {
  const { engine, executor, commits, sent } = recording();
  stocked(engine, 10);
  const first = executor.execute(requestOf(reserveOf(1), 'r1'));
  await pause();
  const second = executor.execute(requestOf(reserveOf(1), 'r2'));
  await pause();
  expect(sent.map(([record]) => [record?.head.seq, record?.head.hash])).toEqual([
    [0, ''],
    [4, null],
  ]);
  const found = { hqId: HQ, operationId: 'r1', partition: head.partition, seq: 2, fingerprint: 'other' };
  commits[0]?.({ status: 'duplicate', found: [found] });
  commits[1]?.({ status: 'rolled-back', reason: 'the batch before it was not recorded' });
  await pause();
  expect(sent[2]?.[0]?.entries.at(-1)).toMatchObject({ operationId: null, duplicateOf: 2 });
  commits[2]?.({ status: 'recorded', heads: [head] });
  await pause();
  expect(sent[3]?.[0]).toMatchObject({ head, entries: [{ operationId: 'r2' }] });
  commits[3]?.({ status: 'recorded', heads: [{ ...head, seq: 5 }] });
  expect((await second).status).toBe('recorded');
  void first;
});

it('does not record after a reload what was decided before it', async () => {
  const { engine, executor, commits, sent, halts, reload } = recording();
  stocked(engine, 10);
  const first = executor.execute(requestOf(reserveOf(1), 'r1'));
  await pause();
  const found = { hqId: HQ, operationId: 'r1', partition: head.partition, seq: 2, fingerprint: 'other' };
  commits[0]?.({ status: 'duplicate', found: [found] });
  // Taken from the journal while the first batch is tried again.
  const second = executor.execute(requestOf(reserveOf(1), 'r2'));
  await pause();
  commits[1]?.({ status: 'rolled-back', reason: 'disk full' });
  expect(await first).toEqual({ status: 'unavailable', reason: 'discarded' });
  expect(await second).toEqual({ status: 'unavailable', reason: 'discarded' });
  const heads = emptyHeads().map((empty) => ({ ...empty, epoch: 2 }));
  engine.open(heads);
  reload.resolve(heads);
  await pause();
  stocked(engine, 10);
  await pause();
  expect(sent.at(-1)?.[0]?.entries[0]).toMatchObject({ seq: 1 });
  expect(JSON.parse(sent.at(-1)?.[0]?.entries[0]?.body ?? '{}').epoch).toBe(2);
  expect(halts).toHaveLength(1);
});
