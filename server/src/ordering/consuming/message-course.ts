/** What one message goes through until it has its effect or is parked: one call to another part at a time. */

import type { Handling, OrderHandling } from '../handling/handling.ts';
import type { NewLetter } from '../letters/dead-letters.ts';
import { marked, toldReason } from '../messages/foreign-text.ts';
import { type ConsumedMessage, type OrderMessage, orderIdOf, type ReadResult } from '../messages/message.ts';
import type { LetterBox } from './letter-box.ts';

/** Of failures while all is well; then it is parked. */
const RETRIES_MAX = 3;
/** Then 800 and 3 200 ms: longer than it takes until a server that died is known to be away. */
const RETRY_MS_MIN = 200;
const RETRY_FACTOR = 4;
const RETRY_MS_MAX = 5_000;
const EARLY_MS_MIN = 50;
const EARLY_FACTOR = 2;
/** 61 440 that are early cost 37 % of a core with pauses of 2 s at most, before anything is asked. */
const EARLY_MS_MAX = 5_000;
const JITTER_SHARE = 0.5;

/** `waiting`: behind a parked one of its key. */
export type ConsumedResult = 'done' | 'replayed' | 'parked' | 'unreadable' | 'waiting';

/** More is to be done, after so long; 0: at once. */
interface Pause {
  kind: 'goes-on';
  afterMs: number;
}

export type Step = { kind: 'finished'; result: ConsumedResult } | Pause;

export interface CourseParts {
  handling: OrderHandling;
  box: LetterBox;
  /** Whether commands are decided and recorded now: what fails meanwhile may be the message's own fault. */
  isReady: () => boolean;
  /** From the first try of an event that is early until it is given up; milliseconds. */
  earlyEventWaitMs: number;
}

export class MessageCourse {
  readonly #parts: CourseParts;
  readonly #message: ConsumedMessage;
  readonly #read: ReadResult;
  #letter: NewLetter | null;
  #tries = 0;
  /** Without one that says that it is early in between. */
  #failures = 0;
  /** Since when it is early, by `performance.now()`. */
  #earlySince: number | null = null;
  #givesUp = false;
  /** Tries in a row that were answered alike, by which pauses grow. */
  #pauses = { of: '', count: 0 };

  constructor(parts: CourseParts, message: ConsumedMessage, read: ReadResult) {
    this.#parts = parts;
    this.#message = message;
    this.#read = read;
    this.#letter = read.ok ? null : this.#unreadable(read);
  }

  /** Never throws. Not called again after `finished`. */
  async step(): Promise<Step> {
    if (this.#letter !== null) return this.#park(this.#letter);
    const message = (this.#read as { message: OrderMessage }).message;
    const { topic, key, body } = message;
    if (this.#parts.box.isBlocked({ topic, key, hqId: body.hqId })) {
      const queued = await this.#parts.box.queueBehind(
        this.#letterOf(message, 'BEHIND_A_PARKED_ONE', 'an earlier message of its key is parked'),
      );
      if (queued === 'queued') return { kind: 'finished', result: 'waiting' };
      if (queued === 'unavailable') return this.#pause('letters', RETRY_MS_MIN, RETRY_FACTOR, RETRY_MS_MAX);
    }
    return this.#after(message, await this.#try(message));
  }

  async #try(message: OrderMessage): Promise<Handling> {
    const { handling } = this.#parts;
    this.#tries += 1;
    try {
      return await (this.#givesUp ? handling.giveUp(message) : handling.handle(message));
    } catch (error) {
      return { status: 'retry', reason: toldReason(marked((error as Error).message), message.encrypted) };
    }
  }

  #after(message: OrderMessage, handling: Handling): Step {
    switch (handling.status) {
      case 'done':
        return { kind: 'finished', result: handling.replayed ? 'replayed' : 'done' };
      case 'park':
        return this.#toPark(this.#letterOf(message, handling.code, handling.reason));
      case 'early':
        return this.#early();
      case 'retry':
        return this.#failed(message, handling);
    }
  }

  #early(): Step {
    const now = performance.now();
    this.#earlySince ??= now;
    this.#failures = 0;
    const leftMs = this.#earlySince + this.#parts.earlyEventWaitMs - now;
    const { afterMs } = this.#pause('early', EARLY_MS_MIN, EARLY_FACTOR, EARLY_MS_MAX);
    if (leftMs > 0) return { kind: 'goes-on', afterMs: Math.min(afterMs, Math.ceil(leftMs)) };
    this.#givesUp = true;
    return { kind: 'goes-on', afterMs: 0 };
  }

  #failed(message: OrderMessage, { reason, away = false }: Handling & { status: 'retry' }): Step {
    if (!away && this.#parts.isReady()) this.#failures += 1;
    if (this.#failures <= RETRIES_MAX) return this.#pause('failed', RETRY_MS_MIN, RETRY_FACTOR, RETRY_MS_MAX);
    return this.#toPark(this.#letterOf(message, 'KEEPS_FAILING', reason));
  }

  #toPark(letter: NewLetter): Step {
    this.#letter = letter;
    return { kind: 'goes-on', afterMs: 0 };
  }

  async #park(letter: NewLetter): Promise<Step> {
    if (await this.#parts.box.park(letter)) {
      return { kind: 'finished', result: this.#read.ok ? 'parked' : 'unreadable' };
    }
    return this.#pause('letters', RETRY_MS_MIN, RETRY_FACTOR, RETRY_MS_MAX);
  }

  /** Whoever waits for the same thing does not come back all at once. */
  #pause(of: string, msMin: number, factor: number, msMax: number): Pause {
    this.#pauses = { of, count: this.#pauses.of === of ? this.#pauses.count + 1 : 0 };
    const whole = Math.min(msMin * factor ** Math.min(this.#pauses.count, 20), msMax);
    return { kind: 'goes-on', afterMs: Math.max(1, whole * (1 - JITTER_SHARE * Math.random())) };
  }

  #letterOf(message: OrderMessage, code: NewLetter['code'], reason: string): NewLetter & { key: string } {
    const { key, eventId, body } = message;
    const ids = { hqId: body.hqId, orderId: orderIdOf(body), eventId };
    return { message: this.#message, key, ...ids, code, reason, attempts: this.#tries };
  }

  #unreadable({ code, reason, hqId, orderId, eventId }: ReadResult & { ok: false }): NewLetter {
    return { message: this.#message, key: null, hqId, orderId, eventId, code, reason, attempts: 1 };
  }
}
