/**
 * Handles dead letters again: the parked one, then those that wait behind it, in their order, until one fails. A claim
 * lets one caller at a time have a letter. Whoever dies between the effect and its mark leaves the letter claimed until
 * the lease is over; then it is handled again, which is a replay, for its operation id is in the ledger.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Handling, OrderHandling } from '../handling/handling.ts';
import type { OrderMessage, ReadMessage } from '../messages/message.ts';
import type { ClaimedLetter, DeadLetter, DeadLetters, OpenKey } from './dead-letters.ts';

/** A person waits, and the letter has waited its time before: `EARLY_EVENT_WAIT_MS` is for messages. */
const EARLY_WAIT_MS = 2_000;
const EARLY_RETRY_MS = 200;
const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 100;
/** Letters that follow within one redrive; the rest follows by `resume`. */
const FOLLOW_MAX = 100;
const RESUME_EVERY_MS = 5_000;
const RESUMED_KEYS_MAX = 100;

export interface RedriveParts {
  letters: DeadLetters;
  read: ReadMessage;
  handling: OrderHandling;
  log: { warn(message: string): void };
}

export type Redriven =
  /** `followed`: how many that waited behind it have their effect too. */
  | { status: 'redriven'; followed: number }
  /** It failed again, for this reason. */
  | { status: 'parked'; code: DeadLetter['code']; reason: string }
  /** It stays as it was, for a part of this installation does not answer. */
  | { status: 'away'; reason: string }
  /** It is not parked (any more), or somebody else has it. */
  | { status: 'not-claimed' };

type Outcome = Exclude<Redriven, { status: 'redriven' } | { status: 'not-claimed' }> | { status: 'done' };

export class Redrive {
  readonly #parts: RedriveParts;
  #timer: NodeJS.Timeout | null = null;
  #resuming: Promise<unknown> | null = null;
  #stopped = false;

  constructor(parts: RedriveParts) {
    this.#parts = parts;
  }

  /**
   * @param by who does so; the letter keeps it
   * @throws what `DeadLetters` throws
   */
  async redrive(id: string, by: string): Promise<Redriven> {
    const claimed = await this.#parts.letters.claim(id, by);
    if (claimed === null) return { status: 'not-claimed' };
    const outcome = await this.#settle(claimed);
    if (outcome.status !== 'done') return outcome;
    return { status: 'redriven', followed: await this.#followBehind(claimed.letter) };
  }

  /** @returns whether it was parked; then those that waited behind it have followed */
  async drop(letter: DeadLetter, by: string): Promise<boolean> {
    if (!(await this.#parts.letters.drop(letter.id, by))) return false;
    await this.#followBehind(letter);
    return true;
  }

  /** Goes on where somebody has died, or has left the rest. @returns how many letters have their effect now */
  async resume(): Promise<number> {
    let followed = 0;
    for (const open of await this.#parts.letters.strandedKeys(RESUMED_KEYS_MAX)) {
      followed += await this.#follow(open);
    }
    return followed;
  }

  /** Resumes from now on, again and again. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#resuming ??= this.resume()
        .catch((error: Error) =>
          this.#parts.log.warn(`letters that wait do not follow, it is tried again: ${error.message}`),
        )
        .finally(() => {
          this.#resuming = null;
        });
    }, RESUME_EVERY_MS);
    this.#timer.unref();
  }

  /** Resolves once the letter that is being handled is; those behind it are left to the next. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#resuming;
  }

  async #followBehind({ message: { topic }, key, hqId }: DeadLetter): Promise<number> {
    return key === null ? 0 : this.#follow({ topic, key, hqId });
  }

  async #follow(open: OpenKey): Promise<number> {
    for (let followed = 0; followed < FOLLOW_MAX; followed += 1) {
      if (this.#stopped) return followed;
      const next = await this.#parts.letters.claimNext(open);
      if (next === null || (await this.#settle(next)).status !== 'done') return followed;
    }
    return FOLLOW_MAX;
  }

  async #settle(claimed: ClaimedLetter): Promise<Outcome> {
    const outcome = await this.#handle(claimed.letter);
    if (outcome.status === 'done') await claimed.done();
    else if (outcome.status === 'parked') await claimed.parkAgain(outcome.code, outcome.reason);
    else await claimed.release();
    return outcome;
  }

  async #handle({ message, code, reason, corrected }: DeadLetter): Promise<Outcome> {
    // Only the beginning of it is kept.
    if (code === 'TOO_LARGE' && !corrected) return { status: 'parked', code, reason };
    const read = this.#parts.read(message);
    if (!read.ok) return { status: 'parked', code: read.code, reason: read.reason };
    const handled = await this.#tryFor(read.message);
    switch (handled.status) {
      case 'done':
        return { status: 'done' };
      case 'park':
        return { status: 'parked', code: handled.code, reason: handled.reason };
      case 'early':
        return { status: 'away', reason: 'what it speaks of is not known yet' };
      case 'retry':
        return handled.away === true
          ? { status: 'away', reason: handled.reason }
          : { status: 'parked', code: 'KEEPS_FAILING', reason: handled.reason };
    }
  }

  async #tryFor(message: OrderMessage): Promise<Handling> {
    const { handling } = this.#parts;
    const giveUpAt = performance.now() + EARLY_WAIT_MS;
    for (let attempt = 1; ; attempt += 1) {
      const handled = await handling.handle(message);
      if (handled.status === 'early') {
        if (performance.now() >= giveUpAt) return handling.giveUp(message);
        await delay(EARLY_RETRY_MS);
      } else if (handled.status === 'retry' && attempt < ATTEMPTS_MAX) await delay(BACKOFF_MS * 2 ** attempt);
      else return handled;
    }
  }
}
