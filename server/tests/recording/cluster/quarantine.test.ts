/** Duplicates, quarantine and rebuild, and a ledger that goes back: rules 14 to 17 over an engine and a ledger in memory. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENTRY_VERSION, type Entry } from '../../../src/stock/entry.ts';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { HQ, unitsOf } from '../../stock/requests.ts';
import {
  MemoryCluster,
  OTHER_HQ,
  PARTITION,
  type TestNode,
  type TestRecorder,
  until,
} from './support/memory-cluster.ts';

const OTHER_PARTITION = partitionOf(OTHER_HQ);

let cluster: MemoryCluster;
let recorder: TestRecorder;
let node: TestNode;

beforeEach(async () => {
  ({ cluster, recorder, node } = await MemoryCluster.stocked(10));
});
afterEach(() => cluster.stop());

const heldBy = (operationId: string): Entry[] => cluster.entries().filter((entry) => entry.operationId === operationId);
const isOpen = (test: TestRecorder, partition = PARTITION) => test.recorder.open.includes(partition);
const undone = () => cluster.entries().filter(({ command }) => command.type === 'undo');
const openedAt = (test: TestRecorder) => test.log.filter((line) => line.startsWith(`opened ${PARTITION} `));

/** The engine forgets every operation id, as one whose window has passed. */
function forgetIds(): void {
  const lineages = cluster.engine.snapshot();
  for (const { filledWith, log } of lineages.values()) {
    for (const entry of [...filledWith, ...log.map((each) => each.entry)]) entry.operationId = null;
  }
  cluster.engine.restore(lineages);
}

describe('rule 14: what is decided twice under one id', () => {
  it('rule 14: keeps its place without the id, answers as the first did, and is undone', async () => {
    const first = await node.reserve(4, 'r1');
    forgetIds();
    const [again, beside] = await Promise.all([node.reserve(4, 'r1'), node.reserve(1, 'r2')]);
    // Another reservation id is another body: the first one's stays the only answer under this id.
    expect(again.status).toBe('mismatch');
    expect(beside.status).toBe('recorded');
    await until(() => undone().length === 1);
    const [duplicate] = cluster.entries().filter(({ duplicateOf }) => duplicateOf !== null);
    expect(duplicate).toMatchObject({
      operationId: null,
      duplicateOf: first.status === 'recorded' ? first.entry.seq : 0,
    });
    expect(heldBy('r1')).toHaveLength(1);
    expect(cluster.engine.levels(HQ, [unitsOf(0)])[0]).toMatchObject({ onHand: 10, reserved: 5 });
  });

  it('rule 14: a decrease that is decided twice answers with the first result', async () => {
    const issue = { type: 'issue' as const, items: [unitsOf(3)] };
    await node.execute(issue, 'i1');
    forgetIds();
    expect(await node.execute(issue, 'i1')).toMatchObject({ status: 'recorded', replayed: true });
    await until(() => undone().length === 1);
    expect(cluster.engine.levels(HQ, [unitsOf(0)])[0]).toMatchObject({ onHand: 7, reserved: 0 });
  });

  it('rule 14: is undone by the next recorder when the first one dies before it', async () => {
    cluster.nodes.length = 0;
    await node.reserve(4, 'r1');
    forgetIds();
    await node.reserve(4, 'r1');
    expect(recorder.log.filter((line) => line.startsWith('duplicated'))).toHaveLength(1);
    expect(undone()).toHaveLength(0);
    recorder.ownership.partitions = [];
    await until(() => recorder.recorder.open.length === 0);
    cluster.nodes.push(node);
    cluster.recorder();
    await until(() => undone().length === 1);
    expect(cluster.engine.levels(HQ, [unitsOf(0)])[0]).toMatchObject({ reserved: 4 });
  });
});

describe('rule 15: quarantine starts in the ledger', () => {
  it('rule 15: a recorder of the old epoch can no longer commit what it had read', async () => {
    const held: (() => void)[] = [];
    cluster.ledger.onRecord = (commit) => new Promise((resolve) => held.push(() => resolve(commit())));
    const stalled = node.reserve(4, 'r1');
    await until(() => held.length === 1);
    cluster.ledger.onRecord = async (commit) => commit();
    cluster.engine.empty();
    const second = cluster.recorder([PARTITION]);
    await until(() => isOpen(second));
    expect((await stalled).status).toBe('unavailable');
    held[0]?.();
    await delay(100);
    expect(heldBy('r1')).toHaveLength(0);
    expect((await node.reserveUntilTold(7, 'r2')).status).toBe('recorded');
  });

  it('rule 15: one that stalls while it fills the engine opens nothing when it comes back', async () => {
    const stalls: (() => void)[] = [];
    cluster.engine.onFilling = (step, [head]) =>
      step === 'open' && head?.partition === PARTITION
        ? new Promise((resolve) => stalls.push(resolve))
        : Promise.resolve();
    cluster.engine.empty();
    await until(() => stalls.length === 1);
    cluster.engine.onFilling = async () => undefined;
    recorder.ownership.partitions = [];
    const second = cluster.recorder();
    expect((await node.reserveUntilTold(4, 'r1')).status).toBe('recorded');
    const head = cluster.engine.headOf(PARTITION);
    stalls[0]?.();
    await delay(100);
    expect(cluster.engine.headOf(PARTITION)).toEqual(head);
    expect((await node.reserve(4, 'r2')).status).toBe('recorded');
    expect(openedAt(second)).toHaveLength(1);
  });

  it('rule 15: the others serve on meanwhile', async () => {
    const stalls: (() => void)[] = [];
    cluster.engine.onFilling = () => new Promise((resolve) => stalls.push(resolve));
    cluster.engine.tamper = (entry) => (entry.operationId === 'r1' ? { ...entry, lines: [] } : entry);
    const told = node.reserve(4, 'r1');
    await until(() => stalls.length === 1);
    expect((await node.reserve(4, 'other', OTHER_HQ)).status).toBe('recorded');
    stalls[0]?.();
    cluster.engine.onFilling = async () => undefined;
    expect((await told).status).toBe('unavailable');
  });

  it('rule 15: a filling that fails is begun again under another epoch, later and later', async () => {
    let failures = 0;
    cluster.engine.onFilling = async (step) => {
      failures += 1;
      if (step === 'open' && failures <= 6) throw new Error('Redis is away');
    };
    cluster.engine.empty();
    const startedAt = performance.now();
    expect((await node.reserveUntilTold(4, 'r1')).status).toBe('recorded');
    // Three more attempts at least, after 250, 500 and 1 000 ms.
    expect(performance.now() - startedAt).toBeGreaterThan(1_500);
    expect((await cluster.ledger.headsOf([PARTITION]))[0]?.epoch).toBeGreaterThan(3);
  });
});

describe('rule 16: an entry that fails the checks', () => {
  const poison = (entry: Entry) => (entry.operationId === 'bad' ? { ...entry, lines: [] } : entry);

  it('rule 16: is kept with its successors; what came before it is recorded', async () => {
    cluster.engine.tamper = poison;
    const [good, bad, after] = await Promise.all([
      node.reserve(1, 'good'),
      node.reserve(1, 'bad'),
      node.reserve(1, 'after'),
    ]);
    expect(good?.status).toBe('recorded');
    expect([bad?.status, after?.status]).toEqual(['unavailable', 'unavailable']);
    expect(cluster.ledger.evidence[0]?.bodies).toHaveLength(2);
    expect((await node.reserveUntilTold(1, 'after')).status).toBe('recorded');
  });

  it('rule 16: comes too often: the partition waits for an operator, the others serve on, and it is resumed by a word', async () => {
    cluster.engine.tamper = poison;
    expect((await node.reserve(1, 'bad')).status).toBe('unavailable');
    await until(() => isOpen(recorder) && node.acknowledgements.knownHead(PARTITION)?.epoch === 2);
    const second = node.reserve(1, 'bad');
    await until(() => cluster.states.rows.get(PARTITION)?.wait === 'rejected-entries');
    await until(() => node.acknowledgements.knownHead(PARTITION) === undefined);
    expect(await node.reserve(1, 'r2')).toEqual({ status: 'unavailable', reason: 'not-open' });
    expect((await node.reserve(1, 'other', OTHER_HQ)).status).toBe('recorded');
    expect(recorder.recorder.open).toEqual([OTHER_PARTITION]);
    cluster.engine.tamper = (entry) => entry;
    await cluster.states.resume(PARTITION);
    expect((await second).status).toBe('unavailable');
    expect((await node.reserveUntilTold(1, 'r2')).status).toBe('recorded');
    expect(openedAt(recorder)).toHaveLength(3);
  });

  it('rule 16: of a version that this program does not know is no poison: it waits for one that does', async () => {
    let upgraded = false;
    cluster.engine.tamper = (entry) =>
      entry.operationId === 'new' && !upgraded ? { ...entry, version: ENTRY_VERSION + 1 } : entry;
    const told = node.reserve(1, 'new');
    await until(() => recorder.log.some((line) => line.startsWith(`waiting ${PARTITION}`)));
    expect((await node.reserve(1, 'other', OTHER_HQ)).status).toBe('recorded');
    expect(cluster.ledger.evidence).toEqual([]);
    upgraded = true;
    expect((await told).status).toBe('recorded');
  });
});

describe('rule 17: the ledger may go back too', () => {
  /** Two reservations later the database is put back to where it stands now. */
  async function loseTwo(): Promise<void> {
    const backup = cluster.ledger.backup();
    expect((await node.reserve(1, 'r1')).status).toBe('recorded');
    expect((await node.reserve(1, 'r2')).status).toBe('recorded');
    cluster.ledger.restore(backup);
  }

  async function staysHalted(): Promise<void> {
    await until(() => cluster.states.rows.get(PARTITION)?.wait === 'ledger-went-back');
    await delay(700);
    expect(openedAt(recorder)).toHaveLength(1);
    expect((await cluster.ledger.headsOf([PARTITION]))[0]?.epoch).toBe(1);
  }

  async function resumes(on: TestNode): Promise<void> {
    await cluster.states.resume(PARTITION);
    expect((await on.reserveUntilTold(5, 'after')).status).toBe('recorded');
    expect(heldBy('r1')).toHaveLength(0);
    expect(cluster.states.rows.size).toBe(0);
  }

  it('rule 17: found by the recorder that recorded more, with nothing to record; halted until the word of an operator', async () => {
    await loseTwo();
    await staysHalted();
    expect(cluster.engine.headOf(PARTITION)?.seq).toBe(5);
    await until(() => node.acknowledgements.knownHead(PARTITION) === undefined);
    expect((await node.reserve(1, 'r3')).status).toBe('unavailable');
    await resumes(node);
  });

  it('rule 17: found under load, when the next commit fails', async () => {
    await loseTwo();
    const told = node.reserve(1, 'r3');
    await staysHalted();
    expect(heldBy('r3')).toHaveLength(0);
    await resumes(node);
    expect((await told).status).toBe('unavailable');
  });

  it('rule 17: the engine is a witness when all processes are new', async () => {
    recorder.ownership.partitions = [];
    await until(() => recorder.recorder.open.length === 0);
    const backup = cluster.ledger.backup();
    recorder.ownership.partitions = [PARTITION];
    await until(() => isOpen(recorder));
    await node.reserve(1, 'r1');
    await node.reserve(1, 'r2');
    await cluster.stop();
    cluster.ledger.restore(backup);
    recorder = cluster.recorder();
    const fresh = await cluster.node();
    await until(() => cluster.states.rows.get(PARTITION)?.wait === 'ledger-went-back');
    await delay(700);
    expect(openedAt(recorder)).toHaveLength(0);
    expect(cluster.engine.headOf(PARTITION)?.seq).toBe(5);
    await resumes(fresh);
  });

  it('rule 17: the projections are a witness', async () => {
    recorder.ownership.partitions = [];
    await until(() => recorder.recorder.open.length === 0);
    cluster.projectedAhead = 9;
    const second = cluster.recorder();
    await until(() => cluster.states.rows.get(PARTITION)?.wait === 'ledger-went-back');
    expect(second.log.some((line) => line.includes('the projections have seen'))).toBe(true);
  });
});
