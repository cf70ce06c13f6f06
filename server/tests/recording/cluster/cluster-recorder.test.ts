/** Interleavings of nodes, recorders, an engine and a ledger, each of which breaks a guarantee if its rule is left out. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SharedRecordResult } from '../../../src/ledger/shared-ledger.ts';
import type { Entry } from '../../../src/stock/entry.ts';

import { HQ, reserveOf } from '../../stock/requests.ts';
import {
  MemoryCluster,
  OTHER_HQ,
  PARTITION,
  type TestNode,
  type TestRecorder,
  until,
} from './support/memory-cluster.ts';

const KEY = { storeId: 'S1', productId: 'P1' };

let cluster: MemoryCluster;
let recorder: TestRecorder;
let node: TestNode;

beforeEach(async () => {
  ({ cluster, recorder, node } = await MemoryCluster.stocked(10));
});
afterEach(() => cluster.stop());

/** Entries in order without a gap, whose levels follow from each other: what an auditor would look at. */
function soundLevel(hqId = HQ): { onHand: number; reserved: number } {
  let level = { onHand: 0, reserved: 0 };
  for (const [index, entry] of cluster.entries(hqId).entries()) {
    expect(entry.seq).toBe(index + 1);
    for (const line of entry.lines) {
      expect(entry.read.levels[line.level]).toMatchObject(level);
      level = { onHand: level.onHand + line.onHandChange, reserved: level.reserved + line.reservedChange };
      expect(level.onHand - level.reserved).toBeGreaterThanOrEqual(0);
    }
  }
  return level;
}

const heldBy = (operationId: string): Entry[] => cluster.entries().filter((entry) => entry.operationId === operationId);
const isOpen = (test: TestRecorder, partition = PARTITION) => test.recorder.open.includes(partition);

/** Holds up every commit until the test lets it go. */
function holdCommits() {
  const held: { commit: () => void; answer: (result: SharedRecordResult) => void }[] = [];
  cluster.ledger.onRecord = (commit) =>
    new Promise((resolve) => held.push({ commit: () => resolve(commit()), answer: resolve }));
  return held;
}

describe('rule 4: what rests on an entry waits for it', () => {
  it('rule 4: a replay and an answer without an entry are told once what they rest on is recorded', async () => {
    const held = holdCommits();
    const reserve = reserveOf(1);
    const first = node.execute(reserve, 'r1');
    await until(() => held.length === 1);
    const told: string[] = [];
    const replay = node.execute(reserve, 'r1').then((execution) => told.push(`replay ${execution.status}`));
    const unknown = { type: 'release' as const, reservationId: reserveOf(1).reservationId };
    const observed = node.execute(unknown, null).then((execution) => told.push(`answer ${execution.status}`));
    await delay(300);
    expect(told).toEqual([]);
    held[0]?.commit();
    await Promise.all([first, replay, observed]);
    expect(told.toSorted()).toEqual(['answer observed', 'replay recorded']);
  });
});

describe('rule 8: the journal is read from the head itself', () => {
  it('rule 8: an engine put back to an older state, on which others were decided, is found out and filled again', async () => {
    const older = cluster.engine.snapshot();
    expect((await node.reserve(4, 'kept')).status).toBe('recorded');
    cluster.engine.restore(older);
    // Only a node that knows nothing of the last entry decides on it.
    const lagging = { epoch: 1, seq: 3 };
    const reserve = { ...reserveOf(7) };
    const forked = cluster.engine.decide(
      { hqId: HQ, operationId: 'fork', fingerprint: 'fork', command: reserve, ...PROVENANCE },
      lagging,
    );
    expect(forked.kind).toBe('decided');
    if (forked.kind !== 'decided') return;
    const told = await node.acknowledgements.wait(forked.place);
    expect(told.status).toBe('discarded');
    await until(() => isOpen(recorder) && node.acknowledgements.knownHead(PARTITION)?.epoch === 2);
    expect(heldBy('kept')).toHaveLength(1);
    expect(heldBy('fork')).toHaveLength(0);
    expect((await node.reserveUntilTold(7, 'more')).status).toBe('recorded');
    expect(heldBy('more')[0]?.outcome.status).toBe('insufficient');
    expect(soundLevel()).toEqual({ onHand: 10, reserved: 4 });
  });

  it('rule 8: an emptied engine is filled again, and serves again by itself', async () => {
    expect((await node.reserve(4, 'before')).status).toBe('recorded');
    cluster.engine.empty();
    expect((await node.reserveUntilTold(6, 'after')).status).toBe('recorded');
    expect(soundLevel()).toEqual({ onHand: 10, reserved: 10 });
  });
});

describe('rule 9: what the engine says was read is what was recorded last', () => {
  it('rule 9: a level changed by hand is found before anyone is answered, and by a recorder that never saw it', async () => {
    expect((await node.reserve(9, 'r1')).status).toBe('recorded');
    recorder.ownership.partitions = [];
    await until(() => recorder.recorder.open.length === 0);
    cluster.engine.changeLevel({ hqId: HQ, ...KEY, onHand: 100, reserved: 9, version: 2 });
    const told = node.reserve(50, 'greedy');
    const second = cluster.recorder();
    expect((await told).status).toBe('unavailable');
    expect(cluster.ledger.evidence).toHaveLength(1);
    expect(cluster.ledger.evidence[0]?.reason).toContain('was read as');
    await until(() => isOpen(second));
    expect((await node.reserveUntilTold(50, 'greedy')).status).toBe('recorded');
    expect(heldBy('greedy')[0]?.outcome.status).toBe('insufficient');
    expect(soundLevel()).toEqual({ onHand: 10, reserved: 9 });
  });

  it('rule 9: it knows what was recorded and not projected yet', async () => {
    cluster.projectedUpTo = 2;
    expect((await node.reserve(4, 'r1')).status).toBe('recorded');
    recorder.ownership.partitions = [];
    await until(() => recorder.recorder.open.length === 0);
    const second = cluster.recorder();
    expect((await node.reserveUntilTold(2, 'r2')).status).toBe('recorded');
    expect(second.log.filter((line) => line.startsWith('quarantined'))).toEqual([]);
    cluster.engine.changeLevel({ hqId: HQ, ...KEY, onHand: 10, reserved: 0, version: 1 });
    expect((await node.reserve(10, 'r3')).status).toBe('unavailable');
    expect(cluster.ledger.evidence).toHaveLength(1);
  });

  const differences: [string, (entry: Entry) => void][] = [
    ['a script that differs from the rules', (entry) => Object.assign(entry.lines[0] as object, { reservedChange: 1 })],
    ['another threshold', (entry) => Object.assign(entry.read.levels[0] as object, { lowThreshold: 3 })],
    ['other totals', (entry) => Object.assign(entry.read.totals[0] as object, { onHand: 11 })],
  ];
  it.each(differences)('rule 9: %s', async (_name, change) => {
    cluster.engine.tamper = (entry) => {
      if (entry.operationId === 'r1' && entry.epoch === 1) change(entry);
      return entry;
    };
    expect((await node.reserve(2, 'r1')).status).toBe('unavailable');
    expect(cluster.ledger.evidence).toHaveLength(1);
    expect((await node.reserveUntilTold(2, 'r1')).status).toBe('recorded');
    expect(heldBy('r1')).toHaveLength(1);
    soundLevel();
  });

  it('rule 9: settings that apply since are known, also where nothing is written yet', async () => {
    const settings = (safetyStock: number | null, lowThreshold: number | null) => ({ safetyStock, lowThreshold });
    cluster.projectedUpTo = 1;
    const commands = [
      { type: 'configure-store' as const, storeId: 'S2', settings: settings(null, 4) },
      { type: 'configure-product' as const, productId: 'P1', settings: settings(2, null) },
      { type: 'receive' as const, items: [{ storeId: 'S2', productId: 'P1', quantity: 5 }] },
      { type: 'configure-level' as const, ...KEY, settings: settings(1, 3) },
      {
        type: 'count' as const,
        countedAt: null,
        reason: 'x',
        items: [{ ...KEY, counted: 8, onHandThen: null, basedOn: null }],
      },
      { type: 'configure-product' as const, productId: 'P1', settings: settings(3, 9) },
    ];
    for (const [index, command] of commands.entries()) {
      expect(await node.execute(command, `c${index}`), command.type).toMatchObject({ status: 'recorded' });
    }
    recorder.ownership.partitions = [];
    await until(() => recorder.recorder.open.length === 0);
    cluster.recorder();
    for (const storeId of ['S1', 'S2']) {
      const items = [{ storeId, productId: 'P1', quantity: 1 }];
      expect((await node.execute({ ...reserveOf(1), storeId, items }, `r/${storeId}`)).status).toBe('recorded');
    }
    expect(cluster.ledger.evidence).toEqual([]);
  });
});

describe('rule 10: one transaction for many partitions', () => {
  it('rule 10: the next batch is read and checked meanwhile, and neither sent nor told before the one before is done', async () => {
    const held = holdCommits();
    let told = false;
    const first = node.reserve(1, 'r1').finally(() => {
      told = true;
    });
    await until(() => held.length === 1);
    const second = node.reserve(1, 'r2');
    await delay(150);
    expect(told).toBe(false);
    expect(held).toHaveLength(1);
    expect(cluster.entries()).toHaveLength(3);
    held[0]?.commit();
    expect((await first).status).toBe('recorded');
    await until(() => held.length === 2);
    held[1]?.commit();
    expect((await second).status).toBe('recorded');
  });

  it('rule 10: what was read behind a batch that did not go through is void, and read again', async () => {
    const held = holdCommits();
    const first = node.reserve(1, 'r1');
    await until(() => held.length === 1);
    const second = node.reserve(1, 'r2');
    await delay(50);
    held[0]?.answer({ status: 'conflict', partitions: [PARTITION] });
    cluster.ledger.onRecord = async (commit) => commit();
    expect((await first).status).toBe('recorded');
    expect((await second).status).toBe('recorded');
    expect(soundLevel().reserved).toBe(2);
  });

  it('rule 10: a partition that somebody else moved is dropped, the others of the batch go on', async () => {
    const held = holdCommits();
    const mine = node.reserve(1, 'r1', OTHER_HQ);
    await until(() => held.length === 1);
    const others = [node.reserve(1, 'r1'), node.reserve(1, 'r2', OTHER_HQ)];
    await delay(50);
    held[0]?.commit();
    expect((await mine).status).toBe('recorded');
    await until(() => held.length === 2);
    const head = (await cluster.ledger.headsOf([PARTITION]))[0];
    if (head !== undefined) await cluster.ledger.openEpoch([head]);
    cluster.ledger.onRecord = async (commit) => commit();
    held[1]?.commit();
    expect((await others[1])?.status).toBe('recorded');
    expect((await others[0])?.status).toBe('unavailable');
    await until(() => isOpen(recorder));
    expect((await node.reserveUntilTold(1, 'r1')).status).toBe('recorded');
    expect(soundLevel().reserved).toBe(1);
  });

  it('rule 10: an answer that is lost on its way back is looked up; one that was never committed is sent again', async () => {
    let calls = 0;
    cluster.ledger.onRecord = async (commit) => {
      calls += 1;
      if (calls === 1) commit();
      return calls <= 2 ? { status: 'unknown', reason: 'connection reset' } : commit();
    };
    expect((await node.reserve(1, 'r1')).status).toBe('recorded');
    expect((await node.reserve(1, 'r2')).status).toBe('recorded');
    expect([...heldBy('r1'), ...heldBy('r2')]).toHaveLength(2);
    soundLevel();
  });
});

describe('rule 11: the comparison of the cursor is the fence', () => {
  it('rule 11: two recorders that both believe that they own it record nothing twice', async () => {
    cluster.recorder();
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => node.reserveUntilTold(1, `r${index}`)));
    const successes = answers.filter((each) => each.status === 'recorded' && each.entry.outcome.status === 'reserved');
    expect(successes).toHaveLength(10);
    expect(soundLevel()).toEqual({ onHand: 10, reserved: 10 });
    // What the other recorded meanwhile is no evidence against the engine.
    expect(cluster.ledger.evidence).toEqual([]);
  });

  it('rule 11: one that was stopped in mid-commit comes back to find the partition with another, and announces nothing', async () => {
    const held = holdCommits();
    const told = node.reserve(1, 'r1');
    await until(() => held.length === 1);
    cluster.ledger.onRecord = async (commit) => commit();
    const second = cluster.recorder();
    expect((await told).status).toBe('recorded');
    recorder.ownership.partitions = [];
    const announced = cluster.channel.all.length;
    held[0]?.commit();
    await until(() => recorder.recorder.open.length === 0);
    expect(cluster.channel.all.slice(announced).filter((each) => !each.opened)).toEqual([]);
    expect(heldBy('r1')).toHaveLength(1);
    expect((await node.reserve(1, 'r2')).status).toBe('recorded');
    expect(isOpen(second)).toBe(true);
  });
});

describe('rule 13: nothing is discarded without proof', () => {
  it('rule 13: while the database is away callers wait; once it is back what was decided is recorded', async () => {
    cluster.ledger.onRecord = async () => ({ status: 'unknown', reason: 'away' });
    cluster.ledger.onRead = async () => {
      throw new Error('away');
    };
    let told: string | null = null;
    void node.reserve(4, 'r1').then(({ status }) => {
      told = status;
    });
    await delay(900);
    expect(told).toBe(null);
    cluster.ledger.onRead = async () => undefined;
    cluster.ledger.onRecord = async (commit) => commit();
    await until(() => told === 'recorded');
    expect(soundLevel().reserved).toBe(4);
  });

  it('rule 13: a commit that was rolled back is sent again', async () => {
    let failures = 0;
    cluster.ledger.onRecord = async (commit) => {
      failures += 1;
      return failures <= 7 ? { status: 'rolled-back', reason: 'deadlock' } : commit();
    };
    expect((await node.reserve(4, 'r1')).status).toBe('recorded');
  });

  it('rule 13: what the ledger never takes of one partition waits there, and holds up no other', async () => {
    cluster.ledger.onRecord = async (commit, records) =>
      records.some(({ head }) => head.partition === PARTITION)
        ? { status: 'rolled-back', reason: 'data too long' }
        : commit();
    const stuck = node.reserve(4, 'r1');
    for (const name of ['o1', 'o2', 'o3']) expect((await node.reserve(1, name, OTHER_HQ)).status).toBe('recorded');
    cluster.ledger.onRecord = async (commit) => commit();
    expect((await stuck).status).toBe('recorded');
  });
});

const PROVENANCE = {
  actor: { subject: 'tests', role: 'admin' },
  origin: 'tests',
  correlationId: 'tests',
  causationId: null,
};
