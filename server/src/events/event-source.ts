import type { EventFilter, StockEvent } from './event-feed.ts';
import type { ReadEvents } from './relay-line.ts';

/** An event's place: within its partition `(seq, index)` rises. */
export interface EventPosition {
  seq: number;
  /** Events of the entry that are behind this position; `WHOLE_ENTRY` when all of them are. */
  index: number;
}

export const WHOLE_ENTRY = Number.MAX_SAFE_INTEGER;

export interface PlacedEvent {
  partition: number;
  seq: number;
  index: number;
  event: StockEvent;
}

export interface EventBatch {
  events: PlacedEvent[];
  /** How far the entries were looked through. */
  position: EventPosition;
  /** Nothing more was recorded when it was read. */
  atEnd: boolean;
}

/** An event as it goes over a wire: nothing of it is looked into any more. */
export interface WireEvent {
  /** The event's own, the same for ever. */
  id: string;
  hqId: string;
  /** Decides the topic. */
  type: string;
  /** Events of one key keep their order. */
  key: string;
  /** The whole CloudEvent, structured JSON in UTF-8. */
  value: Buffer;
}

export function wireOf(event: StockEvent): WireEvent {
  const { id, type, partitionkey: key, data } = event;
  return { id, hqId: String(data.hqId), type, key, value: Buffer.from(JSON.stringify(event)) };
}

/** Derives events from recorded entries, away from the event loop that serves requests. */
export interface EventSource {
  /** Matching events of one partition after a position, at most `limit`, from a bounded number of entries. */
  read(partition: number, after: EventPosition, filter: EventFilter, limit: number): Promise<EventBatch>;
}

export function isAfter(position: EventPosition, than: EventPosition): boolean {
  return position.seq > than.seq || (position.seq === than.seq && position.index > than.index);
}

export function matches(filter: EventFilter, event: StockEvent): boolean {
  const data = event.data as { hqId?: string; storeId?: string; productId?: string; items?: LineLike[] };
  if (filter.hqId !== null && data.hqId !== filter.hqId) return false;
  if (filter.type !== undefined && event.type !== filter.type) return false;
  if (filter.storeId !== undefined && !touches(data, 'storeId', filter.storeId)) return false;
  return filter.productId === undefined || touches(data, 'productId', filter.productId);
}

interface LineLike {
  storeId?: string;
  productId?: string;
}

/** An event belongs to the stores and products that it names itself or in one of its items. */
function touches(data: LineLike & { items?: LineLike[] }, field: 'storeId' | 'productId', value: string): boolean {
  return data[field] === value || (data.items ?? []).some((item) => item[field] === value);
}

/** Events of every HQ. */
export const EVERYTHING: EventFilter = { hqId: null };

/** All events of a source, as a relay reads them. */
export function allOf(source: EventSource): ReadEvents<PlacedEvent> {
  return (partition, after, limit) => source.read(partition, after, EVERYTHING, limit);
}

/** All events of a source, as a relay to a broker reads them. */
export function allOnTheWire(source: EventSource): ReadEvents<WireEvent> {
  return async (partition, after, limit) => {
    const { events, position } = await source.read(partition, after, EVERYTHING, limit);
    return { events: events.map(({ event }) => wireOf(event)), position };
  };
}
