/**
 * The dead letters as a consumer meets them: it parks, queues behind what is parked, and knows without asking which
 * keys may be blocked. A key that it believes blocked is asked about before it is acted on; one that it believes free
 * is free, for nobody else parks messages of the partitions that are this consumer's.
 */
import type { DeadLetters, GroupVersions, NewLetter, OpenKey } from '../letters/dead-letters.ts';
import { keyGroupOf } from '../letters/letter-rows.ts';

export interface LetterBoxParts {
  letters: Pick<DeadLetters, 'park' | 'queueBehind' | 'blockedKeys'>;
  log: { warn(message: string): void };
}

interface BlockedKey {
  group: number;
  /** The last look that had begun when it was parked here; infinite while that is under way. 0: it was read. */
  since: number;
}

export class LetterBox {
  readonly #parts: LetterBoxParts;
  readonly #blocked = new Map<string, BlockedKey>();
  /** Of the groups of keys whose blocked ones are known here. */
  #seen: GroupVersions = new Map();
  #looks = 0;
  #looking: Promise<boolean> | null = null;
  #lookingNext: Promise<boolean> | null = null;
  #problem: string | null = null;

  constructor(parts: LetterBoxParts) {
    this.#parts = parts;
  }

  /** Why nothing can be parked, or read of what is; null: all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  isBlocked(open: OpenKey): boolean {
    return this.#blocked.has(nameOf(open));
  }

  /** Reads which keys are blocked, after this call. @returns whether they could be read */
  look(): Promise<boolean> {
    if (this.#looking === null) return this.#lookNow();
    // The one under way may have read before whoever asks now had a reason to.
    this.#lookingNext ??= this.#looking.then(() => this.#lookNow());
    return this.#lookingNext;
  }

  /** @returns whether it is parked; else it is worth trying again */
  async park(letter: NewLetter): Promise<boolean> {
    const { key, hqId, message } = letter;
    if (key === null) return this.#park(letter);
    const name = nameOf({ topic: message.topic, key, hqId });
    const group = keyGroupOf(key);
    this.#blocked.set(name, { group, since: Number.POSITIVE_INFINITY });
    const parked = await this.#park(letter);
    if (parked) this.#blocked.set(name, { group, since: this.#looks });
    return parked;
  }

  /**
   * `free`: nothing of its key that came before it is parked any more, it is to be handled. What is parked may have come
   * later, so its key is believed blocked until the next look.
   */
  async queueBehind(letter: NewLetter & { key: string }): Promise<'queued' | 'free' | 'unavailable'> {
    const queued = await this.#ask(() => this.#parts.letters.queueBehind(letter));
    if (queued === null) return 'unavailable';
    return queued ? 'queued' : 'free';
  }

  async #park(letter: NewLetter): Promise<boolean> {
    return (await this.#ask(() => this.#parts.letters.park(letter).then(() => true))) ?? false;
  }

  #lookNow(): Promise<boolean> {
    this.#looking = this.#readBlocked().finally(() => {
      this.#looking = null;
    });
    this.#lookingNext = null;
    return this.#looking;
  }

  async #readBlocked(): Promise<boolean> {
    this.#looks += 1;
    const look = this.#looks;
    const answer = await this.#ask(() => this.#parts.letters.blockedKeys(this.#seen));
    if (answer === null) return false;
    const seen = new Map(answer.versions);
    if (answer.groups.size > 0) {
      const read = new Map(answer.keys.map((key) => [nameOf(key), key.group]));
      for (const [name, { group, since }] of this.#blocked) {
        if (!answer.groups.has(group) || read.has(name)) continue;
        if (since < look) this.#blocked.delete(name);
        // It was parked here since the look began, so it may be missing from what was read; or it was freed already.
        else seen.delete(group);
      }
      for (const [name, group] of read) if (!this.#blocked.has(name)) this.#blocked.set(name, { group, since: 0 });
    }
    this.#seen = seen;
    return true;
  }

  /** Null: there is no answer now. */
  async #ask<T>(question: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await question();
      this.#problem = null;
      return answer;
    } catch (error) {
      const problem = (error as Error).message;
      if (this.#problem !== problem) {
        this.#parts.log.warn(
          `the dead letters do not answer, what is to be parked waits and is tried again: ${problem}`,
        );
      }
      this.#problem = problem;
      return null;
    }
  }
}

function nameOf({ topic, hqId, key }: OpenKey): string {
  return `${topic} ${hqId} ${key}`;
}
