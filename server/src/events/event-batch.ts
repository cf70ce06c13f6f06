import type { StoredEntry } from '../ledger/ledger.ts';
import { decodeEntry } from '../stock/entry-codec.ts';
import type { EventFilter } from './event-feed.ts';
import {
  EVERYTHING,
  type EventBatch,
  type EventPosition,
  matches,
  type PlacedEvent,
  WHOLE_ENTRY,
} from './event-source.ts';
import { eventsOf } from './events-of.ts';
import { type PackedEvents, packedOf } from './packed-events.ts';

/** Entries that one read looks through at most, so that a filter that matches nothing cannot hold a thread. */
export const ENTRIES_PER_BATCH = 500;

/** Where reading must begin to go on after a position: within its entry, or after it. */
export function firstEntryAfter({ seq, index }: EventPosition): number {
  return index === WHOLE_ENTRY ? seq : seq - 1;
}

/** All events of these entries after a position, at most `limit`, ready for a wire. */
export function wireBatchOf(
  entries: readonly StoredEntry[],
  after: EventPosition,
  limit: number,
): { packed: PackedEvents; position: EventPosition } {
  const { events, position } = batchOf(entries, after, EVERYTHING, limit);
  return { packed: packedOf(events.map(({ event }) => event)), position };
}

/** The matching events of these entries after a position, at most `limit`. */
export function batchOf(
  entries: readonly StoredEntry[],
  after: EventPosition,
  filter: EventFilter,
  limit: number,
): EventBatch {
  const events: PlacedEvent[] = [];
  for (const stored of entries) {
    const entry = decodeEntry(stored.body);
    const { partition, seq } = entry;
    for (const [index, event] of eventsOf(entry).entries()) {
      if (seq === after.seq && index <= after.index) continue;
      if (!matches(filter, event)) continue;
      events.push({ partition, seq, index, event });
      if (events.length === limit) return { events, position: { seq, index }, atEnd: false };
    }
  }
  const last = entries.at(-1);
  const position = last === undefined ? after : { seq: last.seq, index: WHOLE_ENTRY };
  return { events, position, atEnd: entries.length === 0 };
}
