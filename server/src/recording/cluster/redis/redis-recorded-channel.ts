/**
 * Announcements over Redis' publish and subscribe. They may be lost, doubled or late: who waits is released by a mark,
 * and asks the ledger when it hears nothing. In this process they are heard at once, and their echo is left out.
 */
import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '../../../stock/redis/redis-connection.ts';
import type { RecordedAnnouncement, RecordedChannel } from '../recorded-channel.ts';

const CHANNEL = 'holdfast:recorded';
/** Any key: a Cluster carries a message to all of its nodes. */
const ANY_KEY = '{p0}:head';

/** `[partition, epoch, first seq, opened, marks joined by commas, duplicates]` */
type PackedAnnouncement = [number, number, number, 0 | 1, string, [number, number][]];

type Listener = (announcements: readonly RecordedAnnouncement[]) => void;

export class RedisRecordedChannel implements RecordedChannel {
  readonly #connection: RedisConnection;
  readonly #onTrouble: (error: Error) => void;
  readonly #sender = randomUUID();
  readonly #listeners = new Set<Listener>();

  /** Resolves when it hears other processes. `onTrouble` hears of what could not be sent or understood. */
  static async open(connection: RedisConnection, onTrouble: (error: Error) => void): Promise<RedisRecordedChannel> {
    const channel = new RedisRecordedChannel(connection, onTrouble);
    await connection.subscribe(CHANNEL, (message) => channel.#heard(message));
    return channel;
  }

  private constructor(connection: RedisConnection, onTrouble: (error: Error) => void) {
    this.#connection = connection;
    this.#onTrouble = onTrouble;
  }

  announce(announcements: readonly RecordedAnnouncement[]): void {
    const text = JSON.stringify([this.#sender, ...announcements.map(packed)]);
    this.#connection.send(ANY_KEY, ['PUBLISH', CHANNEL, text]).catch(this.#onTrouble);
    this.#tell(announcements);
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #heard(message: string): void {
    let announcements: RecordedAnnouncement[];
    try {
      const [sender, ...rest] = JSON.parse(message) as [string, ...PackedAnnouncement[]];
      if (sender === this.#sender) return;
      announcements = rest.map(unpacked);
    } catch (error) {
      this.#onTrouble(new Error(`an announcement cannot be read: ${message.slice(0, 200)}`, { cause: error }));
      return;
    }
    this.#tell(announcements);
  }

  #tell(announcements: readonly RecordedAnnouncement[]): void {
    for (const listener of this.#listeners) listener(announcements);
  }
}

function packed(announcement: RecordedAnnouncement): PackedAnnouncement {
  const { partition, epoch, firstSeq, opened, marks, duplicates } = announcement;
  return [partition, epoch, firstSeq, opened ? 1 : 0, marks.join(','), duplicates];
}

/** @throws Error when it is no announcement */
function unpacked([partition, epoch, firstSeq, opened, marks, duplicates]: PackedAnnouncement): RecordedAnnouncement {
  const numbers = [partition, epoch, firstSeq, ...duplicates.flat()];
  if (!numbers.every(Number.isSafeInteger)) throw new Error('it names no place');
  return { partition, epoch, firstSeq, opened: opened === 1, marks: marks.split(','), duplicates };
}
