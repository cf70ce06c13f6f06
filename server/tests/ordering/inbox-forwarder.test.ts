/** The inbox of a cluster is emptied into a real Kafka, from a real database: in order, and nothing is lost while either is away. */
import { Admin } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventKeys, isEncrypted } from '../../src/events/encryption/event-keys.ts';
import { KafkaTopics } from '../../src/events/kafka/kafka-topics.ts';
import { type ConsumedTopic, TopicNames } from '../../src/events/topics.ts';
import type { Inbox } from '../../src/ordering/inbox/inbox.ts';
import { InboxForwarder, type InboxForwarderParts } from '../../src/ordering/inbox/inbox-forwarder.ts';
import { KafkaInboxBroker } from '../../src/ordering/inbox/kafka/kafka-inbox-broker.ts';
import type { NewLetter } from '../../src/ordering/letters/dead-letters.ts';
import { valueOpener } from '../../src/ordering/messages/open-value.ts';
import { readMessage } from '../../src/ordering/messages/read-message.ts';
import { KeyFile } from '../events/encryption/keys.ts';
import { readBytes, readTopics } from '../events/kafka/topic-reader.ts';
import { type KafkaTestServer, startKafka } from '../support/servers/kafka.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { until } from '../support/servers/until.ts';
import { handedIn, inboxOver, mariadbStores, type OpenedStore } from './inbox-stores.ts';

const SECOND = 1_000;
const LOG = { info: () => undefined, warn: () => undefined };
type Reading = Pick<InboxForwarderParts, 'readMessage' | 'encrypt'>;
vi.setConfig({ testTimeout: 180 * SECOND, hookTimeout: 90 * SECOND });

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

  /** Without encryption nothing is read before it is sent, and what a letter says of a message is not of interest. */
  const plain: Reading = {
    readMessage: ({ key }) => ({
      ok: false,
      code: 'INVALID',
      reason: 'of a test',
      hqId: 'HQ001',
      orderId: key,
      eventId: null,
    }),
    encrypt: null,
  };

  /** Once, as the table: what is tried again after a failed send is parked again. */
  async function park(letter: NewLetter): Promise<void> {
    if (!parked.some(({ message }) => message.offset === letter.message.offset)) parked.push(letter);
  }

  async function start(reading: Reading = plain): Promise<InboxForwarder> {
    const access = { brokers: [kafka.bootstrapServers] };
    const topics = new KafkaTopics({ kafka: access, names, partitions: 3, log: LOG });
    const broker = new KafkaInboxBroker({ kafka: access, names, onMissingTopic: () => topics.check() });
    closers.push(
      () => topics.close(),
      () => broker.close(),
    );
    if (kafka.isUp) await topics.start();
    const forwarder = new InboxForwarder({
      inbox,
      broker,
      forwards: () => forwards,
      deadLetters: { park },
      ...reading,
      onError: () => undefined,
    });
    closers.push(() => forwarder.stop());
    forwarder.start();
    return forwarder;
  }

  async function allowBytes(topic: ConsumedTopic, bytes: number): Promise<void> {
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [kafka.bootstrapServers] });
    closers.push(() => admin.close());
    const configs = [{ name: 'max.message.bytes', value: `${bytes}` }];
    await admin.createTopics({ topics: [names.of(topic)], partitions: 1, replicas: 1, configs });
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
      await inbox.put(handedIn(`O-${index % 7}`, text));
    }
    await inbox.put({ ...handedIn('O-1', '{"paid":true}'), topic: 'order.completed' });
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
    await inbox.put(handedIn('A'));
    await empty();
    await kafka.kill();
    for (const key of ['B', 'C', 'D']) await inbox.put(handedIn(key));
    await until('it says so', 30 * SECOND, async () => /its events wait/.test(forwarder.degraded() ?? ''));
    expect((await opened.store.counts()).get('order.placed')).toBe(3);
    await kafka.start();
    await empty();
    expect(forwarder.degraded()).toBeNull();
    const all = (messages: readonly { key: string }[]) => new Set(messages.map(({ key }) => key)).size === 4;
    await readTopics(kafka.bootstrapServers, [names.of('order.placed')], all);
  });

  it('parks what the broker never takes, and goes on with the others', async () => {
    await allowBytes('order.placed', 2_000);
    const large = handedIn('LARGE', JSON.stringify({ name: 'x'.repeat(10_000) }));
    for (const event of [handedIn('A'), large, handedIn('B')]) await inbox.put(event);
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

  describe('with keys', () => {
    let keyFile: KeyFile;
    let keys: EventKeys;
    let encrypting: Reading;

    beforeEach(() => {
      keyFile = new KeyFile();
      keyFile.add('first');
      keys = new EventKeys({ file: keyFile.path, log: { info: () => undefined, warn: () => undefined } });
      const open = valueOpener(keys, 'accepted');
      encrypting = { readMessage: (message) => readMessage(message, open), encrypt: keys.encrypt.bind(keys) };
    });
    afterEach(() => keyFile.dispose());

    const order = (orderId: string, note = '') => {
      const data = { orderId, hqId: 'HQ001', note };
      const event = {
        eventId: `evt-${orderId}`,
        eventType: 'order.cancelled',
        timestamp: '2026-01-01T00:00:00Z',
        data,
      };
      return handedIn(orderId, JSON.stringify(event), 'order.cancelled');
    };
    const isLast = (messages: readonly { key: string }[]) => messages.some(({ key }) => key === 'B');

    it('encrypts each, and parks one that can be read no more, so that it holds up no other', async () => {
      const old = handedIn('OLD', '{"eventId":"evt-OLD","eventType":"order.cancelled"}', 'order.cancelled');
      for (const event of [order('A'), old, order('B')]) await inbox.put(event);
      await start(encrypting);
      await empty();
      expect(parked).toEqual([expect.objectContaining({ eventId: 'evt-OLD', attempts: 1 })]);
      expect(parked[0]?.code).not.toBe('TOO_LARGE');
      const read = await readBytes(kafka.bootstrapServers, [names.of('order.cancelled')], isLast);
      for (const { key, headers, value } of read) {
        const opened = keys.decrypt({ topic: 'order.cancelled', headers, value });
        expect(opened).toMatchObject({ ok: true, hqId: 'HQ001', eventId: `evt-${key}` });
      }
      expect(firstOf(read.map(({ key }) => key))).toEqual(['A', 'B']);
    });

    it('parks what the broker never takes as it would have gone: encrypted, and named by its ids', async () => {
      await allowBytes('order.cancelled', 2_000);
      for (const event of [order('A'), order('LARGE', 'secret '.repeat(2_000)), order('B')]) await inbox.put(event);
      await start(encrypting);
      await empty();
      expect(parked).toHaveLength(1);
      const [letter] = parked as [NewLetter];
      expect(letter).toMatchObject({ code: 'TOO_LARGE', hqId: 'HQ001', orderId: 'LARGE', eventId: 'evt-LARGE' });
      expect(Buffer.from(letter.message.value ?? []).includes('secret')).toBe(false);
      expect(isEncrypted(letter.message.headers)).toBe(true);
      expect(encrypting.readMessage(letter.message)).toMatchObject({ ok: true });
      await readBytes(kafka.bootstrapServers, [names.of('order.cancelled')], isLast);
    });
  });

  it('leaves it to another node while that one leads', async () => {
    forwards = false;
    await start();
    await inbox.put(handedIn('A'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await opened.store.counts()).get('order.placed')).toBe(1);
    forwards = true;
    await empty();
  });
});
