/** Wires one node of a cluster: Redis decides, MariaDB records, Kafka carries. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningApplication } from './application.ts';
import { ClusterHealth } from './cluster-health.ts';
import { type Closers, type NodeParts, type NodeTargets, openNodeParts } from './compose-cluster-parts.ts';
import { composeInbox } from './compose-inbox.ts';
import { type ComposedLetters, composeLetters } from './compose-letters.ts';
import type { EventPublisher } from './events/event-publisher.ts';
import type { WireEvent } from './events/event-source.ts';
import { KafkaEventPublisher } from './events/kafka/kafka-event-publisher.ts';
import { KafkaTopics } from './events/kafka/kafka-topics.ts';
import { MariadbRelayCursors } from './events/mariadb/mariadb-relay-cursors.ts';
import { MariadbOutbox } from './events/outbox/mariadb/mariadb-outbox.ts';
import { OutboxEventPublisher } from './events/outbox/outbox-event-publisher.ts';
import { Relay } from './events/relay.ts';
import { TopicNames, type TopicSettings } from './events/topics.ts';
import { MariadbOwnership } from './ledger/mariadb/mariadb-ownership.ts';
import { Leadership } from './locking/leadership.ts';
import { RedisNodeRegistry } from './node-registry/redis/redis-node-registry.ts';
import { MariadbInboxStore } from './ordering/mariadb/mariadb-inbox-store.ts';
import { mariadbLetterStore } from './ordering/mariadb/mariadb-letter-store.ts';
import { valueOpener } from './ordering/open-value.ts';
import { OrderHandler } from './ordering/order-handling.ts';
import { readMessage } from './ordering/read-message.ts';
import type { ProcessRole } from './process-roles.ts';
import { MariadbProjectedReads } from './projections/mariadb/mariadb-projected-reads.ts';
import { MariadbLedgerProof } from './reconciliation/mariadb/mariadb-ledger-proof.ts';
import { verify } from './reconciliation/verify.ts';
import { ClusterRecorder } from './recording/cluster/cluster-recorder.ts';
import type { ClusterRecorderEvents } from './recording/cluster/cluster-recorder-parts.ts';
import { ExpirySchedule } from './recording/expiry-schedule.ts';
import { undoOf } from './recording/undo.ts';
import { openRedis, type RedisTarget } from './stock/redis/open-redis.ts';
import { RedisRefill } from './stock/redis/redis-filling.ts';
import { RedisJournal } from './stock/redis/redis-journal.ts';
import { Telemetry } from './telemetry/telemetry.ts';

export interface ClusterNodeConfig extends NodeTargets {
  roles: ReadonlySet<ProcessRole>;
  /** Null where no role needs it. */
  kafka: { brokers: readonly string[]; groupId: string } | null;
  topics: TopicSettings;
  outbox: 'relay' | 'debezium';
  poisonRebuildsMax: number;
  tokenKey: Uint8Array;
  spoolFolder: string;
}

/** A relay that leads and dies is followed by another after this. */
const RELAY_LEASE_MS = 3_000;

/**
 * Opens a node; on return its roles are at work, and its readiness says when commands can be decided.
 * @throws LedgerUnusable, ProjectionsUnusable, EngineUnusable, WrongTopicSettings: what is wrong, and what to do
 */
export async function openClusterNode(config: ClusterNodeConfig): Promise<RunningApplication> {
  const closers: Closers = [];
  try {
    return await new ClusterComposition(config, closers).open();
  } catch (error) {
    // What cannot be closed either must not hide why it could not be opened.
    await closeAll(closers, (failure) => config.log.debug({ err: failure }, 'something could not be closed'));
    throw error;
  }
}

class ClusterComposition {
  readonly #config: ClusterNodeConfig;
  readonly #closers: Closers;
  readonly #telemetry = new Telemetry();
  /** What is away while reservations go on; null where nothing is. */
  readonly #degraded: (() => string | null)[] = [];

  constructor(config: ClusterNodeConfig, closers: Closers) {
    this.#config = config;
    this.#closers = closers;
  }

  async open(): Promise<RunningApplication> {
    const { roles } = this.#config;
    const parts = await openNodeParts(this.#config, {
      projects: roles.has('projector'),
      telemetry: this.#telemetry,
      closers: this.#closers,
    });
    if (roles.has('recorder')) await this.#record(parts);
    if (roles.has('relay')) await this.#publish(parts);
    if (roles.has('scheduler')) this.#expire(parts);
    const health = new ClusterHealth({
      engineCounts: () => parts.engine.counts(),
      partitions: () => parts.states.list(),
      degraded: () => this.#degraded.map((reason) => reason()).filter((reason) => reason !== null),
    });
    await health.start();
    const reconciled = roles.has('api') ? this.#reconcile(parts, health) : null;
    this.#closers.push(async () => {
      health.stop();
      await reconciled;
    });
    this.#gauges(parts, health);
    return this.#application(parts, health);
  }

  async #record({ connection, scripts, ledger, states, channel, projections, executor, trouble }: NodeParts) {
    const { node, poisonRebuildsMax } = this.#config;
    const refill = new RedisRefill(connection, scripts, trouble);
    this.#closers.push(() => refill.settled());
    const recorder = new ClusterRecorder({
      ledger,
      journal: await RedisJournal.open(connection, scripts),
      engine: refill,
      images: projections.images,
      states,
      ownership: new MariadbOwnership(ledger.connections.writer, node),
      projected: new MariadbProjectedReads(ledger.connections.reader),
      channel,
      events: this.#recorderEvents(executor, trouble),
      now: Date.now,
      poisonRebuildsMax,
    });
    recorder.start();
    this.#closers.push(() => recorder.stop());
  }

  #recorderEvents(executor: NodeParts['executor'], trouble: NodeParts['trouble']): ClusterRecorderEvents {
    const { log } = this.#config;
    const undoing = new Set<string>();
    return {
      recorded: (_head, entries) => this.#telemetry.recorded(entries),
      duplicated: (entry) => {
        const { partition, seq, duplicateOf } = entry;
        const place = `${partition}/${seq}`;
        if (undoing.has(place)) return;
        undoing.add(place);
        log.warn({ partition, seq, duplicateOf }, 'decided twice; taken back');
        undoOf(entry, executor)
          .catch((error: unknown) => log.error({ err: error, seq }, 'a second decision could not be taken back'))
          .finally(() => undoing.delete(place));
      },
      committed: ({ entries, durationMs }) => {
        this.#telemetry.batchEntries.observe(entries);
        this.#telemetry.recordSeconds.observe(durationMs / 1_000);
      },
      quarantined: (partitions, reason) => {
        this.#telemetry.engineHalts.inc();
        log.warn({ partitions, reason }, 'these partitions are being filled again from the ledger');
      },
      opened: (heads) => log.info({ partitions: heads.map(({ partition }) => partition) }, 'partitions are open'),
      waiting: (partition, reason) => log.error({ partition, reason }, 'a partition waits for an operator'),
      trouble,
    };
  }

  /** Where this node leads in it: one publishes at a time, and whoever follows begins at its cursors. */
  async #publish({ ledger, source, locks, states, onRecorded, trouble }: NodeParts): Promise<void> {
    const { log } = this.#config;
    const publisher = await this.#publisher(ledger);
    const leadership = new Leadership({
      locks,
      role: 'relay',
      ttlMs: RELAY_LEASE_MS,
      onGained: () => log.info('this node publishes the events'),
      onLost: () => log.info('this node no longer publishes the events'),
      onError: (error) => trouble(error as Error),
    });
    const relay = new Relay({
      read: source.readWire,
      publisher,
      cursors: new MariadbRelayCursors(ledger.connections),
      heads: () => ledger.heads(),
      publishes: () => leadership.leads,
      onError: trouble,
      delay: (ms) => delay(ms),
      onWentBack: ({ partition, epoch, seq }, publishedSeq) => {
        const reason = `entry ${publishedSeq} was published, the ledger ends at entry ${seq}: it was replaced by an older copy`;
        states.halt({ partition, epoch, seq: publishedSeq }, 'ledger-went-back', reason).catch(trouble);
      },
    });
    leadership.start();
    this.#closers.push(() => leadership.stop());
    await relay.start(await ledger.heads());
    this.#closers.push(() => relay.stop());
    onRecorded.push((partition, seq) => relay.recorded(partition, seq));
    this.#telemetry.gauge('holdfast_relay_lag_entries', 'Entries recorded and not yet published', () => relay.lag());
  }

  async #publisher({ connections }: NodeParts['ledger']): Promise<EventPublisher<WireEvent>> {
    const { kafka, topics, outbox, log } = this.#config;
    if (kafka === null) throw new Error('the role relay needs Kafka');
    const { brokers } = kafka;
    const names = new TopicNames(topics);
    const kafkaTopics = new KafkaTopics({ brokers, names, log });
    await kafkaTopics.start();
    this.#closers.push(() => kafkaTopics.close());
    if (outbox === 'debezium') {
      this.#degraded.push(() => (kafkaTopics.problem === null ? null : `Kafka: ${kafkaTopics.problem}`));
      return new OutboxEventPublisher(await MariadbOutbox.open(connections.writer), names);
    }
    const publisher = new KafkaEventPublisher({ brokers, names, topics: kafkaTopics, encryption: null, log });
    this.#closers.push(() => publisher.close());
    this.#degraded.push(() => publisher.degraded());
    return publisher;
  }

  #expire({ engine }: NodeParts): void {
    const expiry = new ExpirySchedule(engine, (latenessMs) =>
      this.#telemetry.expiryLatenessSeconds.observe(latenessMs / 1_000),
    );
    this.#closers.push(() => expiry.stop());
  }

  /** Tells the engine of stores and products that it has not heard of, as soon as there is one. */
  async #reconcile({ masterData, trouble }: NodeParts, health: ClusterHealth): Promise<void> {
    try {
      if (await health.whenReady()) await masterData.reconcile();
    } catch (error) {
      trouble(error as Error);
    }
  }

  #gauges({ projections, events }: NodeParts, health: ClusterHealth): void {
    const set = this.#telemetry.gauge.bind(this.#telemetry);
    set('holdfast_open_holds', 'Reservations that hold stock now', () => health.counts.openHolds);
    set('holdfast_levels', 'Levels that the engine holds', () => health.counts.levels);
    set('holdfast_remembered_operations', 'Operation ids in the window', () => health.counts.rememberedOperations);
    set('holdfast_unrecorded_commands', 'Commands decided and not yet recorded', () => health.counts.unrecorded);
    set('holdfast_open_partitions', 'Partitions in which commands are decided', () => health.counts.openPartitions);
    set('holdfast_projection_lag_entries', 'Entries recorded and not yet projected', () => projections.lag());
    set('holdfast_event_streams', 'Subscribers of the in-process bus', () => events.streams);
  }

  /** Every node may go on where another one has left letters that wait: a claim lets one of them do it. */
  #letters({ ledger, executor, masterData, projections }: NodeParts): ComposedLetters {
    const letters = composeLetters({
      store: mariadbLetterStore(ledger.connections),
      handling: new OrderHandler({ executor, masterData, history: projections.history, now: Date.now }),
      keys: null,
      open: valueOpener(null, 'accepted'),
      log: this.#config.log,
    });
    if (this.#config.roles.has('consumers')) letters.redrive.start();
    this.#closers.push(() => letters.redrive.stop());
    return letters;
  }

  #application(parts: NodeParts, health: ClusterHealth): RunningApplication {
    const { engine, projections, executor, catalog, masterData, locks, events } = parts;
    const { node, roles, tokenKey, spoolFolder, database, log } = this.#config;
    const letters = this.#letters(parts);
    return {
      mode: 'cluster',
      now: Date.now,
      executor,
      engine,
      history: projections.history,
      catalog,
      masterData,
      locks,
      spoolFolder,
      events,
      inbox: composeInbox(new MariadbInboxStore(parts.ledger.connections), { telemetry: this.#telemetry, log }),
      readMessage: (message) => readMessage(message, valueOpener(null, 'accepted')),
      letterDesk: letters.desk,
      telemetry: this.#telemetry,
      tokenKey,
      isReady: () => health.ready,
      readiness: () => health.readiness(),
      verify: (options) => verify({ openProof: (head) => new MariadbLedgerProof(database, head), engine }, options),
      rebuild: (projection, onProgress) => projections.rebuild(projection, onProgress),
      announce: ({ url }) => {
        if (roles.has('api')) parts.registry.announce(node, url);
      },
      stop: () => closeAll(this.#closers, parts.trouble),
    };
  }
}

/** A server may be away: what one part could not save, it reads again, and the others are closed as well. */
async function closeAll(closers: Closers, onFailed: (error: Error) => void): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      onFailed(error as Error);
    }
  }
}

/**
 * Where nodes of this cluster serve.
 * @throws EngineUnusable, or what `RedisConnection.send` throws, when Redis cannot be asked
 */
export async function addressesOfNodes(redis: RedisTarget): Promise<string[]> {
  const connection = await openRedis(redis, () => undefined);
  try {
    return await new RedisNodeRegistry(connection, Date.now).addresses();
  } finally {
    await connection.close();
  }
}
