/** What a caller is told when the ledger or the history cannot be read for it. */
import { describe, expect, it } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { HistoryBehind } from '../../src/projections/history-reads.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor } from '../../src/recording/command-executor.ts';
import { newReservationId, partitionOf } from '../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import { emptyHeads, HQ, recordAll, requestOf, reserveOf, stocked, unitsOf } from '../stock/requests.ts';

const FAILURE = new Error('disk I/O error');

/** An executor whose reads fail as told; `failures` are those that it reported. */
function executing(findProjectedHold: () => Promise<null> = async () => null) {
  const engine = new MemoryStockEngine(() => 1_000_000);
  engine.open(emptyHeads());
  stocked(engine, 10);
  recordAll(engine);
  const acknowledgements = new Acknowledgements();
  const failures: Error[] = [];
  const unreadable = () => Promise.reject(FAILURE);
  const ledger = { findOperations: unreadable, entry: unreadable } as Partial<Ledger> as Ledger;
  const executor = new CommandExecutor({
    engine,
    ledger,
    acknowledgements,
    findProjectedHold,
    onReadFailed: (error) => failures.push(error),
  });
  return { engine, executor, acknowledgements, failures };
}

/** The window of this engine begins after what is recorded, so it vouches for no older id. */
function withLaterWindow(engine: MemoryStockEngine): void {
  engine.load({ kind: 'window', partition: partitionOf(HQ), afterSeq: 3 });
}

const forgotten = () => ({ type: 'release', reservationId: newReservationId(partitionOf(HQ)) }) as const;

describe('a read that fails', () => {
  it('for an operation id before the decision: nothing was done, try again', async () => {
    const { engine, executor, failures } = executing();
    withLaterWindow(engine);
    const before = engine.head(HQ).seq;
    const answer = await executor.execute(requestOf({ type: 'receive', items: [unitsOf(1)] }, 'r1'));
    expect(answer).toEqual({ status: 'unavailable', reason: 'look-up-failed' });
    expect(engine.head(HQ).seq).toBe(before);
    expect(failures).toEqual([FAILURE]);
  });

  it('for a forgotten reservation before the decision: nothing was done, try again', async () => {
    const { engine, executor, failures } = executing(() => Promise.reject(FAILURE));
    const before = engine.head(HQ).seq;
    const answer = await executor.execute(requestOf(forgotten(), null));
    expect(answer).toEqual({ status: 'unavailable', reason: 'look-up-failed' });
    expect(engine.head(HQ).seq).toBe(before);
    expect(failures).toEqual([FAILURE]);
  });

  it('says when it is the history that is behind, which has an answer of its own', async () => {
    const { executor } = executing(() => Promise.reject(new HistoryBehind()));
    await expect(executor.execute(requestOf(forgotten(), null))).rejects.toBeInstanceOf(HistoryBehind);
  });

  it('for the first result of a repeated command: never that nothing was done', async () => {
    const { engine, executor, acknowledgements, failures } = executing();
    const command = reserveOf(1);
    const decision = engine.decide(requestOf(command, 'r1'));
    if (decision.kind !== 'decided') throw new Error('not decided');
    const { partition, epoch, seq } = decision.place;
    acknowledgements.recorded({ partition, epoch, seq, hash: '', at: 0 });
    expect(await executor.execute(requestOf(command, 'r1'))).toEqual({ status: 'unknown' });
    expect(failures).toEqual([FAILURE]);
  });
});
