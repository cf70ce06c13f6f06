/** Dead letters as their port says, for questions of scheduling; the real ones are tested in suites of their own. */
import type { BlockedKeys, DeadLetters, GroupVersions, NewLetter } from '../../src/ordering/letters/dead-letters.ts';
import { keyGroupOf } from '../../src/ordering/letters/letter-rows.ts';
import type { ConsumedMessage, OrderMessage } from '../../src/ordering/messages/message.ts';

export interface KeptLetter extends NewLetter {
  status: 'parked' | 'waiting' | 'redriven';
}

type Consuming = Pick<DeadLetters, 'park' | 'queueBehind' | 'blockedKeys' | 'counts'>;

export class LettersInMemory {
  readonly kept: KeptLetter[] = [];
  /** Every call fails. */
  away = false;
  answerMs = 1;
  calls = 0;

  open(): KeptLetter[] {
    return this.kept.filter(({ status }) => status !== 'redriven');
  }

  has(message: ConsumedMessage): boolean {
    return this.kept.some((letter) => isOf(letter, message));
  }

  /** Those of its key, from lower offsets of the same partition, that are open. */
  openBefore({ topic, key, eventId }: OrderMessage, offset: number): KeptLetter[] {
    const partition = Number(eventId.split('/')[1]);
    return this.open().filter(
      ({ message, key: ofKey }) =>
        message.topic === topic && ofKey === key && message.partition === partition && message.offset < offset,
    );
  }

  /** Each is redriven, in the order of its arrival; whoever asks handles them. */
  *takeOpen(): Iterable<ConsumedMessage> {
    for (const letter of this.open()) {
      letter.status = 'redriven';
      yield letter.message;
    }
  }

  /** As a member sees it, that may be dead. */
  of(isDead: () => boolean): DeadLetters {
    const answer = async <T>(work: () => T): Promise<T> => {
      this.calls += 1;
      await new Promise((resolve) => setTimeout(resolve, this.answerMs));
      if (isDead()) return new Promise(() => undefined);
      if (this.away) throw new Error('the table is away');
      return work();
    };
    const consuming: Consuming = {
      park: (letter) => answer(() => this.#put({ ...letter, status: 'parked' })),
      queueBehind: (letter) => answer(() => this.#queueBehind(letter)),
      blockedKeys: async (seen) => {
        // Read at once, answered later: what is parked meanwhile is missing.
        const blocked = this.#blockedKeys(seen);
        return answer(() => blocked);
      },
      counts: () => answer(() => ({ parked: this.open().length, waiting: 0 })),
    };
    return consuming as DeadLetters;
  }

  #put(letter: KeptLetter): void {
    if (!this.has(letter.message)) this.kept.push(letter);
  }

  #queueBehind(letter: NewLetter): boolean {
    if (this.has(letter.message)) return true;
    const { topic, partition, offset } = letter.message;
    const isBefore = ({ message, key, hqId }: KeptLetter) =>
      message.topic === topic &&
      key === letter.key &&
      hqId === letter.hqId &&
      (message.partition !== partition || message.offset < offset);
    if (!this.open().some(isBefore)) return false;
    this.#put({ ...letter, status: 'waiting' });
    return true;
  }

  /** A letter counts once when it is kept, and once more when it is redriven. */
  #blockedKeys(seen: GroupVersions): BlockedKeys {
    const versions = new Map<number, number>();
    for (const { key, status } of this.kept) {
      if (key === null) continue;
      const group = keyGroupOf(key);
      versions.set(group, (versions.get(group) ?? 0) + (status === 'redriven' ? 2 : 1));
    }
    const groups = new Set([...versions.keys()].filter((group) => versions.get(group) !== seen.get(group)));
    const keys = this.open().flatMap(({ message: { topic }, key, hqId }) =>
      key !== null && groups.has(keyGroupOf(key)) ? [{ topic, key, hqId, group: keyGroupOf(key) }] : [],
    );
    return { versions, groups, keys };
  }
}

function isOf({ message }: NewLetter, { topic, partition, offset }: ConsumedMessage): boolean {
  return message.topic === topic && message.partition === partition && message.offset === offset;
}
