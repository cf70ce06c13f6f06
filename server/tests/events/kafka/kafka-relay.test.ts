/** The relay to a real Kafka: nothing is lost, first appearances are in order per key, whatever dies meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { Admin, type API, kGetApi, produceV9, produceV10, produceV11 } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { EventKeys } from '../../../src/events/encryption/event-keys.ts';
import { allOnTheWire, type WireEvent } from '../../../src/events/event-source.ts';
import { BulkProducer } from '../../../src/events/kafka/bulk-producer.ts';
import { KafkaEventPublisher } from '../../../src/events/kafka/kafka-event-publisher.ts';
import { KafkaTopics } from '../../../src/events/kafka/kafka-topics.ts';
import { Relay, type RelayParts } from '../../../src/events/relay.ts';
import { SqliteEventSource } from '../../../src/events/sqlite/sqlite-event-source.ts';
import { SqliteRelayCursors } from '../../../src/events/sqlite/sqlite-relay-cursors.ts';
import { TopicNames } from '../../../src/events/topics.ts';
import { newReservationId, partitionOf } from '../../../src/stock/identifiers.ts';
import { ID_LENGTH_MAX, LINES_MAX, QUANTITY_MAX } from '../../../src/stock/limits.ts';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { KeyFile } from '../encryption/keys.ts';
import { caughtUp, expectAsRecorded, expectPublished, Selling } from './selling.ts';
import { readBytes, readTopics, untilAll } from './topic-reader.ts';

const TYPES = ['stock.updated', 'stock.reserved'] as const;
const SECOND = 1_000;

// A broker that was killed is back in 5 s on an idle machine, and in 15 s on one that eight suites share.
vi.setConfig({ testTimeout: 180 * SECOND, hookTimeout: 90 * SECOND });

describeWith(['kafka'], 'the relay to Kafka', () => {
  let kafka: KafkaTestServer;
  let selling: Selling;
  let names: TopicNames;
  let installations = 0;
  const opened: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    kafka = await startKafka();
  }, 60 * SECOND);

  afterAll(() => kafka?.kill());

  beforeEach(async () => {
    installations += 1;
    names = new TopicNames({ prefix: `i${installations}.` });
    selling = await Selling.open();
  });

  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each.close();
    await selling.pipeline.dispose();
    if (!kafka.isUp) await kafka.start();
  });

  async function publisher(
    encryption: EventKeys | null = null,
  ): Promise<{ publisher: KafkaEventPublisher; topics: KafkaTopics }> {
    const brokers = [kafka.bootstrapServers];
    const log = { info: () => undefined, warn: () => undefined };
    const topics = new KafkaTopics({ kafka: { brokers }, names, partitions: 3, log });
    const made = new KafkaEventPublisher({ kafka: { brokers }, names, topics, encryption, log });
    opened.push(topics, made);
    await topics.start();
    return { publisher: made, topics };
  }

  function relayTo(to: KafkaEventPublisher, more: Partial<RelayParts<WireEvent>> = {}): Relay<WireEvent> {
    const { reader, writer } = selling.pipeline.ledger.threads;
    const relay = new Relay({
      read: allOnTheWire(new SqliteEventSource(reader)),
      publisher: to,
      cursors: new SqliteRelayCursors(writer),
      onError: () => undefined,
      delay: (ms) => delay(ms),
      ...more,
    });
    opened.push({ close: () => relay.stop() });
    return relay;
  }

  const topics = () => TYPES.map((type) => names.of(type));

  async function published() {
    const events = await selling.events();
    return {
      events,
      messages: await readTopics(kafka.bootstrapServers, topics(), untilAll(events.map(({ id }) => id))),
    };
  }

  it('publishes each event as structured JSON under its key, to topics that it created', async () => {
    names = new TopicNames({ prefix: `i${installations}.`, map: `stock.reserved=held-${installations}` });
    const { publisher: to, topics: found } = await publisher();
    expect(found.problem).toBeNull();
    const relay = relayTo(to);
    await relay.start(await selling.pipeline.ledger.heads());
    await selling.sell(50);
    await selling.announceTo(relay);
    await caughtUp(relay);
    const { events, messages } = await published();
    expectPublished(messages, events);
    expect(new Set(messages.map(({ topic }) => topic))).toEqual(
      new Set([`i${installations}.stock.updated`, `held-${installations}`]),
    );
    expectAsRecorded(messages, events);
    expect(messages[0]?.headers).toEqual({ 'content-type': 'application/cloudevents+json; charset=UTF-8' });
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [kafka.bootstrapServers] });
    const there = await admin.listTopics();
    const { topics: details } = await admin.metadata({ topics: topics() });
    await admin.close();
    expect(there).toEqual(expect.arrayContaining(names.all()));
    expect([...details.values()].map(({ partitionsCount }) => partitionsCount)).toEqual([3, 3]);
    expect(to.degraded()).toBeNull();
  });

  it('sends in requests of its own writing', async () => {
    const producer = new BulkProducer({ clientId: 'tests', bootstrapBrokers: [kafka.bootstrapServers] });
    opened.push(producer);
    const asked = await new Promise<API<unknown[], unknown> | undefined>((resolve, reject) => {
      producer[kGetApi]('Produce', (error, api) => (error === null ? resolve(api) : reject(error)));
    });
    expect(asked?.version).toBe(produceV11.api.version);
    expect([produceV9.api, produceV10.api, produceV11.api]).not.toContain(asked);
  });

  it('has events on the wire within a second of recording, also when nobody announces them', async () => {
    const { publisher: to } = await publisher();
    const relay = relayTo(to, { heads: () => selling.pipeline.ledger.heads() });
    await relay.start(await selling.pipeline.ledger.heads());
    await caughtUp(relay);
    await selling.sell(1);
    const recordedAt = Date.now();
    const last = (await selling.events()).at(-1);
    const messages = await readTopics(kafka.bootstrapServers, topics(), untilAll([last?.id ?? '']));
    expect(messages.length).toBeGreaterThan(0);
    expect(Date.now() - recordedAt).toBeLessThan(10 * SECOND);
  });

  it('loses nothing and reorders nothing when the broker is killed while it publishes', async () => {
    const { publisher: to } = await publisher();
    const relay = relayTo(to);
    await selling.sell(10_000);
    await relay.start(await selling.pipeline.ledger.heads());
    const whole = relay.lag();
    while (relay.lag() > whole * 0.9) await delay(1);
    await kafka.kill();
    const stoodAt = relay.lag();
    expect(stoodAt).toBeGreaterThan(0);
    await kafka.start();
    await caughtUp(relay, 30 * SECOND);
    const { events, messages } = await published();
    expectPublished(messages, events);
  });

  it('says so while Kafka is away, and goes on by itself', async () => {
    const { publisher: to } = await publisher();
    const relay = relayTo(to);
    await relay.start(await selling.pipeline.ledger.heads());
    await caughtUp(relay);
    await kafka.kill();
    await selling.sell(500);
    await selling.announceTo(relay);
    while (to.degraded() === null) await delay(50);
    expect(to.degraded()).toContain(`Kafka (${kafka.bootstrapServers}) takes no events: `);
    expect(relay.lag()).toBeGreaterThan(0);
    await kafka.start();
    await caughtUp(relay);
    while (to.degraded() !== null) await delay(50);
    const { events, messages } = await published();
    expectPublished(messages, events);
  });

  it('bears a broker that holds its connections and answers nothing', async () => {
    const { publisher: to } = await publisher();
    const relay = relayTo(to);
    await relay.start(await selling.pipeline.ledger.heads());
    await caughtUp(relay);
    kafka.suspend();
    await selling.sell(500);
    await selling.announceTo(relay);
    while (to.degraded() === null) await delay(50);
    kafka.resume();
    await caughtUp(relay, 30 * SECOND);
    const { events, messages } = await published();
    expectPublished(messages, events);
  });

  it('starts without Kafka, and creates the topics once it is there', async () => {
    await kafka.kill();
    const { publisher: to, topics: found } = await publisher();
    expect(found.problem).not.toBeNull();
    expect(to.degraded()).toContain('they wait in the ledger');
    const relay = relayTo(to);
    await selling.sell(10);
    await relay.start(await selling.pipeline.ledger.heads());
    await kafka.start();
    await caughtUp(relay);
    const { events, messages } = await published();
    expectPublished(messages, events);
  });

  it('creates a topic again that somebody removed', async () => {
    const { publisher: to } = await publisher();
    const relay = relayTo(to);
    await relay.start(await selling.pipeline.ledger.heads());
    await caughtUp(relay);
    const before = (await selling.events()).length;
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [kafka.bootstrapServers] });
    await admin.deleteTopics({ topics: topics() });
    // Until the broker has heard of it, it takes events that go with the topic.
    await expect.poll(async () => (await admin.listTopics()).filter((name) => topics().includes(name))).toEqual([]);
    await admin.close();
    await selling.sell(20);
    await selling.announceTo(relay);
    await caughtUp(relay);
    const events = (await selling.events()).map(({ id }) => id);
    const fresh = events.length - before;
    expect(fresh).toBe(20);
    await readTopics(kafka.bootstrapServers, topics(), (messages) => messages.length >= fresh);
  });

  it('splits what a topic takes only in smaller pieces', async () => {
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [kafka.bootstrapServers] });
    const small = [{ name: 'max.message.bytes', value: '4096' }];
    await admin.createTopics({ topics: topics(), partitions: 1, replicas: 1, configs: small });
    await admin.close();
    const { publisher: to } = await publisher();
    const relay = relayTo(to);
    await selling.sell(200);
    await relay.start(await selling.pipeline.ledger.heads());
    await caughtUp(relay);
    const { events, messages } = await published();
    expectPublished(messages, events);
  });

  it('publishes the largest event that a command can make', async () => {
    const { publisher: to } = await publisher();
    const relay = relayTo(to);
    await relay.start(await selling.pipeline.ledger.heads());
    const id = (head: string, index: number): string => head + String(index).padStart(ID_LENGTH_MAX - head.length, '0');
    const items = Array.from({ length: LINES_MAX }, (_, index) => ({
      storeId: id('S', 1),
      productId: id('P', index),
      quantity: QUANTITY_MAX,
    }));
    const hqId = 'HQ001';
    const settings = { safetyStock: null, lowThreshold: null };
    await selling.execute(hqId, { type: 'configure-store', storeId: id('S', 1), settings });
    await Promise.all(
      items.map(({ productId }) => selling.execute(hqId, { type: 'configure-product', productId, settings })),
    );
    const rest = { storeId: id('S', 1), transactionId: id('T', 1), orderId: id('O', 1), ttlMs: 60_000 };
    await selling.execute(hqId, {
      type: 'reserve',
      reservationId: newReservationId(partitionOf(hqId)),
      ...rest,
      items,
    });
    await selling.announceTo(relay);
    await caughtUp(relay);
    const topic = names.of('stock.reservation.failed');
    const [message] = await readTopics(kafka.bootstrapServers, [topic], (messages) => messages.length > 0);
    expect(message?.value.length).toBeGreaterThan(150_000);
    expect(message?.value.length).toBeLessThan(300_000);
  });

  it('keeps what Kafka never takes, says so, and lets other keys pass', async () => {
    const { publisher: to } = await publisher();
    const event = (key: string, length: number): WireEvent => {
      return { id: key, hqId: 'HQ001', type: 'stock.updated', key, value: Buffer.alloc(length, 'x') };
    };
    const tooLarge = to.publish([event('large', 2 * 1_024 * 1_024)]).then(
      () => 'accepted',
      (error: Error) => error.message,
    );
    await to.publish([event('a', 10)]);
    while (to.degraded() === null) await delay(50);
    expect(to.degraded()).toContain('larger than the max message size');
    await to.close();
    expect(await tooLarge).toContain('the publisher is closed');
  });

  it('publishes what nobody reads without the keys, which rotate while it publishes', async () => {
    const file = new KeyFile();
    opened.push({ close: async () => file.dispose() });
    file.add('one');
    const open = () => new EventKeys({ file: file.path, log: { info: () => undefined, warn: () => undefined } });
    const relay = relayTo((await publisher(open())).publisher);
    await relay.start(await selling.pipeline.ledger.heads());
    await selling.sell(200);
    await selling.announceTo(relay);
    await caughtUp(relay);
    file.add('two');
    // Keys are looked at once a second.
    await delay(1_100);
    await selling.sell(200);
    await selling.announceTo(relay);
    await caughtUp(relay);
    const texts = new Map((await selling.events()).map((event) => [event.id, JSON.stringify(event)]));
    const sent = await readBytes(kafka.bootstrapServers, topics(), (messages) => messages.length >= texts.size);
    const consumer = open();
    const read = sent.map(({ topic, headers, value }) => {
      const result = consumer.decrypt({ topic: topic.slice(names.of('stock.low').length - 9), headers, value });
      expect(headers.get('content-type')).toBe('application/octet-stream');
      expect(value.includes('stock.')).toBe(false);
      return result.ok ? ([result.eventId, Buffer.from(result.value).toString()] as const) : result;
    });
    expect(new Map(read as [string, string][])).toEqual(texts);
    expect(new Set(sent.map(({ headers }) => headers.get('holdfast-key-id')))).toEqual(new Set(['one', 'two']));
    file.remove('one', 'two');
    const old = sent.filter(({ headers }) => headers.get('holdfast-key-id') === 'one');
    const late = open();
    expect(old.map((message) => late.decrypt({ ...message }).ok)).toEqual(old.map(() => false));
  });

  it('hands over to another relay, also when the first one only believes that it still leads', async () => {
    let leader: 'first' | 'second' = 'first';
    const heads = () => selling.pipeline.ledger.heads();
    const first = relayTo((await publisher()).publisher, { heads, publishes: () => leader === 'first' });
    const stalled = relayTo((await publisher()).publisher, { heads });
    const second = relayTo((await publisher()).publisher, { heads, publishes: () => leader === 'second' });
    for (const relay of [first, stalled, second]) await relay.start(await heads());
    for (let round = 0; round < 6; round += 1) {
      leader = round % 2 === 0 ? 'first' : 'second';
      await selling.sell(1_000);
      for (const relay of [first, second]) await selling.announceTo(relay);
      await delay(100);
    }
    const { events, messages } = await published();
    expectPublished(messages, events);
    for (const relay of [first, stalled, second]) await caughtUp(relay);
  });
});
