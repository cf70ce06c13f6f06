/** What a node of a cluster does with Kafka: publishes events, forwards what was handed in, consumes orders. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Closers, NodeParts } from './compose-cluster-parts.ts';
import { consume, type Ordering } from './compose-ordering.ts';
import type { EventKeys } from './events/encryption/event-keys.ts';
import type { EventPublisher } from './events/event-publisher.ts';
import type { WireEvent } from './events/event-source.ts';
import type { KafkaAccess } from './events/kafka/kafka-access.ts';
import { KafkaEventPublisher } from './events/kafka/kafka-event-publisher.ts';
import { KafkaTopics } from './events/kafka/kafka-topics.ts';
import { MariadbRelayCursors } from './events/mariadb/mariadb-relay-cursors.ts';
import { MariadbOutbox } from './events/outbox/mariadb/mariadb-outbox.ts';
import { OutboxEventPublisher } from './events/outbox/outbox-event-publisher.ts';
import { registerSchemas } from './events/registry/register-schemas.ts';
import { Relay } from './events/relay.ts';
import { TopicNames, type TopicSettings } from './events/topics.ts';
import { Leadership } from './locking/leadership.ts';
import { KafkaMessageSource } from './ordering/consuming/kafka/kafka-message-source.ts';
import { InboxForwarder } from './ordering/inbox/inbox-forwarder.ts';
import { KafkaInboxBroker } from './ordering/inbox/kafka/kafka-inbox-broker.ts';
import { DeadLetterSender } from './ordering/letters/kafka/dead-letter-sender.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

export interface KafkaSettings {
  node: string;
  /** Null where no role needs it. */
  kafka: (KafkaAccess & { groupId: string }) | null;
  topics: TopicSettings;
  outbox: 'relay' | 'debezium';
  events: {
    earlyEventWaitMs: number;
    /** Null: payloads are plain. */
    keysFile: string | null;
    plainMessages: 'accepted' | 'refused';
    /** Null: schemas are registered nowhere. */
    schemaRegistryUrl: string | null;
  };
  log: Logger;
}

export interface KafkaWorkParts {
  parts: NodeParts;
  ordering: Ordering;
  keys: EventKeys | null;
  telemetry: Telemetry;
  closers: Closers;
  /** What is away while reservations go on; null where nothing is. */
  degraded: (() => string | null)[];
}

/** A relay that leads and dies is followed by another after this. */
const RELAY_LEASE_MS = 3_000;

/** Allowed, for a network may be one's own. */
const UNENCRYPTED = 'all that goes to Kafka can be read on its way: set KAFKA_TLS=on if its brokers can';
const LOGIN_IN_PLAIN = {
  PLAIN: `the password of KAFKA_USERNAME and ${UNENCRYPTED}`,
  'SCRAM-SHA-256': UNENCRYPTED,
  'SCRAM-SHA-512': UNENCRYPTED,
};

export class KafkaWork {
  readonly #settings: KafkaSettings;
  readonly #work: KafkaWorkParts;
  readonly #kafka: KafkaAccess;
  readonly #groupId: string;
  readonly #names: TopicNames;
  readonly #topics: KafkaTopics;

  private constructor(settings: KafkaSettings, work: KafkaWorkParts) {
    if (settings.kafka === null) throw new Error('the roles relay and consumers need Kafka');
    this.#settings = settings;
    this.#work = work;
    const { groupId, ...kafka } = settings.kafka;
    this.#kafka = kafka;
    this.#groupId = groupId;
    this.#names = new TopicNames(settings.topics);
    this.#topics = new KafkaTopics({ kafka: this.#kafka, names: this.#names, log: settings.log });
  }

  /**
   * Sees to it that the topics are there, and their schemas registered.
   * @throws WrongTopicSettings, WrongRegistryUrl
   */
  static async open(settings: KafkaSettings, work: KafkaWorkParts): Promise<KafkaWork> {
    const kafka = new KafkaWork(settings, work);
    const { tls, login } = kafka.#kafka;
    if (login !== undefined && tls === undefined) settings.log.warn(LOGIN_IN_PLAIN[login.mechanism]);
    const { closers, degraded } = work;
    await kafka.#topics.start();
    closers.push(() => kafka.#topics.close());
    const url = settings.events.schemaRegistryUrl;
    if (url === null) return kafka;
    const registration = registerSchemas({ url, names: kafka.#names, log: settings.log });
    closers.push(() => registration.close());
    degraded.push(() => registration.degraded());
    return kafka;
  }

  /** Where this node leads in it: one publishes at a time, and whoever follows begins at its cursors. */
  async publish(): Promise<void> {
    const { closers } = this.#work;
    const { locks, trouble } = this.#work.parts;
    const { log } = this.#settings;
    const leadership = new Leadership({
      locks,
      role: 'relay',
      ttlMs: RELAY_LEASE_MS,
      onGained: () => log.info('this node publishes the events'),
      onLost: () => log.info('this node no longer publishes the events'),
      onError: (error) => trouble(error as Error),
    });
    const publisher = await this.#publisher();
    leadership.start();
    closers.push(() => leadership.stop());
    const leads = () => leadership.leads;
    await this.#relay(publisher, leads);
    this.#sendDeadLetters(leads);
    this.#forwardInbox(leads);
  }

  async #relay(publisher: EventPublisher<WireEvent>, publishes: () => boolean): Promise<void> {
    const { closers, telemetry } = this.#work;
    const { ledger, source, states, onRecorded, trouble } = this.#work.parts;
    const relay = new Relay({
      read: source.readWire,
      publisher,
      cursors: new MariadbRelayCursors(ledger.connections),
      heads: () => ledger.heads(),
      publishes,
      onError: trouble,
      delay: (ms) => delay(ms),
      onWentBack: ({ partition, epoch, seq }, publishedSeq) => {
        const reason = `entry ${publishedSeq} was published, the ledger ends at entry ${seq}: it was replaced by an older copy`;
        states.halt({ partition, epoch, seq: publishedSeq }, 'ledger-went-back', reason).catch(trouble);
      },
    });
    await relay.start(await ledger.heads());
    closers.push(() => relay.stop());
    onRecorded.push((partition, seq) => relay.recorded(partition, seq));
    telemetry.gauge('holdfast_relay_lag_entries', 'Entries recorded and not yet published', () => relay.lag());
  }

  async #publisher(): Promise<EventPublisher<WireEvent>> {
    const { closers, degraded, keys } = this.#work;
    const { writer } = this.#work.parts.ledger.connections;
    const topics = this.#topics;
    if (this.#settings.outbox === 'debezium') {
      degraded.push(() => (topics.problem === null ? null : `Kafka: ${topics.problem}`));
      return new OutboxEventPublisher(await MariadbOutbox.open(writer), this.#names);
    }
    const publisher = new KafkaEventPublisher({
      kafka: this.#kafka,
      names: this.#names,
      topics,
      encryption: keys,
      log: this.#settings.log,
    });
    closers.push(() => publisher.close());
    degraded.push(() => publisher.degraded());
    return publisher;
  }

  #sendDeadLetters(sends: () => boolean): void {
    const { closers, degraded, ordering } = this.#work;
    const sender = new DeadLetterSender({
      kafka: this.#kafka,
      names: this.#names,
      letters: ordering.letters,
      sends,
      onMissingTopic: () => this.#topics.check(),
      log: this.#settings.log,
    });
    sender.start();
    closers.push(() => sender.stop());
    degraded.push(() => sender.degraded());
  }

  /** What was handed in over HTTP goes the way of all other events of orders. */
  #forwardInbox(forwards: () => boolean): void {
    const { closers, degraded } = this.#work;
    const { inbox, letters, readPlain, encrypt } = this.#work.ordering;
    const broker = new KafkaInboxBroker({
      kafka: this.#kafka,
      names: this.#names,
      onMissingTopic: () => this.#topics.check(),
    });
    closers.push(() => broker.close());
    const forwarder = new InboxForwarder({
      inbox,
      broker,
      forwards,
      deadLetters: letters,
      readMessage: readPlain,
      encrypt,
      onError: (error) => this.#settings.log.warn({ err: error }, 'events that were handed in wait in the database'),
    });
    forwarder.start();
    closers.push(() => forwarder.stop());
    degraded.push(() => forwarder.degraded());
  }

  /** From now on this node is a member of the group that handles orders. */
  async consume(isReady: () => boolean): Promise<void> {
    const { closers, degraded, ordering, telemetry } = this.#work;
    const { log, node, events } = this.#settings;
    const source = new KafkaMessageSource({
      kafka: this.#kafka,
      names: this.#names,
      groupId: this.#groupId,
      clientId: `holdfast-${node}`,
      log,
    });
    const { earlyEventWaitMs } = events;
    const consumption = await consume(ordering, source, { earlyEventWaitMs, isReady, telemetry, log });
    closers.push(() => consumption.stop());
    degraded.push(() => consumption.degraded());
  }
}
