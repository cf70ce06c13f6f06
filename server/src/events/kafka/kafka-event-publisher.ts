import type { EventKeys } from '../encryption/event-keys.ts';
import type { EventPublisher } from '../event-publisher.ts';
import type { WireEvent } from '../event-source.ts';
import type { TopicNames } from '../topics.ts';
import type { KafkaAccess } from './kafka-access.ts';
import type { KafkaTopics } from './kafka-topics.ts';
import { type LaneCall, type LaneMessage, ProducerLane } from './producer-lane.ts';

/** 200 000 messages of 750 bytes on two cores, the broker beside it: 116 k/s with one, 137 k/s with two, 144 k/s with four. */
const LANES = 4;
/** Batches of one partition that wait or are on their way: the more, the fuller are the sends of each lane. */
const CALLS_AT_ONCE = 8;
/** Messages that are not accepted after this time: Kafka is away. */
const AWAY_MS = 2_000;

export interface KafkaEventPublisherParts {
  kafka: KafkaAccess;
  names: TopicNames;
  topics: KafkaTopics;
  /** Null: values are published as they are. */
  encryption: Pick<EventKeys, 'encrypt'> | null;
  log: { warn(message: string): void };
}

const CONTENT_TYPE = Buffer.from('content-type');
const PLAIN = new Map([[CONTENT_TYPE, Buffer.from('application/cloudevents+json; charset=UTF-8')]]);
/** What is encrypted is no JSON any more. */
const ENCRYPTED = Buffer.from('application/octet-stream');

/**
 * Events to Kafka as structured CloudEvents: the value is the event's text, the key its `partitionkey`, one header
 * `content-type`. Encrypted, the value is what `EventKeys` makes of the same text, whose headers follow. A key always takes the same lane, so its events go out one after the other.
 */
export class KafkaEventPublisher implements EventPublisher<WireEvent> {
  readonly idle = false;
  readonly callsAtOnce = CALLS_AT_ONCE;
  readonly #parts: KafkaEventPublisherParts;
  readonly #lanes: ProducerLane[];

  constructor(parts: KafkaEventPublisherParts) {
    this.#parts = parts;
    const { kafka, topics, log } = parts;
    const onError = (reason: string) => log.warn(`Kafka did not take events, they are sent again: ${reason}`);
    const onMissingTopic = () => topics.check();
    this.#lanes = Array.from({ length: LANES }, () => new ProducerLane({ kafka, onError, onMissingTopic }));
  }

  publish(events: readonly WireEvent[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const call: LaneCall = { left: events.length, resolve, reject };
    for (const event of events) this.#laneOf(event.key).push(this.#messageOf(event), call);
    if (events.length === 0) resolve();
    return promise;
  }

  /** What a person reads when Kafka takes nothing: events wait in the ledger, stock goes on. */
  degraded(): string | null {
    const { kafka, topics } = this.#parts;
    const before = performance.now() - AWAY_MS;
    const late = this.#lanes
      .map(({ sending }) => sending)
      .find((sending) => sending !== null && sending.since < before);
    const problem = late == null ? topics.problem : (late.reason ?? 'no answer');
    return problem === null
      ? null
      : `Kafka (${kafka.brokers.join(', ')}) takes no events: ${problem}; they wait in the ledger`;
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #messageOf({ id, hqId, type, key, value: plain }: WireEvent): LaneMessage {
    const { names, encryption } = this.#parts;
    const topic = names.ofType(type);
    if (encryption === null) return { topic, key, value: plain, headers: PLAIN };
    const { headers, value } = encryption.encrypt({ hqId, topic: type, eventId: id, value: plain });
    const encoded = [...headers].map(([name, of]) => [Buffer.from(name), Buffer.from(of)] as const);
    return { topic, key, value, headers: new Map([[CONTENT_TYPE, ENCRYPTED], ...encoded]) };
  }

  #laneOf(key: string): ProducerLane {
    let hash = 0;
    for (let index = 0; index < key.length; index += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0;
    return this.#lanes[(hash >>> 0) % LANES] as ProducerLane;
  }
}
