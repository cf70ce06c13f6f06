/**
 * Journal → ledger. Group commit: whatever is waiting when a commit ends becomes the next one; its callers are
 * answered after it, never before. After a failed commit the engine is emptied and filled again from the ledger;
 * when the disk cannot be believed, everybody is told so (504) and the process ends.
 */
import type { EntryRow, Ledger, PartitionRecord, RecordResult, SentHead } from '../ledger/ledger.ts';
import type { Entry } from '../stock/entry.ts';
import type { EmbeddedEngine, JournalBatch, RecordedHead } from '../stock/stock-engine.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { ANSWER_MS_MAX, BATCH_ENTRIES_MAX, markDuplicate, POISON_MS, POISON_REBUILDS_MAX, rowOf } from './batch.ts';
import { type EntryChecker, EntryRejected } from './entry-checker.ts';

const PATIENCE_CHECK_MS = 1_000;
/** Batches that are sent to a ledger that takes them ahead: it finds the next one waiting when it is done with one. */
const UNDER_WAY_MAX = 2;

export interface RecorderEvents {
  /** After each commit, with the entries that it holds. */
  recorded(head: RecordedHead, entries: readonly Entry[]): void;
  /** An entry turned out to be decided twice: its effect must be undone. */
  duplicated(entry: Entry): void;
  committed(statistics: { entries: number; durationMs: number }): void;
  /** The engine was halted; `reload` fills it again. */
  halted(reason: string): void;
  /** Nothing more can be done here: the process must end. */
  fatal(reason: string): void;
}

export interface RecorderParts {
  engine: EmbeddedEngine;
  ledger: Ledger;
  acknowledgements: Acknowledgements;
  checker: EntryChecker;
  events: RecorderEvents;
  /** Fills the engine from the ledger and opens it. Repeats until it can, unless the recorder is stopped. */
  reload: () => Promise<RecordedHead[]>;
  now: () => number;
}

interface Prepared {
  record: PartitionRecord;
  entries: Entry[];
  marks: string[];
}

/** Entries on their way to the ledger. */
interface Batch {
  prepared: Prepared[];
  startedAt: number;
  result: Promise<RecordResult>;
}

export class Recorder {
  readonly #parts: RecorderParts;
  readonly #recordedHeads = new Map<number, RecordedHead>();
  /** Where the next batch of each partition begins: after what was sent, whether or not it is recorded already. */
  readonly #heads = new Map<number, SentHead>();
  readonly #underWay: Batch[] = [];
  readonly #underWayMax: number;
  /** Ends when every batch that was sent is completed, in the order in which they were. */
  #completed: Promise<void> = Promise.resolve();
  /** Nothing is sent: a batch was not recorded, and what follows from that is not done yet. */
  #inTrouble = false;
  /** Recording became impossible. */
  #failed = false;
  #wake: (() => void) | null = null;
  /** Callers whose answer is recorded, and who are told so in a moment. */
  #told: (() => void)[] = [];
  #rejections: number[] = [];
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#underWayMax = parts.ledger.recordsAhead === true ? UNDER_WAY_MAX : 1;
  }

  start(heads: readonly RecordedHead[]): void {
    this.#adopt(heads);
    this.#running = this.#run();
  }

  /** Ends once everything that was decided is recorded; close the engine's journal first. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  #adopt(heads: readonly RecordedHead[]): void {
    for (const head of heads) {
      this.#heads.set(head.partition, head);
      this.#recordedHeads.set(head.partition, head);
    }
    this.#parts.acknowledgements.open(heads);
  }

  /**
   * While batches are being committed the callers of the one before are answered, and what they ask next is decided:
   * the two threads work side by side.
   */
  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#place();
        const waiting = this.#parts.engine.nextBatches(BATCH_ENTRIES_MAX);
        const batches = waiting instanceof Promise ? await waiting : waiting;
        if (batches.length === 0) break;
        if (this.#inTrouble) await this.#place();
        await this.#send(batches);
      }
      await this.#completed;
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Nobody records any more: what is decided from now on would wait for ever. */
  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#parts.engine.halt();
    this.#tell();
    this.#parts.acknowledgements.giveUpAll();
    this.#parts.events.fatal(error.message);
  }

  /** Waits until another batch may be sent. */
  async #place(): Promise<void> {
    while (this.#inTrouble || this.#underWay.length >= this.#underWayMax) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async #send(taken: readonly JournalBatch[]): Promise<void> {
    // What an engine decided before it was emptied is discarded, and its callers know.
    const isOpen = ({ partition, epoch }: JournalBatch) => epoch >= this.#head(partition).epoch;
    const batches = taken.filter(isOpen);
    if (batches.length === 0 || this.#failed) return;
    let prepared: Prepared[];
    try {
      prepared = batches.map((batch) => this.#prepare(batch));
    } catch (error) {
      if (!(error instanceof EntryRejected)) throw error;
      // What was sent before it is recorded, and its callers are answered, before the engine is emptied.
      await this.#completed;
      if (batches.every(isOpen) && !this.#failed) await this.#rejected(error);
      return;
    }
    for (const { record } of prepared) this.#heads.set(record.head.partition, sentHead(record));
    const batch = this.#record(prepared, this.#underWay.length > 0);
    this.#underWay.push(batch);
    this.#completed = this.#completed.then(() => this.#complete(batch)).catch((error: Error) => this.#fail(error));
  }

  #record(prepared: Prepared[], ahead: boolean): Batch {
    const startedAt = this.#parts.now();
    return {
      prepared,
      startedAt,
      result: this.#recordWithin(
        prepared.map(({ record }) => record),
        ahead,
      ),
    };
  }

  /** Checks every entry of the batch against the head that it follows. */
  #prepare({ partition, entries }: JournalBatch): Prepared {
    const head = this.#head(partition);
    let before: Pick<RecordedHead, 'epoch' | 'seq' | 'at'> = head;
    const rows: EntryRow[] = [];
    for (const { entry } of entries) {
      this.#parts.checker.check(entry, before);
      rows.push(rowOf(entry));
      before = entry;
    }
    return {
      record: { head, entries: rows },
      entries: entries.map(({ entry }) => entry),
      marks: entries.map(({ mark }) => mark),
    };
  }

  #head(partition: number): SentHead {
    const head = this.#heads.get(partition);
    if (head === undefined) throw new Error(`the recorder does not hold partition ${partition}`);
    return head;
  }

  /** A commit that takes too long is waited for, but not by the callers: they are told to ask again. */
  async #recordWithin(records: readonly PartitionRecord[], ahead: boolean): Promise<RecordResult> {
    const { ledger, acknowledgements } = this.#parts;
    const timer = setInterval(() => acknowledgements.giveUp(performance.now() - ANSWER_MS_MAX), PATIENCE_CHECK_MS);
    try {
      return await ledger.record(records, ahead);
    } finally {
      clearInterval(timer);
    }
  }

  async #complete(batch: Batch): Promise<void> {
    // A batch that was in trouble has dealt with those behind it.
    if (this.#failed || !this.#underWay.includes(batch)) return;
    const result = await batch.result;
    if (result.status === 'recorded') {
      this.#underWay.shift();
      this.#wakeUp();
      this.#recorded(batch, result.heads);
      return;
    }
    this.#inTrouble = true;
    try {
      await this.#notRecorded(result);
    } finally {
      this.#inTrouble = false;
      this.#wakeUp();
    }
  }

  /** The oldest batch was not recorded, so those behind it were not either: they are sent again, one by one. */
  async #notRecorded(first: RecordResult): Promise<void> {
    const [oldest, ...behind] = this.#underWay.splice(0);
    if (oldest === undefined) throw new Error('no batch is under way');
    for (const { result } of behind) {
      if ((await result).status === 'recorded') throw new Error('a batch was recorded without the one before it');
    }
    if (!(await this.#settle(oldest, first))) return;
    for (const { prepared } of behind) {
      const again = this.#recordAgain(prepared);
      if (!(await this.#settle(again, await again.result))) return;
    }
  }

  #recordAgain(prepared: Prepared[]): Batch {
    for (const { record } of prepared) {
      if (record.head.hash === null) record.head = this.#recordedHead(record.head.partition);
    }
    return this.#record(prepared, false);
  }

  #recordedHead(partition: number): RecordedHead {
    const head = this.#recordedHeads.get(partition);
    if (head === undefined) throw new Error(`the recorder does not hold partition ${partition}`);
    return head;
  }

  /** Records a batch for good; false: the ledger would not have it, and the engine was filled again. */
  async #settle(batch: Batch, first: RecordResult): Promise<boolean> {
    let result = first;
    for (;;) {
      switch (result.status) {
        case 'recorded':
          this.#recorded(batch, result.heads);
          return true;
        case 'duplicate':
          for (const found of result.found) markDuplicate(batch.prepared, found);
          result = await this.#recordAgain(batch.prepared).result;
          continue;
        case 'rolled-back':
          await this.#reload(`the ledger refused a commit: ${result.reason}`);
          return false;
        case 'conflict':
          throw new Error(`another process recorded into partition ${result.partitions.join(', ')}`);
        case 'unknown':
          throw new Error(`the ledger cannot tell whether a commit is on disk: ${result.reason}`);
      }
    }
  }

  #recorded({ prepared, startedAt }: Batch, heads: readonly RecordedHead[]): void {
    const { engine, acknowledgements, events, now } = this.#parts;
    const releases: (() => void)[] = [];
    let sum = 0;
    for (const [index, { entries, marks }] of prepared.entries()) {
      const head = heads[index] as RecordedHead;
      this.#knowHash(head);
      engine.recorded(head);
      const recorded = entries.map(({ seq, duplicateOf }, position) => ({
        seq,
        duplicateOf,
        mark: marks[position] as string,
      }));
      acknowledgements.recorded(head);
      releases.push(...halves(recorded).map((half) => () => acknowledgements.release(head.partition, half)));
      events.recorded(head, entries);
      for (const entry of entries) if (entry.duplicateOf !== null) events.duplicated(entry);
      sum += entries.length;
    }
    events.committed({ entries: sum, durationMs: now() - startedAt });
    this.#release(releases);
  }

  /** Until now the ledger alone knew the hash that the next batch follows. */
  #knowHash(head: RecordedHead): void {
    this.#recordedHeads.set(head.partition, head);
    const sent = this.#head(head.partition);
    if (sent.epoch === head.epoch && sent.seq === head.seq) this.#heads.set(head.partition, head);
  }

  /**
   * When nothing is under way, all callers are in this batch: answered at once they would all ask again at once, and
   * the ledger would idle while they are decided. Half of them now, the rest a moment later, while it works.
   */
  #release(releases: (() => void)[]): void {
    const now = this.#underWay.length > 0 ? releases.length : Math.ceil(releases.length / 2);
    for (const release of releases.slice(0, now)) release();
    if (now === releases.length) return;
    this.#told.push(...releases.slice(now));
    setImmediate(() => this.#tell());
  }

  #tell(): void {
    for (const release of this.#told.splice(0)) release();
  }

  async #rejected(error: EntryRejected): Promise<void> {
    const { now } = this.#parts;
    this.#rejections = [...this.#rejections.filter((at) => now() - at < POISON_MS), now()];
    if (this.#rejections.length > POISON_REBUILDS_MAX) throw error;
    await this.#reload(error.message);
  }

  /** What was decided and not recorded is gone; its callers hear so, and the engine begins again at the ledger's head. */
  async #reload(reason: string): Promise<void> {
    const { engine, acknowledgements, checker, events, reload } = this.#parts;
    engine.halt();
    checker.reset();
    // Theirs is recorded, and must not be called discarded.
    this.#tell();
    acknowledgements.discardAll();
    events.halted(reason);
    if (!this.#stopped) this.#adopt(await reload());
  }
}

/** The head that a batch leaves once it is recorded. */
function sentHead({ head, entries }: PartitionRecord): SentHead {
  const last = entries.at(-1);
  return last === undefined ? head : { ...head, seq: last.seq, at: last.at, hash: null };
}

function halves<T>(values: T[]): T[][] {
  if (values.length < 2) return [values];
  const middle = values.length >> 1;
  return [values.slice(0, middle), values.slice(middle)];
}
