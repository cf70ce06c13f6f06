/** Where the relay sends events: the in-process bus, or a broker. */
export interface EventPublisher<Event> {
  /** Nobody listens: the relay need not derive events at all. */
  readonly idle: boolean;
  /**
   * Calls that may be under way for one partition. Above 1 the publisher keeps their order per key, and when it
   * rejects one it rejects all later ones that are not accepted yet.
   */
  readonly callsAtOnce: number;
  /** Resolves once the events are accepted; order per key is kept. May be called again with the same events. */
  publish(events: readonly Event[]): Promise<void>;
  close(): Promise<void>;
}

/** How far each partition is published. Moves only after the publisher has accepted the events. */
export interface RelayCursors {
  load(): Promise<Map<number, number>>;
  /**
   * Moves cursors forward and never back, whatever is asked: so a relay that was stalled, and saves what it knew
   * then, undoes nothing.
   */
  save(cursors: ReadonlyMap<number, number>): Promise<void>;
}
