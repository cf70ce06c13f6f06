import type { EventPublisher } from '../event-publisher.ts';
import type { WireEvent } from '../event-source.ts';
import type { TopicNames } from '../topics.ts';

/** A row in the form that Debezium's event router reads. */
export interface OutboxRow {
  /** The event's id. */
  id: string;
  /** The topic. */
  aggregatetype: string;
  /** The key of the message. */
  aggregateid: string;
  /** The event's type. */
  type: string;
  /** The whole CloudEvent, structured JSON: the value of the message. */
  payload: string;
}

/** The table that Debezium follows in the database's log. */
export interface Outbox {
  /** Commits the rows in their order; repeated rows are repeated events. */
  append(rows: readonly OutboxRow[]): Promise<void>;
}

/**
 * `OUTBOX=debezium`: the relay writes events to the outbox instead of sending them. It keeps the same cursors for
 * both, so either goes on where the other stopped; whoever switches back lets Debezium publish first what it has still
 * to read, for the relay would overtake it. Order per key is that of the commits, one at a time for a partition.
 */
export class OutboxEventPublisher implements EventPublisher<WireEvent> {
  readonly idle = false;
  readonly callsAtOnce = 1;
  readonly #outbox: Outbox;
  readonly #names: TopicNames;

  constructor(outbox: Outbox, names: TopicNames) {
    this.#outbox = outbox;
    this.#names = names;
  }

  publish(events: readonly WireEvent[]): Promise<void> {
    return this.#outbox.append(
      events.map(({ id, type, key, value }) => ({
        id,
        aggregatetype: this.#names.ofType(type),
        aggregateid: key,
        type,
        payload: value.toString(),
      })),
    );
  }

  async close(): Promise<void> {}
}
