/**
 * `OUTBOX=debezium` on a real Kafka Connect with Debezium's connector, against the same assertions as the relay's own
 * publishing: a consumer sees the same values under the same keys.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { EventPublisher } from '../../../src/events/event-publisher.ts';
import { allOnTheWire, type WireEvent } from '../../../src/events/event-source.ts';
import { KafkaEventPublisher } from '../../../src/events/kafka/kafka-event-publisher.ts';
import { KafkaTopics } from '../../../src/events/kafka/kafka-topics.ts';
import { MariadbOutbox } from '../../../src/events/outbox/mariadb/mariadb-outbox.ts';
import { OutboxEventPublisher } from '../../../src/events/outbox/outbox-event-publisher.ts';
import { Relay } from '../../../src/events/relay.ts';
import { SqliteEventSource } from '../../../src/events/sqlite/sqlite-event-source.ts';
import { SqliteRelayCursors } from '../../../src/events/sqlite/sqlite-relay-cursors.ts';
import { TopicNames } from '../../../src/events/topics.ts';
import { MariadbPool } from '../../../src/ledger/mariadb/mariadb-pool.ts';
import { startDebezium } from '../../support/servers/debezium.ts';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { describeWith } from '../../support/servers/servers.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { caughtUp, expectAsRecorded, expectPublished, Selling } from '../kafka/selling.ts';
import { type ReadMessage, readTopics, untilAll } from '../kafka/topic-reader.ts';

const SECOND = 1_000;
const LOG = { info: () => undefined, warn: () => undefined };
const READ_MS_MAX = 90 * SECOND;

describeWith(['kafka', 'mariadb', 'debezium'], 'the outbox that Debezium publishes', () => {
  const names = new TopicNames({ prefix: 'shop.', map: 'stock.reserved=held' });
  let kafka: KafkaTestServer;
  let mariadb: MariadbTestServer;
  let debezium: TestServer;
  let pool: MariadbPool;
  let topics: KafkaTopics;
  let outbox: MariadbOutbox;
  let selling: Selling;

  beforeAll(async () => {
    [kafka, mariadb] = await Promise.all([startKafka(), startMariadb()]);
    pool = new MariadbPool(mariadb.access, { connectionsMax: 4, autocommit: false });
    outbox = await MariadbOutbox.open(pool);
    topics = new KafkaTopics({ kafka: { brokers: [kafka.bootstrapServers] }, names, partitions: 3, log: LOG });
    await topics.start();
    debezium = await startDebezium(kafka, mariadb);
  }, 120 * SECOND);

  afterAll(async () => {
    await pool?.close();
    await topics?.close();
    for (const server of [debezium, kafka, mariadb]) await server?.kill();
  });

  beforeEach(async () => {
    selling = await Selling.open();
  });

  afterEach(() => selling.pipeline.dispose());

  /** Publishes all that is recorded and not published yet. */
  async function relayTo(publisher: EventPublisher<WireEvent>): Promise<void> {
    const errors: Error[] = [];
    const { reader, writer } = selling.pipeline.ledger.threads;
    const relay = new Relay({
      read: allOnTheWire(new SqliteEventSource(reader)),
      publisher,
      cursors: new SqliteRelayCursors(writer),
      onError: (error) => errors.push(error),
      delay: (ms) => delay(ms),
    });
    await relay.start(await selling.pipeline.ledger.heads());
    await caughtUp(relay);
    await relay.stop();
    await publisher.close();
    expect(errors).toEqual([]);
  }

  const toOutbox = () => relayTo(new OutboxEventPublisher(outbox, names));
  const toKafka = () =>
    relayTo(
      new KafkaEventPublisher({
        kafka: { brokers: [kafka.bootstrapServers] },
        names,
        topics,
        encryption: null,
        log: LOG,
      }),
    );

  async function published() {
    const events = await selling.events();
    const ids = events.map(({ id }) => id);
    const read = [names.of('stock.updated'), names.of('stock.reserved')];
    const messages = await readTopics(kafka.bootstrapServers, read, untilAll(ids), READ_MS_MAX);
    const own = new Set(ids);
    return { events, messages: messages.filter(({ value }) => own.has((JSON.parse(value) as { id: string }).id)) };
  }

  it('has the same values and keys as the relay, in the same partitions; the table stays empty; either goes on where the other stopped', async () => {
    await selling.sell(2_000);
    await toOutbox();
    // What is in the database's log still is Debezium's: the relay would overtake it.
    await published();
    await selling.sell(500);
    await toKafka();
    await selling.sell(500);
    await toOutbox();
    const { events, messages } = await published();
    expect(messages).toHaveLength(events.length);
    expectPublished(messages, events);
    expectAsRecorded(messages, events);
    expect(new Set(messages.map(({ topic }) => topic))).toEqual(new Set(['shop.stock.updated', 'held']));
    expect(keysInTwoPartitions(messages)).toEqual([]);
    const [left] = await pool.read<{ rows: bigint | number }>('select count(*) as `rows` from outbox');
    expect(Number(left?.rows)).toBe(0);
  }, 60_000);
});

/** Order per key holds only within a partition. */
function keysInTwoPartitions(messages: readonly ReadMessage[]): string[] {
  const places = new Map<string, number>();
  return messages.flatMap(({ topic, key, partition }) => {
    const known = places.get(`${topic} ${key}`) ?? partition;
    places.set(`${topic} ${key}`, known);
    return known === partition ? [] : [key];
  });
}
