/**
 * Entries → events → publisher. The relay follows the recorded heads with a cursor of its own per partition, which
 * moves only after the publisher has accepted: every event goes out at least once, first appearances in order.
 */
import type { EventFilter } from './event-feed.ts';
import type { EventPublisher, RelayCursors } from './event-publisher.ts';
import { type EventPosition, type EventSource, WHOLE_ENTRY } from './event-source.ts';

const EVENTS_PER_PUBLISH = 1_000;
/** Saving costs the ledger a commit of its own; what was published since the last one is published again. */
const CURSOR_SAVE_MS = 1_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;

const EVERYTHING: EventFilter = { hqId: null };

export interface RelayParts {
  source: EventSource;
  publisher: EventPublisher;
  cursors: RelayCursors;
  onError: (error: Error) => void;
  /** Timers, so that a simulation can drive them. */
  delay: (ms: number) => Promise<void>;
  /** Repeats the work until the function that it returns is called. */
  every?: (ms: number, work: () => Promise<void>) => () => void;
}

export class Relay {
  readonly #parts: RelayParts;
  readonly #published = new Map<number, EventPosition>();
  readonly #recorded = new Map<number, number>();
  readonly #behind = new Set<number>();
  #wake: (() => void) | null = null;
  #stopped = false;
  #running: Promise<void> | null = null;
  #unsaved = false;
  #stopSaving: () => void = () => undefined;

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /** Goes on from the stored cursors up to what is recorded. */
  async start(recorded: readonly { partition: number; seq: number }[]): Promise<void> {
    for (const [partition, seq] of await this.#parts.cursors.load())
      this.#moveTo(partition, { seq, index: WHOLE_ENTRY });
    for (const { partition, seq } of recorded) this.recorded(partition, seq);
    this.#running = this.#run();
    this.#stopSaving = (this.#parts.every ?? every)(CURSOR_SAVE_MS, () => this.#save().catch(this.#parts.onError));
  }

  /** Entries up to `seq` are in the ledger. */
  recorded(partition: number, seq: number): void {
    this.#recorded.set(partition, seq);
    if (seq <= this.publishedSeq(partition)) return;
    this.#behind.add(partition);
    this.#wakeUp();
  }

  /** The last entry of which every event is published. */
  publishedSeq(partition: number): number {
    return wholeSeq(this.#position(partition));
  }

  #position(partition: number): EventPosition {
    return this.#published.get(partition) ?? { seq: 0, index: WHOLE_ENTRY };
  }

  /** Entries recorded and not yet published. */
  lag(): number {
    let lag = 0;
    for (const [partition, seq] of this.#recorded) lag += Math.max(0, seq - this.publishedSeq(partition));
    return lag;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopSaving();
    this.#wakeUp();
    await this.#running;
    await this.#save();
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!this.#stopped) {
      const [partition] = this.#behind;
      if (partition === undefined) {
        await this.#idle();
        continue;
      }
      try {
        await this.#publishSome(partition);
        retryMs = RETRY_MS_MIN;
      } catch (error) {
        this.#parts.onError(error as Error);
        await this.#parts.delay(retryMs);
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
  }

  async #idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** A bounded step of one partition; the others have their turn after it. */
  async #publishSome(partition: number): Promise<void> {
    const { source, publisher } = this.#parts;
    this.#behind.delete(partition);
    const target = this.#recorded.get(partition) ?? 0;
    try {
      if (publisher.idle) return this.#moveTo(partition, { seq: target, index: WHOLE_ENTRY });
      const batch = await source.read(partition, this.#position(partition), EVERYTHING, EVENTS_PER_PUBLISH);
      if (batch.events.length > 0) await publisher.publish(batch.events);
      this.#moveTo(partition, batch.position);
    } finally {
      if (this.publishedSeq(partition) < (this.#recorded.get(partition) ?? 0)) this.#behind.add(partition);
    }
  }

  #moveTo(partition: number, position: EventPosition): void {
    this.#published.set(partition, position);
    this.#unsaved = true;
  }

  async #save(): Promise<void> {
    if (!this.#unsaved) return;
    this.#unsaved = false;
    const seqs = [...this.#published].map(([partition, position]) => [partition, wholeSeq(position)] as const);
    try {
      await this.#parts.cursors.save(new Map(seqs));
    } catch (error) {
      this.#unsaved = true;
      throw error;
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function every(ms: number, work: () => Promise<void>): () => void {
  const timer = setInterval(() => void work(), ms);
  timer.unref();
  return () => clearInterval(timer);
}

function wholeSeq({ seq, index }: EventPosition): number {
  return index === WHOLE_ENTRY ? seq : seq - 1;
}
