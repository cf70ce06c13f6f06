/** A sink that does nothing with a message but take its time, and notes who had it and when. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumedTopic } from '../../../src/events/topics.ts';
import type { AssignedPartition, MessageSink } from '../../../src/ordering/consuming/message-source.ts';
import type { ConsumedMessage } from '../../../src/ordering/messages/message.ts';

/** Epoch milliseconds with fractions: the same clock for every process of this machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export interface Note {
  member: string;
  /** `topic/partition` */
  place: string;
  offset: number;
  begin: number;
  /** Infinity: it did not end. */
  end: number;
}

export interface RecordingOptions {
  member: string;
  /** Told at the begin of a message, and again with its `end`. */
  onNote: (note: Note) => void;
  /** How long a message is under way. */
  handleMs?: (message: ConsumedMessage) => number;
  /** Of one partition. */
  atOnce?: number;
  room?: number;
  onMessage?: (message: ConsumedMessage) => void;
  onAssign?: (place: string) => void;
}

export class RecordingSink implements MessageSink {
  readonly #options: RecordingOptions;

  constructor(options: RecordingOptions) {
    this.#options = options;
  }

  assign(topic: ConsumedTopic, partition: number): AssignedPartition {
    const place = `${topic}/${partition}`;
    this.#options.onAssign?.(place);
    return new RecordedPartition(place, this.#options);
  }
}

class RecordedPartition implements AssignedPartition {
  readonly #place: string;
  readonly #options: RecordingOptions;
  readonly #waiting: ConsumedMessage[] = [];
  /** Under way, and those after them that have ended already. */
  readonly #open = new Map<bigint, 'under way' | 'ended'>();
  #underWay = 0;
  #revoked = false;
  #onIdle: () => void = () => undefined;
  #onRoom: () => void = () => undefined;
  committable: bigint | null = null;

  constructor(place: string, options: RecordingOptions) {
    this.#place = place;
    this.#options = options;
  }

  async take(messages: readonly ConsumedMessage[]): Promise<void> {
    const { room = 200 } = this.#options;
    this.#waiting.push(...messages);
    this.#begin();
    while (this.#waiting.length > room && !this.#revoked) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  async revoke(): Promise<void> {
    this.#revoked = true;
    this.#onRoom();
    while (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  #begin(): void {
    const { atOnce = 4 } = this.#options;
    while (!this.#revoked && this.#underWay < atOnce) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      void this.#handle(message);
    }
    this.#onRoom();
  }

  async #handle(message: ConsumedMessage): Promise<void> {
    const { member, onNote, onMessage, handleMs = () => 0 } = this.#options;
    const note = { member, place: this.#place, offset: Number(message.offset), begin: now(), end: Infinity };
    this.#underWay += 1;
    this.#open.set(message.offset, 'under way');
    onNote(note);
    onMessage?.(message);
    await delay(handleMs(message));
    note.end = now();
    onNote(note);
    this.#open.set(message.offset, 'ended');
    for (const [offset, state] of this.#open) {
      if (state !== 'ended') break;
      this.#open.delete(offset);
      this.committable = offset + 1n;
    }
    this.#underWay -= 1;
    this.#begin();
    if (this.#underWay === 0) this.#onIdle();
  }
}
