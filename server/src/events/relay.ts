/**
 * Entries → events → publisher. The relay follows the recorded heads with a cursor of its own per partition, which
 * moves only after the publisher has accepted: every event goes out at least once, first appearances in order.
 *
 * Which partitions it publishes may change while it runs (`publishes`). Nothing rests on there being one relay only:
 * each begins at a cursor before which everything is accepted, and sends an event when the one before it of the same
 * key is accepted. So a second relay, or one that was stalled and goes on, can repeat events and cannot reorder
 * their first appearances; and cursors never move back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventPublisher, RelayCursors } from './event-publisher.ts';
import { type ReadEvents, RelayLine } from './relay-line.ts';

const PARTITIONS_AT_ONCE = 8;
/** Saving costs the ledger a commit of its own; what was published since the last one is published again. */
const CURSOR_SAVE_MS = 1_000;
/** An announcement may be lost, and leadership moves without one; events are to be on the wire within a second. */
const LOOK_MS = 250;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;
const STOP_MS_MAX = 3_000;

/** Where the ledger stands with one partition. */
export interface RecordedSeq {
  partition: number;
  epoch: number;
  seq: number;
}

export interface RelayParts<Event> {
  read: ReadEvents<Event>;
  publisher: EventPublisher<Event>;
  cursors: RelayCursors;
  onError: (error: Error) => void;
  /** Timers, so that a simulation can drive them. */
  delay: (ms: number) => Promise<void>;
  /** Repeats the work until the function that it returns is called. */
  every?: (ms: number, work: () => Promise<void>) => () => void;
  /**
   * The ledger's heads, from its primary. Left out where `recorded` hears of every entry.
   */
  heads?: () => Promise<readonly RecordedSeq[]>;
  /** Whether this relay publishes the partition now: it leads, or owns it. Left out: all of them, always. */
  publishes?: (partition: number) => boolean;
  /** The ledger ends before what was published from it: it was replaced by an older copy. The partition is left alone until a new epoch. */
  onWentBack?: (head: RecordedSeq, publishedSeq: number) => void;
}

export class Relay<Event> {
  readonly #parts: RelayParts<Event>;
  readonly #lines = new Map<number, RelayLine<Event>>();
  /** Lines with something to publish that nobody works on. */
  readonly #waiting = new Set<RelayLine<Event>>();
  readonly #working = new Map<RelayLine<Event>, Promise<void>>();
  readonly #retryMs = new Map<RelayLine<Event>, number>();
  readonly #saved = new Map<number, number>();
  /** Where the ledger ended when it was found behind what was published. */
  readonly #wentBackTo = new Map<number, RecordedSeq>();
  #stopped = false;
  #looking: Promise<void> | null = null;
  #endTimers: (() => void)[] = [];

  constructor(parts: RelayParts<Event>) {
    this.#parts = parts;
  }

  /** Goes on from the stored cursors up to what is recorded. */
  async start(recorded: readonly RecordedSeq[]): Promise<void> {
    const { every = repeat, heads, onError } = this.#parts;
    await this.#take(recorded);
    this.#endTimers.push(every(CURSOR_SAVE_MS, () => this.#save().catch(onError)));
    if (heads !== undefined) this.#endTimers.push(every(LOOK_MS, () => this.#look(heads)));
  }

  /** Entries up to `seq` are in the ledger. */
  recorded(partition: number, seq: number): void {
    const line = this.#lines.get(partition);
    line?.recorded(seq);
    if (line !== undefined && line.lag > 0) this.#wait(line);
  }

  /** The last entry of which every event is published, as far as this relay knows; 0 for what it does not publish. */
  publishedSeq(partition: number): number {
    return this.#lines.get(partition)?.publishedSeq ?? 0;
  }

  /** Entries recorded and not yet published, of the partitions that this relay publishes. */
  lag(): number {
    let lag = 0;
    for (const line of this.#lines.values()) lag += line.lag;
    return lag;
  }

  /** Waits, within a bound, for what is being published; what is not accepted by then is published again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#endTimers.splice(0)) end();
    for (const line of this.#lines.values()) line.end();
    const bound = new AbortController();
    const late = sleep(STOP_MS_MAX, undefined, { signal: bound.signal }).catch(() => undefined);
    await Promise.race([Promise.all([...this.#working.values(), this.#looking]), late]);
    bound.abort();
    await this.#save();
  }

  /** Learns what was recorded without being announced, and what became or is no longer this relay's. */
  #look(heads: () => Promise<readonly RecordedSeq[]>): Promise<void> {
    this.#looking ??= this.#lookOnce(heads)
      .catch(this.#parts.onError)
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  async #lookOnce(heads: () => Promise<readonly RecordedSeq[]>): Promise<void> {
    // Before the heads are asked for: what is published meanwhile may be newer than the answer.
    const published = new Map([...this.#lines].map(([partition, line]) => [partition, line.publishedSeq]));
    const found = await heads();
    if (this.#stopped) return;
    for (const head of found) {
      const publishedSeq = published.get(head.partition) ?? 0;
      if (publishedSeq > head.seq) this.#wentBack(head, publishedSeq);
    }
    await this.#take(found);
  }

  /** Begins lines of what is newly this relay's, ends those of what no longer is. */
  async #take(heads: readonly RecordedSeq[]): Promise<void> {
    const { publishes = () => true, cursors } = this.#parts;
    const mine = heads.filter(({ partition, epoch }) => {
      const wentBackTo = this.#wentBackTo.get(partition);
      return publishes(partition) && (wentBackTo === undefined || wentBackTo.epoch < epoch);
    });
    const kept = new Set(mine.map(({ partition }) => partition));
    for (const partition of [...this.#lines.keys()].filter((known) => !kept.has(known))) await this.#leave(partition);
    const taken = mine.filter(({ partition }) => !this.#lines.has(partition));
    if (taken.length > 0) {
      const stored = await cursors.load();
      for (const head of taken) {
        const { partition } = head;
        // What a new epoch continues is where the ledger ended then, whatever was published of what is lost.
        const { seq = Number.POSITIVE_INFINITY } = this.#wentBackTo.get(partition) ?? {};
        this.#begin(head, Math.min(stored.get(partition) ?? 0, seq));
      }
    }
    for (const { partition, seq } of mine) this.recorded(partition, seq);
  }

  #begin(head: RecordedSeq, publishedSeq: number): void {
    const { read, publisher } = this.#parts;
    const { partition } = head;
    if (this.#stopped) return;
    if (publishedSeq > head.seq) {
      this.#wentBack(head, publishedSeq);
      return;
    }
    this.#wentBackTo.delete(partition);
    this.#saved.set(partition, publishedSeq);
    this.#lines.set(partition, new RelayLine({ partition, publishedSeq, read, publisher }));
  }

  async #leave(partition: number): Promise<void> {
    const line = this.#lines.get(partition);
    if (line === undefined) return;
    this.#lines.delete(partition);
    this.#waiting.delete(line);
    line.end();
    await this.#save([line]).catch(this.#parts.onError);
  }

  #wentBack(head: RecordedSeq, publishedSeq: number): void {
    const { partition } = head;
    const line = this.#lines.get(partition);
    this.#lines.delete(partition);
    if (line !== undefined) this.#waiting.delete(line);
    line?.end();
    this.#wentBackTo.set(partition, head);
    this.#parts.onWentBack?.(head, publishedSeq);
  }

  #wait(line: RelayLine<Event>): void {
    if (this.#working.has(line) || this.#retryMs.has(line)) return;
    this.#waiting.add(line);
    this.#assign();
  }

  #assign(): void {
    for (const line of this.#waiting) {
      if (this.#stopped || this.#working.size >= PARTITIONS_AT_ONCE) return;
      this.#waiting.delete(line);
      this.#working.set(line, this.#work(line));
    }
  }

  /** A turn of one partition: until it is level, or until others wait for theirs. */
  async #work(line: RelayLine<Event>): Promise<void> {
    const before = line.publishedSeq;
    let failure: Error | null = null;
    try {
      await line.advance(() => this.#waiting.size === 0);
    } catch (error) {
      failure = error as Error;
    }
    this.#working.delete(line);
    if (failure !== null && !this.#stopped) this.#parts.onError(failure);
    const stands = line.lag > 0 && line.publishedSeq === before;
    if (failure !== null || stands) void this.#retryLater(line, line.publishedSeq > before);
    else this.#goOn(line);
  }

  /** A line that waits to be tried again holds up no other. */
  async #retryLater(line: RelayLine<Event>, moved: boolean): Promise<void> {
    const retryMs = moved ? RETRY_MS_MIN : Math.min(2 * (this.#retryMs.get(line) ?? RETRY_MS_MIN / 2), RETRY_MS_MAX);
    this.#retryMs.set(line, retryMs);
    this.#assign();
    await this.#parts.delay(retryMs);
    if (this.#lines.get(line.partition) !== line) this.#retryMs.delete(line);
    else this.#again(line);
  }

  #again(line: RelayLine<Event>): void {
    if (this.#stopped) return;
    this.#waiting.add(line);
    this.#assign();
  }

  #goOn(line: RelayLine<Event>): void {
    this.#retryMs.delete(line);
    if (line.lag > 0 && this.#lines.get(line.partition) === line) this.#waiting.add(line);
    this.#assign();
  }

  async #save(lines: Iterable<RelayLine<Event>> = this.#lines.values()): Promise<void> {
    const moved = new Map<number, number>();
    for (const { partition, publishedSeq } of lines) {
      if (publishedSeq > (this.#saved.get(partition) ?? 0)) moved.set(partition, publishedSeq);
    }
    if (moved.size === 0) return;
    await this.#parts.cursors.save(moved);
    for (const [partition, seq] of moved) this.#saved.set(partition, seq);
  }
}

function repeat(ms: number, work: () => Promise<void>): () => void {
  const timer = setInterval(() => void work(), ms);
  timer.unref();
  return () => clearInterval(timer);
}
