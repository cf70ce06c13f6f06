import type { PlacedEvent } from './event-source.ts';

/** Where the relay sends events: the in-process bus, or a broker. */
export interface EventPublisher {
  /** Nobody listens: the relay need not derive events at all. */
  readonly idle: boolean;
  /** Resolves once the events are accepted; order per key is kept. May be called again with the same events. */
  publish(events: readonly PlacedEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** How far each partition is published. Moves only after the publisher has accepted the events. */
export interface RelayCursors {
  load(): Promise<Map<number, number>>;
  save(cursors: ReadonlyMap<number, number>): Promise<void>;
}
