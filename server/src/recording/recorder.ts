/**
 * Journal → ledger. Group commit: whatever is waiting when a commit ends becomes the next one; its callers are
 * answered after it, never before. After a failed commit the engine is emptied and filled again from the ledger;
 * when the disk cannot be believed, everybody is told so (504) and the process ends.
 */
import type { EntryRow, Ledger, PartitionRecord, RecordResult } from '../ledger/ledger.ts';
import type { Entry } from '../stock/entry.ts';
import type { EmbeddedEngine, JournalBatch, RecordedHead } from '../stock/stock-engine.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { ANSWER_MS_MAX, BATCH_ENTRIES_MAX, markDuplicate, POISON_MS, POISON_REBUILDS_MAX, rowOf } from './batch.ts';
import { type EntryChecker, EntryRejected } from './entry-checker.ts';

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

/** The answers that a commit made possible. */
class Answers {
  #releases: (() => void)[];

  constructor(releases: (() => void)[]) {
    this.#releases = releases;
  }

  release(): void {
    const releases = this.#releases;
    this.#releases = [];
    for (const release of releases) release();
  }

  /**
   * Nothing waits, so all callers are in this batch: answered at once they would all ask again at once, and the
   * ledger would idle while they are decided. Half of them now, the rest a moment later, while it works.
   */
  releaseInHalves(): void {
    const half = Math.ceil(this.#releases.length / 2);
    for (const release of this.#releases.splice(0, half)) release();
    if (this.#releases.length > 0) setImmediate(() => this.release());
  }
}

const NO_ANSWERS = new Answers([]);

interface Prepared {
  record: PartitionRecord;
  entries: Entry[];
  marks: string[];
}

export class Recorder {
  readonly #parts: RecorderParts;
  readonly #heads = new Map<number, RecordedHead>();
  /** What is recorded and not answered yet. */
  #answers: Answers = NO_ANSWERS;
  #rejections: number[] = [];
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
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

  head(partition: number): RecordedHead {
    const head = this.#heads.get(partition);
    if (head === undefined) throw new Error(`the recorder does not hold partition ${partition}`);
    return head;
  }

  #adopt(heads: readonly RecordedHead[]): void {
    for (const head of heads) this.#heads.set(head.partition, head);
    this.#parts.acknowledgements.open(heads);
  }

  /**
   * While one batch is being committed the callers of the one before are answered, and what they ask next is
   * decided: the two threads work side by side. (One after the other: 24 400 reservations/s at 64 in flight.)
   */
  async #run(): Promise<void> {
    try {
      for (;;) {
        const waiting = this.#parts.engine.nextBatches(BATCH_ENTRIES_MAX);
        if (waiting instanceof Promise) this.#answers.releaseInHalves();
        const batches = waiting instanceof Promise ? await waiting : waiting;
        if (batches.length === 0) return;
        const recording = this.#recordBatches(batches);
        if (!(waiting instanceof Promise)) this.#answers.release();
        const answers = await recording;
        this.#answers.release();
        this.#answers = answers;
      }
    } catch (error) {
      // Nobody records any more: what is decided from now on would wait for ever.
      this.#parts.engine.halt();
      this.#answers.release();
      this.#parts.acknowledgements.giveUpAll();
      this.#parts.events.fatal((error as Error).message);
    } finally {
      this.#answers.release();
    }
  }

  async #recordBatches(batches: readonly JournalBatch[]): Promise<Answers> {
    let prepared: Prepared[];
    try {
      prepared = batches.map((batch) => this.#prepare(batch));
    } catch (error) {
      if (!(error instanceof EntryRejected)) throw error;
      await this.#rejected(error);
      return NO_ANSWERS;
    }
    return this.#commit(prepared);
  }

  /** Checks every entry of the batch against the head that it follows. */
  #prepare({ partition, entries }: JournalBatch): Prepared {
    const head = this.head(partition);
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

  async #commit(prepared: readonly Prepared[]): Promise<Answers> {
    const { events, now } = this.#parts;
    for (;;) {
      const startedAt = now();
      const result = await this.#recordWithin(prepared.map(({ record }) => record));
      switch (result.status) {
        case 'recorded': {
          const entries = prepared.reduce((sum, batch) => sum + batch.entries.length, 0);
          events.committed({ entries, durationMs: now() - startedAt });
          return this.#recorded(prepared, result.heads);
        }
        case 'duplicate':
          for (const found of result.found) markDuplicate(prepared, found);
          continue;
        case 'rolled-back':
          await this.#reload(`the ledger refused a commit: ${result.reason}`);
          return NO_ANSWERS;
        case 'conflict':
          throw new Error(`another process recorded into partition ${result.partitions.join(', ')}`);
        case 'unknown':
          throw new Error(`the ledger cannot tell whether a commit is on disk: ${result.reason}`);
      }
    }
  }

  /** A commit that takes too long is waited for, but not by the callers: they are told to ask again. */
  async #recordWithin(records: readonly PartitionRecord[]): Promise<RecordResult> {
    const { ledger, acknowledgements } = this.#parts;
    const timer = setInterval(() => acknowledgements.giveUpAll(), ANSWER_MS_MAX);
    try {
      return await ledger.record(records);
    } finally {
      clearInterval(timer);
    }
  }

  #recorded(prepared: readonly Prepared[], heads: readonly RecordedHead[]): Answers {
    const { engine, acknowledgements, events } = this.#parts;
    const releases: (() => void)[] = [];
    for (const [index, { entries, marks }] of prepared.entries()) {
      const head = heads[index] as RecordedHead;
      this.#heads.set(head.partition, head);
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
    }
    return new Answers(releases);
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
    // Callers of the batch before may wait still: theirs is recorded and must not be called discarded.
    this.#answers.release();
    engine.halt();
    checker.reset();
    acknowledgements.discardAll();
    events.halted(reason);
    if (!this.#stopped) this.#adopt(await reload());
  }
}

function halves<T>(values: T[]): T[][] {
  if (values.length < 2) return [values];
  const middle = values.length >> 1;
  return [values.slice(0, middle), values.slice(middle)];
}
