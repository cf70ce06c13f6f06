import type { EventPublisher } from './event-publisher.ts';
import { type EventPosition, isAfter, WHOLE_ENTRY } from './event-source.ts';

const EVENTS_PER_READ = 1_000;

/** Some events of one partition, in their order, from a bounded number of entries. */
export interface RelayBatch<Event> {
  events: readonly Event[];
  /** How far the entries were looked through. */
  position: EventPosition;
}

/** Reads events of one partition after a position, at most `limit`. */
export type ReadEvents<Event> = (partition: number, after: EventPosition, limit: number) => Promise<RelayBatch<Event>>;

export interface RelayLineParts<Event> {
  partition: number;
  /** Up to this entry everything is published. */
  publishedSeq: number;
  read: ReadEvents<Event>;
  publisher: EventPublisher<Event>;
}

/** One partition's way from the ledger to the publisher. Reads ahead while what it read before is being published. */
export class RelayLine<Event> {
  readonly partition: number;
  readonly #parts: RelayLineParts<Event>;
  #published: EventPosition;
  #recordedSeq: number;
  #ended = false;

  constructor(parts: RelayLineParts<Event>) {
    this.partition = parts.partition;
    this.#parts = parts;
    this.#published = { seq: parts.publishedSeq, index: WHOLE_ENTRY };
    this.#recordedSeq = parts.publishedSeq;
  }

  recorded(seq: number): void {
    this.#recordedSeq = Math.max(this.#recordedSeq, seq);
  }

  /** The last entry of which every event is published. */
  get publishedSeq(): number {
    return wholeSeq(this.#published);
  }

  /** Entries recorded and not yet published. */
  get lag(): number {
    return this.#recordedSeq - this.publishedSeq;
  }

  /** Reads no more; what is being published still counts. */
  end(): void {
    this.#ended = true;
  }

  /**
   * Publishes what is recorded, as long as `mayGoOn` says so. Resolves when all that it read is accepted.
   * @throws Error of the reading or of the publisher: what was accepted before it is published, nothing after it.
   */
  async advance(mayGoOn: () => boolean): Promise<void> {
    const { partition, read, publisher } = this.#parts;
    if (publisher.idle) {
      this.#published = { seq: this.#recordedSeq, index: WHOLE_ENTRY };
      return;
    }
    const calls = new CallsInOrder();
    let readTo = this.#published;
    try {
      do {
        const from = readTo;
        const batch = await read(partition, from, EVENTS_PER_READ);
        if (this.#ended || calls.failed || !isAfter(batch.position, from)) break;
        readTo = batch.position;
        const published = batch.events.length === 0 ? Promise.resolve() : publisher.publish(batch.events);
        calls.add(published, () => {
          this.#published = batch.position;
        });
        await calls.fewerThan(publisher.callsAtOnce);
      } while (!this.#ended && !calls.failed && wholeSeq(readTo) < this.#recordedSeq && mayGoOn());
    } finally {
      await calls.settled();
    }
  }
}

/** Calls under way whose effects take place in their order, and none after one that failed. */
class CallsInOrder {
  #underWay: Promise<void>[] = [];
  failed = false;

  add(call: Promise<void>, onDone: () => void): void {
    const before = this.#underWay.at(-1) ?? Promise.resolve();
    const done = Promise.all([before, call]).then(onDone);
    done.catch(() => {
      this.failed = true;
    });
    this.#underWay.push(done);
  }

  /** Resolves when fewer than so many are under way. */
  async fewerThan(count: number): Promise<void> {
    while (this.#underWay.length >= count) {
      await this.#underWay[0];
      this.#underWay.shift();
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}

function wholeSeq({ seq, index }: EventPosition): number {
  return index === WHOLE_ENTRY ? seq : seq - 1;
}
