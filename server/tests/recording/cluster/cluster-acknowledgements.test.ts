/** Who waits on a node is told the truth, whatever was announced, in whatever order, or not at all. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Acknowledgement } from '../../../src/recording/acknowledgements.ts';
import { ClusterAcknowledgements } from '../../../src/recording/cluster/cluster-acknowledgements.ts';
import type { RecordedAnnouncement } from '../../../src/recording/cluster/recorded-channel.ts';
import { type SharedHead, startMark } from '../../../src/stock/shared-engine.ts';
import type { Place } from '../../../src/stock/stock-engine.ts';
import { MemoryChannel, MemoryPartitionStates, until } from './support/memory-cluster.ts';

const P = 7;

/** A ledger of which the test says what it holds. */
class ToldLedger {
  head: SharedHead = { partition: P, epoch: 1, seq: 0, hash: 'genesis', mark: startMark(1, 'genesis'), at: 0 };
  places = new Map<number, { epoch: number; mark: string; duplicateOf: number | null; hash: string }>();
  isAway = false;

  record(epoch: number, seq: number, mark: string): void {
    this.places.set(seq, { epoch, mark, duplicateOf: null, hash: `hash-${seq}` });
    this.head = { ...this.head, epoch, seq, mark, hash: `hash-${seq}` };
  }

  openEpoch(epoch: number): void {
    this.head = { ...this.head, epoch, mark: startMark(epoch, this.head.hash) };
  }

  async heads() {
    if (this.isAway) throw new Error('away');
    return [{ ...this.head }];
  }

  headsOf = () => this.heads();

  async recordedAt(_partition: number, seq: number) {
    if (this.isAway) throw new Error('away');
    return this.places.get(seq) ?? null;
  }

  async entries(_partition: number, afterSeq: number) {
    const hash = this.places.get(afterSeq + 1)?.hash;
    return hash === undefined ? [] : [{ partition: P, seq: afterSeq + 1, hash, body: '' }];
  }
}

let ledger: ToldLedger;
let channel: MemoryChannel;
let states: MemoryPartitionStates;
let acknowledgements: ClusterAcknowledgements;
let aheadMs = 0;

beforeEach(async () => {
  ledger = new ToldLedger();
  channel = new MemoryChannel();
  states = new MemoryPartitionStates();
  aheadMs = 0;
  const now = () => performance.now() + aheadMs;
  acknowledgements = new ClusterAcknowledgements({ ledger, channel, states, now, onTrouble: () => undefined });
  await acknowledgements.start();
});
afterEach(() => acknowledgements.stop());

const place = (epoch: number, seq: number, mark: string): Place => ({ partition: P, epoch, seq, mark });
const recorded = (epoch: number, firstSeq: number, ...marks: string[]): RecordedAnnouncement => ({
  partition: P,
  epoch,
  firstSeq,
  marks,
  duplicates: [],
  opened: false,
});
const opened = (epoch: number, firstSeq: number, hash: string): RecordedAnnouncement => ({
  ...recorded(epoch, firstSeq, startMark(epoch, hash)),
  opened: true,
});

/** What the waiter has been told so far; null: nothing. */
function waiting(at: Place): { told: Acknowledgement['status'] | null } {
  const waiter: { told: Acknowledgement['status'] | null } = { told: null };
  void Promise.resolve(acknowledgements.wait(at)).then(({ status }) => {
    waiter.told = status;
  });
  return waiter;
}

describe('rule 12: a waiter is released by its mark', () => {
  it('rule 12: announced after it waits, and before', async () => {
    const waiter = waiting(place(1, 2, 'b'));
    channel.announce([recorded(1, 1, 'a', 'b', 'c')]);
    expect((await acknowledgements.wait(place(1, 3, 'c'))).status).toBe('recorded');
    await delay(0);
    expect(waiter.told).toBe('recorded');
    expect(acknowledgements.knownHead(P)).toEqual({ epoch: 1, seq: 3 });
  });

  it('rule 12: another entry under its number discards it, also one that was announced before', async () => {
    const early = waiting(place(1, 1, 'mine'));
    channel.announce([recorded(1, 1, 'theirs')]);
    ledger.record(1, 1, 'theirs');
    expect((await acknowledgements.wait(place(1, 1, 'mine too'))).status).toBe('discarded');
    expect(early.told).toBe('discarded');
  });

  it('rule 12: tells whose duplicate it is', async () => {
    channel.announce([{ ...recorded(1, 1, 'a', 'b'), duplicates: [[2, 1]] }]);
    expect(await acknowledgements.wait(place(1, 2, 'b'))).toEqual({ status: 'recorded', duplicateOf: 1 });
  });

  it('rule 12: silence makes it look in the ledger', async () => {
    const waiter = waiting(place(1, 1, 'a'));
    ledger.record(1, 1, 'a');
    await until(() => waiter.told === 'recorded', 2_000);
  });

  it('rule 12: a new epoch without it discards it; one that goes on after it does not', async () => {
    const within = waiting(place(1, 1, 'a'));
    const beyond = waiting(place(1, 2, 'b'));
    ledger.record(1, 1, 'a');
    ledger.openEpoch(2);
    channel.announce([opened(2, 1, 'hash-1')]);
    await delay(0);
    expect(beyond.told).toBe('discarded');
    await until(() => within.told === 'recorded', 2_000);
  });

  it('rule 12: the same, when nothing of the new epoch was heard', async () => {
    const beyond = waiting(place(1, 2, 'b'));
    ledger.record(1, 1, 'a');
    ledger.openEpoch(2);
    await until(() => beyond.told === 'discarded', 2_000);
  });

  it('rule 12: the start of an epoch is recorded, and a late word of the entry before it takes nothing back', async () => {
    ledger.record(1, 1, 'a');
    ledger.openEpoch(2);
    const waiter = waiting(place(2, 1, startMark(2, 'hash-1')));
    channel.announce([recorded(1, 1, 'a')]);
    await until(() => waiter.told !== null, 2_000);
    expect(waiter.told).toBe('recorded');
    ledger.record(2, 2, 'b');
    const later = waiting(place(2, 1, startMark(2, 'hash-1')));
    await until(() => later.told !== null, 2_000);
    expect(later.told).toBe('recorded');
  });

  it('rule 12: what an engine claims of an epoch that never was is not believed', async () => {
    ledger.record(1, 1, 'a');
    const waiter = waiting(place(3, 1, 'forged'));
    await delay(600);
    expect(waiter.told).toBe(null);
  });

  it('what an engine was filled with is recorded', async () => {
    expect((await acknowledgements.wait(place(1, 1, ''))).status).toBe('recorded');
  });
});

describe('rule 13: discarded is said only once it is proven', () => {
  it('rule 13: with the database away nobody is told anything for ten seconds, then that it cannot be told', async () => {
    ledger.isAway = true;
    const waiter = waiting(place(1, 1, 'a'));
    await delay(400);
    expect(waiter.told).toBe(null);
    aheadMs = 9_000;
    await delay(100);
    expect(waiter.told).toBe(null);
    aheadMs = 10_000;
    await until(() => waiter.told === 'unknown', 2_000);
  });

  it('rule 13: an entry that is not recorded yet is not discarded', async () => {
    ledger.record(1, 1, 'a');
    const waiter = waiting(place(1, 2, 'b'));
    await delay(500);
    expect(waiter.told).toBe(null);
  });
});

describe('rule 17: a node is a witness', () => {
  it('rule 17: of what it heard as recorded and the ledger does not hold; until an operator accepts it', async () => {
    channel.announce([recorded(1, 1, 'a', 'b')]);
    ledger.record(1, 1, 'a');
    await acknowledgements.refresh();
    expect(states.rows.get(P)).toMatchObject({ wait: 'ledger-went-back', seenEpoch: 1 });
    expect(acknowledgements.knownHead(P)).toBeUndefined();
    ledger.openEpoch(2);
    await states.accepted(P, 2);
    await acknowledgements.refresh();
    expect(acknowledgements.knownHead(P)).toEqual({ epoch: 2, seq: 1 });
  });

  it('rule 17: a ledger that went back and was opened anew is found out by its number', async () => {
    channel.announce([recorded(1, 1, 'a', 'b')]);
    ledger.record(1, 1, 'a');
    ledger.openEpoch(2);
    await acknowledgements.refresh();
    expect(states.rows.has(P)).toBe(true);
  });
});
