/** The inbox of a cluster is emptied into a real Kafka, from a real database: in order, and nothing is lost while either is away. */
import { Admin } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { KafkaTopics } from '../../src/events/kafka/kafka-topics.ts';
import { TopicNames } from '../../src/events/topics.ts';
import type { Inbox } from '../../src/ordering/inbox/inbox.ts';
import { InboxForwarder } from '../../src/ordering/inbox/inbox-forwarder.ts';
import { KafkaInboxBroker } from '../../src/ordering/inbox/kafka/kafka-inbox-broker.ts';
import type { NewLetter } from '../../src/ordering/letters/dead-letters.ts';
import { readTopics } from '../events/kafka/topic-reader.ts';
import { type KafkaTestServer, startKafka } from '../support/servers/kafka.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { until } from '../support/servers/until.ts';
import { inboxOver, mariadbStores, type OpenedStore, placedOrder } from './inbox-stores.ts';

const SECOND = 1_000;
vi.setConfig({ testTimeout: 60 * SECOND, hookTimeout: 60 * SECOND });

describeWith(['kafka', 'mariadb'], 'the way from the inbox to Kafka', () => {
  let kafka: KafkaTestServer;
  let mariadb: MariadbTestServer;
  let names: TopicNames;
  let opened: OpenedStore;
  let inbox: Inbox;
  let installations = 0;
  let forwards = true;
  const parked: NewLetter[] = [];
  const closers: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    [kafka, mariadb] = await Promise.all([startKafka(), startMariadb()]);
  });

  afterAll(() => Promise.all([kafka?.kill(), mariadb?.stop()]));

  beforeEach(async () => {
    installations += 1;
    forwards = true;
    parked.length = 0;
    names = new TopicNames({ prefix: `f${installations}.` });
    opened = await (await mariadbStores(mariadb)).open();
    inbox = inboxOver(opened.store).inbox;
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await opened.close();
    if (!kafka.isUp) await kafka.start();
  });

  async function start(): Promise<InboxForwarder> {
    const brokers = [kafka.bootstrapServers];
    const topics = new KafkaTopics({ brokers, names, partitions: 3, log: { info: () => undefined } });
    const broker = new KafkaInboxBroker({ brokers, names, onMissingTopic: () => topics.check(), seal: null });
    closers.push(
      () => topics.close(),
      () => broker.close(),
    );
    if (kafka.isUp) await topics.start();
    const forwarder = new InboxForwarder({
      inbox,
      broker,
      forwards: () => forwards,
      deadLetters: { park: async (letter) => void parked.push(letter) },
      readMessage: ({ key }) => ({
        ok: false,
        code: 'INVALID',
        reason: 'of a test',
        hqId: 'HQ001',
        orderId: key,
        eventId: null,
      }),
      onError: () => undefined,
    });
    closers.push(() => forwarder.stop());
    forwarder.start();
    return forwarder;
  }

  const empty = () => until('the inbox is empty', 30 * SECOND, async () => (await opened.store.counts()).size === 0);

  /** An event may be sent again, behind which all others of its key follow again. */
  const firstOf = (values: readonly string[]) => [...new Set(values)];

  it('gives events on with their key, as they are, in the order of each key', async () => {
    await start();
    const sent: string[] = [];
    for (let index = 0; index < 60; index += 1) {
      const text = JSON.stringify({ index, name: '주문 ✓' });
      sent.push(text);
      await inbox.put(placedOrder(`O-${index % 7}`, text));
    }
    await inbox.put({ ...placedOrder('O-1', '{"paid":true}'), topic: 'order.completed' });
    await empty();
    const topics = [names.of('order.placed'), names.of('order.completed')];
    const all = (messages: readonly { value: string }[]) => new Set(messages.map(({ value }) => value)).size === 61;
    const read = await readTopics(kafka.bootstrapServers, topics, all);
    for (let order = 0; order < 7; order += 1) {
      const ofKey = read.filter(({ key, topic }) => key === `O-${order}` && topic === topics[0]);
      expect(firstOf(ofKey.map(({ value }) => value))).toEqual(sent.filter((_, index) => index % 7 === order));
    }
    const paid = read.filter(({ topic }) => topic === topics[1]).map(({ key, value }) => `${key} ${value}`);
    expect(firstOf(paid)).toEqual(['O-1 {"paid":true}']);
  });

  it('waits while Kafka is away, says so, and follows on when it is back', async () => {
    const forwarder = await start();
    await inbox.put(placedOrder('A'));
    await empty();
    await kafka.kill();
    for (const key of ['B', 'C', 'D']) await inbox.put(placedOrder(key));
    await until('it says so', 30 * SECOND, async () => /its events wait/.test(forwarder.degraded() ?? ''));
    expect((await opened.store.counts()).get('order.placed')).toBe(3);
    await kafka.start();
    await empty();
    expect(forwarder.degraded()).toBeNull();
    const all = (messages: readonly { key: string }[]) => new Set(messages.map(({ key }) => key)).size === 4;
    await readTopics(kafka.bootstrapServers, [names.of('order.placed')], all);
  });

  it('parks what the broker never takes, and goes on with the others', async () => {
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [kafka.bootstrapServers] });
    closers.push(() => admin.close());
    const configs = [{ name: 'max.message.bytes', value: '2000' }];
    await admin.createTopics({ topics: [names.of('order.placed')], partitions: 1, replicas: 1, configs });
    const large = placedOrder('LARGE', JSON.stringify({ name: 'x'.repeat(10_000) }));
    for (const event of [placedOrder('A'), large, placedOrder('B')]) await inbox.put(event);
    await start();
    await empty();
    expect(parked).toHaveLength(1);
    expect(parked[0]).toMatchObject({ code: 'TOO_LARGE', hqId: 'HQ001', orderId: 'LARGE', key: null });
    expect(parked[0]?.message).toMatchObject({ topic: 'order.placed', partition: -1, key: 'LARGE' });
    const topics = [names.of('order.placed')];
    const read = await readTopics(kafka.bootstrapServers, topics, (messages) =>
      messages.some(({ key }) => key === 'B'),
    );
    expect(firstOf(read.map(({ key }) => key))).toEqual(['A', 'B']);
  });

  it('leaves it to another node while that one leads', async () => {
    forwards = false;
    await start();
    await inbox.put(placedOrder('A'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await opened.store.counts()).get('order.placed')).toBe(1);
    forwards = true;
    await empty();
  });
});
