import type { EventPublisher } from '../event-publisher.ts';
import type { PlacedEvent } from '../event-source.ts';

export type BusSubscriber = (events: readonly PlacedEvent[]) => void;

/** The in-process bus. Subscribers are called in the order of publishing and must not block: they queue or refuse. */
export class LocalEventBus implements EventPublisher<PlacedEvent> {
  readonly callsAtOnce = 1;
  readonly #subscribers = new Set<BusSubscriber>();

  get idle(): boolean {
    return this.#subscribers.size === 0;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  subscribe(subscriber: BusSubscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  async publish(events: readonly PlacedEvent[]): Promise<void> {
    for (const subscriber of this.#subscribers) subscriber(events);
  }

  async close(): Promise<void> {
    this.#subscribers.clear();
  }
}
