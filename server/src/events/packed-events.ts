import type { StockEvent } from './event-feed.ts';
import type { WireEvent } from './event-source.ts';

/**
 * Events as they cross between threads: in columns, which are copied faster than an object for each event (with fuller
 * sends together, the relay's main thread takes 19 µs an event instead of 24). The values follow each other; an event's
 * value ends where `ends` says.
 */
export interface PackedEvents {
  ids: string[];
  hqIds: string[];
  types: string[];
  keys: string[];
  values: Uint8Array;
  ends: number[];
}

/**
 * Each value is written into its place: 2.5 µs for the 1.5 events of an entry, where 4.1 µs went by with a buffer for each
 * first. The values have a buffer of their own, none that others lie in, so that it can be moved to another thread.
 */
export function packedOf(events: readonly StockEvent[]): PackedEvents {
  const texts = events.map((event) => JSON.stringify(event));
  const values = Buffer.allocUnsafeSlow(texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0));
  let end = 0;
  const ends = texts.map((text) => {
    end += values.write(text, end);
    return end;
  });
  return {
    ids: events.map(({ id }) => id),
    hqIds: events.map(({ data }) => String(data.hqId)),
    types: events.map(({ type }) => type),
    keys: events.map(({ partitionkey }) => partitionkey),
    values,
    ends,
  };
}

export function unpacked({ ids, hqIds, types, keys, values, ends }: PackedEvents): WireEvent[] {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return ids.map((id, index) => ({
    id,
    hqId: hqIds[index] as string,
    type: types[index] as string,
    key: keys[index] as string,
    value: bytes.subarray(ends[index - 1] ?? 0, ends[index]),
  }));
}
