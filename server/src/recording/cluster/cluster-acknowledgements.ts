/**
 * Callers that wait until the entry on which their answer rests is in the ledger, on a node that need not be the one
 * that records it. A waiter is released by its entry's mark, never by a number: after a failover of the engine another
 * command may carry the same number, even in the same epoch. What is announced may be lost, or come before the waiter;
 * silence makes this ask the ledger.
 */
import type { SharedLedger } from '../../ledger/shared-ledger.ts';
import { type SharedHead, startMark } from '../../stock/shared-engine.ts';
import type { Place } from '../../stock/stock-engine.ts';
import type { Acknowledgement } from '../acknowledgements.ts';
import { ANSWER_MS_MAX } from '../batch.ts';
import { AT_WILL, Recent } from '../recent.ts';
import type { PartitionStates } from './partition-states.ts';
import type { RecordedAnnouncement, RecordedChannel } from './recorded-channel.ts';

/** Marks of one partition that are remembered at least: more than a partition may have unrecorded. */
const MARKS_MAX = 16_384;
/** After this long without a word the ledger is asked, and then again every so often. */
const SILENCE_MS = 200;
/** Places that are asked of the ledger in one go. */
const LOOK_UPS_MAX = 128;
/** How often the heads are read, for a node that heard of nothing: it must not fall behind its engine. */
const REFRESH_MS = 1_000;

const RECORDED: Acknowledgement = { status: 'recorded', duplicateOf: null };
const DISCARDED: Acknowledgement = { status: 'discarded' };
const UNKNOWN: Acknowledgement = { status: 'unknown' };

interface Waiter {
  place: Place;
  sinceMs: number;
  /** Something was heard that may concern it: the ledger is asked without waiting for silence. */
  urgent: boolean;
  resolve: (acknowledgement: Acknowledgement) => void;
}

type KnownHead = Pick<SharedHead, 'epoch' | 'seq'>;

class PartitionMarks {
  head: KnownHead | null = null;
  /** By mark: what the entry is a duplicate of, or null. */
  readonly marks = new Recent<{ duplicateOf: number | null }>(AT_WILL, MARKS_MAX);
  readonly waiters = new Map<number, Waiter[]>();

  add(waiter: Waiter): void {
    const { seq } = waiter.place;
    const others = this.waiters.get(seq);
    if (others === undefined) this.waiters.set(seq, [waiter]);
    else others.push(waiter);
  }

  /** Answers those for whom there is an answer. */
  settle(seq: number, answerOf: (waiter: Waiter) => Acknowledgement | null): void {
    const waiters = this.waiters.get(seq);
    if (waiters === undefined) return;
    const left = waiters.filter((waiter) => {
      const answer = answerOf(waiter);
      if (answer !== null) waiter.resolve(answer);
      return answer === null;
    });
    if (left.length === 0) this.waiters.delete(seq);
    else this.waiters.set(seq, left);
  }

  moveTo({ epoch, seq }: KnownHead): void {
    if (this.head === null || isNewer({ epoch, seq }, this.head)) this.head = { epoch, seq };
  }
}

export interface ClusterAcknowledgementsParts {
  ledger: Pick<SharedLedger, 'heads' | 'headsOf' | 'recordedAt' | 'entries'>;
  channel: RecordedChannel;
  states: Pick<PartitionStates, 'waiting' | 'halt'>;
  /** Epoch milliseconds, or any clock that does not jump. */
  now: () => number;
  /** Hears of reads that failed; they are tried again. */
  onTrouble: (error: Error) => void;
}

export class ClusterAcknowledgements {
  readonly #parts: ClusterAcknowledgementsParts;
  readonly #partitions = new Map<number, PartitionMarks>();
  #halted = new Set<number>();
  #timers: NodeJS.Timeout[] = [];
  #unsubscribe: () => void = () => undefined;
  #askingSilence = false;

  constructor(parts: ClusterAcknowledgementsParts) {
    this.#parts = parts;
  }

  /** On return the recorded heads are known. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#parts.channel.subscribe((announcements) => {
      for (const announcement of announcements) this.#hear(announcement);
    });
    await this.refresh();
    this.#timers = [
      setInterval(() => void this.#try(() => this.refresh()), REFRESH_MS),
      setInterval(() => this.#tick(), SILENCE_MS / 4),
    ];
  }

  /** Who waits still is told that it cannot be told. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#unsubscribe();
    for (const known of this.#partitions.values()) {
      for (const seq of [...known.waiters.keys()]) known.settle(seq, () => UNKNOWN);
    }
  }

  /** What this node knows as recorded; undefined: nothing, or the partition waits for an operator. */
  knownHead(partition: number): KnownHead | undefined {
    return this.#halted.has(partition) ? undefined : (this.#partitions.get(partition)?.head ?? undefined);
  }

  recordedSeq(partition: number): number {
    return this.#partitions.get(partition)?.head?.seq ?? 0;
  }

  wait(place: Place): Acknowledgement | Promise<Acknowledgement> {
    if (place.mark === '') return RECORDED;
    const known = this.#of(place.partition);
    const recorded = known.marks.get(place.mark);
    if (recorded !== undefined) return answerOf(recorded.duplicateOf);
    const { head } = known;
    const urgent = head !== null && (place.seq <= head.seq || place.epoch < head.epoch);
    return new Promise((resolve) => known.add({ place, sinceMs: this.#parts.now(), urgent, resolve }));
  }

  #of(partition: number): PartitionMarks {
    let known = this.#partitions.get(partition);
    if (known === undefined) {
      known = new PartitionMarks();
      this.#partitions.set(partition, known);
    }
    return known;
  }

  #hear(announcement: RecordedAnnouncement): void {
    const known = this.#of(announcement.partition);
    if (announcement.opened) hearOpened(known, announcement);
    else hearRecorded(known, announcement);
  }

  /** Reads what the ledger holds; a partition whose ledger is behind what was heard of it is halted. */
  async refresh(): Promise<void> {
    const heardBefore = new Map([...this.#partitions].map(([partition, { head }]) => [partition, head]));
    const { ledger, states } = this.#parts;
    const [heads, waiting] = await Promise.all([ledger.heads(), states.waiting()]);
    this.#halted = new Set(waiting.map(({ partition }) => partition));
    for (const head of heads) {
      const heard = heardBefore.get(head.partition) ?? null;
      if (heard !== null && isBehind(head, heard)) await this.#ledgerWentBack(head, heard);
      else this.#of(head.partition).moveTo(head);
    }
  }

  async #ledgerWentBack(head: SharedHead, heard: KnownHead): Promise<void> {
    const { partition } = head;
    const reason =
      `a node was told of entry ${heard.seq} in epoch ${heard.epoch} as recorded, ` +
      `the ledger ends at entry ${head.seq} in epoch ${head.epoch}`;
    if (await this.#parts.states.halt({ partition, ...heard }, 'ledger-went-back', reason)) this.#halted.add(partition);
    // An operator has accepted the ledger as it is.
    else this.#of(partition).head = { epoch: head.epoch, seq: head.seq };
  }

  #tick(): void {
    this.#giveUp();
    if (this.#askingSilence) return;
    this.#askingSilence = true;
    void this.#try(() => this.#askLedger()).finally(() => {
      this.#askingSilence = false;
    });
  }

  #giveUp(): void {
    const now = this.#parts.now();
    for (const known of this.#partitions.values()) {
      for (const seq of [...known.waiters.keys()]) {
        known.settle(seq, ({ sinceMs }) => (now - sinceMs >= ANSWER_MS_MAX ? UNKNOWN : null));
      }
    }
  }

  /** Asks the ledger about those who have heard nothing, the oldest first. */
  async #askLedger(): Promise<void> {
    const silent = this.#silentPartitions();
    if (silent.size === 0) return;
    const heads = await this.#parts.ledger.headsOf([...silent.keys()]);
    let asked = 0;
    for (const head of heads) {
      const seqs = [...new Set(silent.get(head.partition)?.map(({ place }) => place.seq))];
      for (const seq of seqs) {
        if (asked >= LOOK_UPS_MAX) return;
        if (await this.#lookUp(head, seq)) asked += 1;
      }
    }
  }

  #silentPartitions(): Map<number, Waiter[]> {
    const now = this.#parts.now();
    const silent = new Map<number, Waiter[]>();
    for (const [partition, { waiters }] of this.#partitions) {
      const all = [...waiters.values()].flat().filter(({ urgent, sinceMs }) => urgent || now - sinceMs >= SILENCE_MS);
      if (all.length > 0)
        silent.set(
          partition,
          all.sort((one, other) => one.sinceMs - other.sinceMs),
        );
    }
    return silent;
  }

  /** `head` was read before this: what it covers is there to be found. False: there was nothing to ask. */
  async #lookUp(head: SharedHead, seq: number): Promise<boolean> {
    const known = this.#of(head.partition);
    known.settle(seq, ({ place }) => atHead(place, head));
    const waiters = known.waiters.get(seq)?.filter(({ place }) => seq <= head.seq || place.epoch < head.epoch) ?? [];
    if (waiters.length === 0) return false;
    if (seq > head.seq) {
      // Its epoch is closed, and the ledger ended before it when that was read: nobody can record it any more.
      known.settle(seq, ({ place }) => (place.epoch < head.epoch ? DISCARDED : null));
      return false;
    }
    const { ledger } = this.#parts;
    const found = await ledger.recordedAt(head.partition, seq);
    if (found === null) return true;
    const needsHash = waiters.some(({ place }) => place.mark !== found.mark && place.epoch > found.epoch);
    const [stored] = needsHash ? await ledger.entries(head.partition, seq - 1, 1) : [];
    known.settle(seq, ({ place }) => {
      if (place.mark === found.mark) return answerOf(found.duplicateOf);
      if (place.epoch <= found.epoch) return DISCARDED;
      // The start of an epoch that was opened upon this entry.
      const isStart = stored !== undefined && place.mark === startMark(place.epoch, stored.hash);
      return isStart && place.epoch <= head.epoch ? RECORDED : null;
    });
    return true;
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.onTrouble(error as Error);
    }
  }
}

function hearRecorded(known: PartitionMarks, { epoch, firstSeq, marks, duplicates }: RecordedAnnouncement): void {
  const duplicateOf = new Map(duplicates);
  for (const [index, mark] of marks.entries()) {
    const seq = firstSeq + index;
    const recorded = { duplicateOf: duplicateOf.get(seq) ?? null };
    known.marks.set(mark, recorded);
    known.settle(seq, ({ place }) => {
      if (place.mark === mark) return answerOf(recorded.duplicateOf);
      // An entry of a later epoch is not the one that was recorded here, nor is it replaced by it.
      return place.epoch <= epoch ? DISCARDED : null;
    });
  }
  known.moveTo({ epoch, seq: firstSeq + marks.length - 1 });
}

/** A new epoch goes on after `firstSeq`: what an earlier one decided beyond it will never be recorded. */
function hearOpened(known: PartitionMarks, { epoch, firstSeq, marks }: RecordedAnnouncement): void {
  for (const mark of marks) known.marks.set(mark, { duplicateOf: null });
  known.moveTo({ epoch, seq: firstSeq });
  for (const seq of [...known.waiters.keys()]) {
    known.settle(seq, (waiter) => {
      if (marks.includes(waiter.place.mark)) return RECORDED;
      if (waiter.place.epoch >= epoch) return null;
      if (seq > firstSeq) return DISCARDED;
      waiter.urgent = true;
      return null;
    });
  }
}

/** The head that the ledger shows, or its beginning, which every epoch has. */
function atHead(place: Place, head: SharedHead): Acknowledgement | null {
  if (place.seq === 0) return place.epoch <= head.epoch ? RECORDED : null;
  const isStart =
    place.seq === head.seq && place.epoch === head.epoch && place.mark === startMark(head.epoch, head.hash);
  return isStart ? RECORDED : null;
}

function answerOf(duplicateOf: number | null): Acknowledgement {
  return duplicateOf === null ? RECORDED : { status: 'recorded', duplicateOf };
}

function isNewer(one: KnownHead, other: KnownHead): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.seq > other.seq);
}

/** Epochs and numbers never fall, unless a ledger was replaced by an older one. */
export function isBehind(head: KnownHead, seen: KnownHead): boolean {
  return head.epoch < seen.epoch || head.seq < seen.seq;
}
