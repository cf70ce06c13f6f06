import { PARTITION_COUNT } from '../stock/limits.ts';
import { InvalidCursor } from './event-feed.ts';
import { type EventPosition, WHOLE_ENTRY } from './event-source.ts';

const BEGINNING: EventPosition = { seq: 0, index: WHOLE_ENTRY };

/**
 * A position in every partition, as one opaque text: base64url of `partition:seq` or `partition:seq:index`, joined
 * by commas. Partitions that were never read are left out.
 */
export class EventCursor {
  readonly #positions = new Map<number, EventPosition>();

  /** @throws InvalidCursor */
  static parse(text: string): EventCursor {
    const cursor = new EventCursor();
    const plain = Buffer.from(text, 'base64url').toString('latin1');
    if (plain === '' && text === '') throw new InvalidCursor();
    for (const part of plain.split(',')) {
      const match = /^(\d{1,2}):(\d{1,15})(?::(\d{1,6}))?$/.exec(part);
      if (match === null || Number(match[1]) >= PARTITION_COUNT) throw new InvalidCursor();
      const index = match[3] === undefined ? WHOLE_ENTRY : Number(match[3]);
      cursor.move(Number(match[1]), { seq: Number(match[2]), index });
    }
    return cursor;
  }

  of(partition: number): EventPosition {
    return this.#positions.get(partition) ?? BEGINNING;
  }

  move(partition: number, { seq, index }: EventPosition): void {
    this.#positions.set(partition, { seq, index });
  }

  toString(): string {
    const parts = [...this.#positions].map(([partition, { seq, index }]) =>
      index === WHOLE_ENTRY ? `${partition}:${seq}` : `${partition}:${seq}:${index}`,
    );
    return Buffer.from(parts.length === 0 ? '0:0' : parts.join(','), 'latin1').toString('base64url');
  }
}
