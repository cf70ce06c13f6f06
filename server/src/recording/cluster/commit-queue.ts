/**
 * Group commit over many partitions: while one batch is being committed the next one gathers, already read and
 * checked. Nothing is announced before its commit, and nothing is discarded: what cannot be committed is still in the
 * engine's journal, and is read again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { SharedLedger, SharedRecord, SharedRecordResult, SharedRow } from '../../ledger/shared-ledger.ts';
import type { Entry } from '../../stock/entry.ts';
import type { SharedHead } from '../../stock/shared-engine.ts';
import { BATCH_ENTRIES_MAX, markDuplicate, markDuplicatesWithin } from '../batch.ts';
import type { OwnedPartition } from './owned-partition.ts';
import type { RecordedAnnouncement } from './recorded-channel.ts';

/** How often a batch that was rolled back is sent again at once, and after which pause. */
const COMMIT_TRIES_MAX = 5;
const COMMIT_PAUSE_MS = 50;
/** How often the heads are asked for when a commit's fate is not known. */
const REREAD_PAUSE_MS = 250;

export interface CommitEvents {
  /** All that one transaction recorded, partition by partition. */
  recorded(batches: readonly { gathered: Gathered; head: SharedHead }[], durationMs: number): void;
  /** Somebody else moved the cursor of these, or what became of their entries is not known: start again at the ledger's head. */
  overtaken(partitions: readonly OwnedPartition[]): void;
  trouble(error: Error): void;
}

/** Entries of one partition that are checked, in order. */
export interface Gathered {
  owned: OwnedPartition;
  generation: number;
  entries: Entry[];
  rows: SharedRow[];
}

interface Sent extends Gathered {
  record: SharedRecord;
}

export class CommitQueue {
  readonly #ledger: Pick<SharedLedger, 'record' | 'headsOf'>;
  readonly #events: CommitEvents;
  #gathered = new Map<number, Gathered>();
  #gatheredEntries = 0;
  #committing: Promise<void> | null = null;
  #stopped = false;

  constructor(ledger: Pick<SharedLedger, 'record' | 'headsOf'>, events: CommitEvents) {
    this.#ledger = ledger;
    this.#events = events;
  }

  /** How many entries may still be gathered. */
  get room(): number {
    return BATCH_ENTRIES_MAX - this.#gatheredEntries;
  }

  add(owned: OwnedPartition, entries: readonly Entry[], rows: readonly SharedRow[]): void {
    if (entries.length === 0) return;
    const gathered = this.#gathered.get(owned.partition);
    if (gathered?.generation === owned.generation) {
      gathered.entries.push(...entries);
      gathered.rows.push(...rows);
    } else {
      const { generation } = owned;
      this.#gathered.set(owned.partition, { owned, generation, entries: [...entries], rows: [...rows] });
    }
    this.#gatheredEntries += entries.length;
    this.#next();
  }

  /** Resolves when all that was gathered so far is recorded, or void. */
  async drained(): Promise<void> {
    while (this.#committing !== null) await this.#committing;
  }

  /** Resolves when there is room for more. */
  async roomMade(): Promise<void> {
    while (this.room <= 0 && this.#committing !== null) await this.#committing;
  }

  /** Gives up what the ledger does not take; call `drained` then. */
  stop(): void {
    this.#stopped = true;
  }

  #next(): void {
    if (this.#committing !== null || this.#gathered.size === 0) return;
    const batches = [...this.#gathered.values()].filter(isCurrent);
    this.#gathered = new Map();
    this.#gatheredEntries = 0;
    if (batches.length === 0) return;
    this.#committing = this.#commit(batches).finally(() => {
      this.#committing = null;
      this.#next();
    });
  }

  async #commit(batches: readonly Gathered[]): Promise<void> {
    const sent = batches
      .toSorted((one, other) => one.owned.partition - other.owned.partition)
      .map((batch) => ({ ...batch, record: { head: batch.owned.head as SharedHead, entries: batch.rows } }));
    const refused = await this.#send(sent);
    if (refused.length === 0) return;
    // Each by itself: what the ledger does not take of one partition must not hold up the others.
    const alone = refused.length === 1 ? [refused] : await Promise.all(refused.map((one) => this.#send([one])));
    const left = alone.flat();
    if (left.length > 0) this.#events.overtaken(left.map(({ owned }) => owned));
  }

  /** Returns what the ledger rolled back again and again. */
  async #send(batches: readonly Sent[]): Promise<readonly Sent[]> {
    const startedAt = performance.now();
    let sent = batches;
    for (let failures = 0; sent.length > 0; ) {
      const result = await this.#record(sent);
      switch (result.status) {
        case 'recorded':
          this.#recorded(sent, result.heads, performance.now() - startedAt);
          return [];
        case 'duplicate':
          for (const found of result.found) markDuplicate(sent, found);
          if (result.found.length > 0 || markDuplicatesWithin(sent) > 0) continue;
          this.#events.trouble(new Error('the ledger found an operation id twice and cannot say which'));
          return sent;
        case 'conflict':
          sent = this.#drop(sent, new Set(result.partitions));
          continue;
        case 'rolled-back':
          failures += 1;
          this.#events.trouble(new Error(`the ledger refused a commit: ${result.reason}`));
          if (failures >= COMMIT_TRIES_MAX) return sent;
          await delay(COMMIT_PAUSE_MS * 2 ** failures);
          continue;
        case 'unknown':
          this.#events.trouble(new Error(`the ledger cannot tell whether it committed: ${result.reason}`));
          await this.#settleUnknown(sent, startedAt);
          return [];
      }
    }
    return [];
  }

  async #record(sent: readonly Sent[]): Promise<SharedRecordResult> {
    try {
      return await this.#ledger.record(sent.map(({ record }) => record));
    } catch (error) {
      return { status: 'unknown', reason: (error as Error).message };
    }
  }

  #drop(sent: readonly Sent[], partitions: ReadonlySet<number>): Sent[] {
    const dropped = sent.filter(({ owned }) => partitions.has(owned.partition));
    this.#events.overtaken(dropped.map(({ owned }) => owned));
    return sent.filter(({ owned }) => !partitions.has(owned.partition));
  }

  #recorded(sent: readonly Sent[], heads: readonly SharedHead[], durationMs: number): void {
    const byPartition = new Map(heads.map((head) => [head.partition, head]));
    const recorded = sent.map((gathered) => {
      const { partition } = gathered.owned;
      const head = byPartition.get(partition);
      if (head === undefined) throw new Error(`the ledger recorded partition ${partition} without a head`);
      if (isCurrent(gathered)) gathered.owned.recorded(head);
      return { gathered, head };
    });
    this.#events.recorded(recorded, durationMs);
  }

  /** The cursors tell what the database holds: moved by exactly this batch, it is recorded. */
  async #settleUnknown(sent: readonly Sent[], startedAt: number): Promise<void> {
    const heads = await this.#headsNow(sent.map(({ owned }) => owned.partition));
    const done: SharedHead[] = [];
    for (const { record } of sent) {
      const last = record.entries.at(-1);
      const head = heads.find(({ partition }) => partition === record.head.partition);
      const isOurs = head?.epoch === record.head.epoch && head.seq === last?.seq && head.mark === last.mark;
      if (head !== undefined && isOurs) done.push(head);
    }
    const recorded = new Set(done.map(({ partition }) => partition));
    const isRecorded = ({ owned }: Sent) => recorded.has(owned.partition);
    if (done.length > 0) this.#recorded(sent.filter(isRecorded), done, performance.now() - startedAt);
    const others = sent.filter((batch) => !isRecorded(batch));
    if (others.length > 0) this.#events.overtaken(others.map(({ owned }) => owned));
  }

  async #headsNow(partitions: readonly number[]): Promise<SharedHead[]> {
    for (;;) {
      try {
        return await this.#ledger.headsOf(partitions);
      } catch (error) {
        this.#events.trouble(error as Error);
        if (this.#stopped) return [];
        await delay(REREAD_PAUSE_MS);
      }
    }
  }
}

/** What was gathered before the partition began anew is void. */
function isCurrent({ owned, generation }: Gathered): boolean {
  return owned.generation === generation;
}

export function announcementOf({ owned, entries, rows }: Gathered): RecordedAnnouncement {
  const [first] = entries as [Entry];
  return {
    partition: owned.partition,
    epoch: first.epoch,
    firstSeq: first.seq,
    marks: rows.map(({ mark }) => mark),
    duplicates: entries.flatMap(({ seq, duplicateOf }): [number, number][] =>
      duplicateOf === null ? [] : [[seq, duplicateOf]],
    ),
    opened: false,
  };
}
