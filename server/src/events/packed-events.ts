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

export function packedOf(events: readonly WireEvent[]): PackedEvents {
  const packed: PackedEvents = { ids: [], hqIds: [], types: [], keys: [], values: new Uint8Array(), ends: [] };
  let end = 0;
  for (const { id, hqId, type, key, value } of events) {
    packed.ids.push(id);
    packed.hqIds.push(hqId);
    packed.types.push(type);
    packed.keys.push(key);
    end += value.byteLength;
    packed.ends.push(end);
  }
  packed.values = Buffer.concat(events.map(({ value }) => value));
  return packed;
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
