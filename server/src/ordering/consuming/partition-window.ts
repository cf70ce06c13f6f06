/** The messages of one partition that are not finished yet, and how far all are. */
import { setImmediate } from 'node:timers/promises';
import type { ConsumedTopic } from '../../events/topics.ts';
import type { ConsumedMessage } from '../messages/message.ts';
import type { AssignedPartition } from './message-source.ts';

/** Bound the memory: thirty partitions full of messages of 300 bytes take 122 MB. */
const HELD_MAX = 2_048;
const HELD_BYTES_MAX = 4 * 1024 * 1024;
/**
 * How far behind the newest message the oldest unfinished one may be. What is finished between the two takes no memory,
 * but comes again when the process dies.
 */
const AHEAD_MAX = 100_000;

/** Then others have their turn: 1 MiB of nested brackets took 0.1 to 0.5 s to read, on a busy machine. */
const READING_MS_MAX = 20;

/** One of a list in the order of offsets, from which any can be taken out at once. */
export interface HeldMessage<Work> {
  readonly message: ConsumedMessage;
  readonly window: PartitionWindow<Work>;
  readonly work: Work;
  before: HeldMessage<Work> | null;
  after: HeldMessage<Work> | null;
}

interface PartitionWindowParts<Work> {
  topic: ConsumedTopic;
  partition: number;
  /** What is kept with a message while it is held. */
  workOf: (message: ConsumedMessage) => Work;
  onTaken: (held: HeldMessage<Work>) => void;
  onRevoked: () => void;
  /** It is revoked, and nothing of it is under way. */
  onAtRest: () => void;
}

export class PartitionWindow<Work> implements AssignedPartition {
  readonly #parts: PartitionWindowParts<Work>;
  #oldest: HeldMessage<Work> | null = null;
  #newest: HeldMessage<Work> | null = null;
  #count = 0;
  #bytes = 0;
  #firstOffset: bigint | null = null;
  #nextOffset: bigint | null = null;
  #underWay = 0;
  #open = false;
  #revoked = false;
  readonly #atRest = Promise.withResolvers<void>();
  #taking: Promise<void> = Promise.resolve();
  #roomAsked: (() => void) | null = null;

  constructor(parts: PartitionWindowParts<Work>) {
    this.#parts = parts;
  }

  /** Whether its messages may be begun: the blocked keys were read since it is this member's. */
  get isOpen(): boolean {
    return this.#open;
  }

  get isRevoked(): boolean {
    return this.#revoked;
  }

  open(): void {
    this.#open = true;
  }

  take(messages: readonly ConsumedMessage[]): Promise<void> {
    this.#taking = this.#taking.then(() => this.#take(messages));
    return this.#taking;
  }

  get committable(): bigint | null {
    const offset = this.#oldest === null ? this.#nextOffset : this.#oldest.message.offset;
    return offset === this.#firstOffset ? null : offset;
  }

  revoke(): Promise<void> {
    if (!this.#revoked) {
      this.#revoked = true;
      this.#parts.onRevoked();
      this.#roomAsked?.();
      this.#restIfDone();
    }
    return this.#atRest.promise;
  }

  *unfinished(): Iterable<HeldMessage<Work>> {
    for (let held = this.#oldest; held !== null; held = held.after) yield held;
  }

  /** Something of it is begun; `ended` follows. */
  begun(): void {
    if (this.#revoked) {
      const { topic, partition } = this.#parts;
      throw new Error(`a message of ${topic}/${partition} was to be begun, but the partition is another member's`);
    }
    this.#underWay += 1;
  }

  ended(): void {
    this.#underWay -= 1;
    this.#restIfDone();
  }

  finished(held: HeldMessage<Work>): void {
    if (held.before === null) this.#oldest = held.after;
    else held.before.after = held.after;
    if (held.after === null) this.#newest = held.before;
    else held.after.before = held.before;
    this.#count -= 1;
    this.#bytes -= bytesOf(held.message);
    if (this.#hasRoom) this.#roomAsked?.();
  }

  async #take(messages: readonly ConsumedMessage[]): Promise<void> {
    let since = performance.now();
    for (const message of messages) {
      await this.#room();
      if (performance.now() - since > READING_MS_MAX) {
        await setImmediate();
        since = performance.now();
      }
      if (this.#revoked) return;
      const known = this.#nextOffset !== null && message.offset < this.#nextOffset;
      if (!known) this.#hold(message);
    }
    await this.#room();
  }

  #hold(message: ConsumedMessage): void {
    const held: HeldMessage<Work> = {
      message,
      window: this,
      work: this.#parts.workOf(message),
      before: this.#newest,
      after: null,
    };
    if (this.#newest === null) this.#oldest = held;
    else this.#newest.after = held;
    this.#newest = held;
    this.#count += 1;
    this.#bytes += bytesOf(message);
    this.#firstOffset ??= message.offset;
    this.#nextOffset = message.offset + 1n;
    this.#parts.onTaken(held);
  }

  #restIfDone(): void {
    if (!this.#revoked || this.#underWay > 0) return;
    this.#parts.onAtRest();
    this.#atRest.resolve();
  }

  get #hasRoom(): boolean {
    if (this.#oldest === null || this.#nextOffset === null) return true;
    const ahead = this.#nextOffset - this.#oldest.message.offset;
    return this.#count < HELD_MAX && this.#bytes < HELD_BYTES_MAX && ahead < AHEAD_MAX;
  }

  #room(): Promise<void> | undefined {
    if (this.#hasRoom || this.#revoked) return undefined;
    return new Promise((resolve) => {
      this.#roomAsked = () => {
        this.#roomAsked = null;
        resolve();
      };
    });
  }
}

function bytesOf({ key, value, headers }: ConsumedMessage): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of headers) bytes += name.length + text.length;
  return bytes;
}
