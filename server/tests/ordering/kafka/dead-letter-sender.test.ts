/** Dead letters on a real Kafka: each at least once, as it came, in the order in which it was parked. */
import { randomUUID } from 'node:crypto';
import { Consumer, type Message } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { KafkaTopics } from '../../../src/events/kafka/kafka-topics.ts';
import { TopicNames } from '../../../src/events/topics.ts';
import type { DeadLetter } from '../../../src/ordering/letters/dead-letters.ts';
import { DeadLetterSender } from '../../../src/ordering/letters/kafka/dead-letter-sender.ts';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from '../../support/servers/until.ts';

const SECOND = 1_000;
vi.setConfig({ testTimeout: 180 * SECOND, hookTimeout: 90 * SECOND });

const LOG = { info: () => undefined, warn: () => undefined };

describeWith(['kafka'], 'the sender of dead letters', () => {
  let kafka: KafkaTestServer;
  let names: TopicNames;
  let installations = 0;
  let letters: Table;
  let sends = true;
  const closers: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    kafka = await startKafka();
  });

  afterAll(() => kafka?.kill());

  beforeEach(() => {
    installations += 1;
    names = new TopicNames({ prefix: `d${installations}.` });
    letters = new Table();
    sends = true;
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    if (!kafka.isUp) await kafka.start();
  });

  async function start(): Promise<DeadLetterSender> {
    const access = { brokers: [kafka.bootstrapServers] };
    const topics = new KafkaTopics({ kafka: access, names, partitions: 3, log: LOG });
    await topics.start();
    const sender = new DeadLetterSender({
      kafka: access,
      names,
      letters,
      sends: () => sends,
      onMissingTopic: () => topics.check(),
      log: LOG,
    });
    closers.push(
      () => topics.close(),
      () => sender.stop(),
    );
    sender.start();
    return sender;
  }

  const read = (count: number) => readDeadLetters(kafka.bootstrapServers, names, count);
  const sent = () => until('all are sent', 40 * SECOND, async () => letters.open() === 0);

  it('sends a letter as it came, with why it is there and where it came from', async () => {
    const value = Buffer.from([0, 255, 128, 10]);
    letters.add({ key: 'O-1', value, headers: new Map([['holdfast-key-id', '2026-11']]) }, { attempts: 4 });
    letters.add({ topic: 'sku.created', key: null, value: null });
    await start();
    await sent();
    const [encrypted, empty] = (await read(2)).sort((a, b) => a.topic.localeCompare(b.topic));
    expect(encrypted?.topic).toBe(`d${installations}.order.placed.dlq`);
    expect(encrypted?.key?.toString()).toBe('O-1');
    expect(encrypted?.value).toEqual(value);
    expect(headersOf(encrypted)).toEqual({
      'holdfast-key-id': '2026-11',
      'holdfast-dlq-id': 'ltr_1',
      'holdfast-dlq-code': 'KEEPS_FAILING',
      'holdfast-dlq-reason': '재고: no answer',
      'holdfast-dlq-attempts': '4',
      'holdfast-dlq-topic': `d${installations}.order.placed`,
      'holdfast-dlq-partition': '2',
      'holdfast-dlq-offset': '1',
      'holdfast-dlq-time': '2026-11-21T00:00:00.000Z',
    });
    expect(empty?.topic).toBe(`d${installations}.sku.created.dlq`);
    expect([empty?.key ?? null, empty?.value ?? null]).toEqual([null, null]);
  });

  it('sends again what was sent and not marked; nothing while it is not the one to send', async () => {
    sends = false;
    for (let index = 0; index < 5; index += 1) letters.add({ key: 'O-1', value: Buffer.from(`${index}`) });
    letters.failMarks = 1;
    await start();
    await new Promise((resolve) => setTimeout(resolve, SECOND));
    expect(letters.open()).toBe(5);
    sends = true;
    await sent();
    const values = (await read(10)).map(({ value }) => value.toString());
    expect(values).toEqual(['0', '1', '2', '3', '4', '0', '1', '2', '3', '4']);
  });

  it('waits while Kafka is away, says so, and loses nothing and reorders nothing', async () => {
    const sender = await start();
    letters.add({ key: 'O-1', value: Buffer.from('0') });
    await sent();
    await kafka.kill();
    for (let index = 1; index <= 250; index += 1) letters.add({ key: 'O-1', value: Buffer.from(`${index}`) });
    await until('it says so', 30 * SECOND, async () => sender.degraded()?.includes('wait in their table') === true);
    expect(letters.open()).toBe(250);
    await kafka.start();
    await sent();
    expect(sender.degraded()).toBeNull();
    const first = new Set((await read(251)).map(({ value }) => value.toString()));
    expect([...first]).toEqual(Array.from({ length: 251 }, (_, index) => `${index}`));
  });

  it('leaves out a value that the topic never takes, and goes on', async () => {
    letters.add({ key: 'O-1', value: Buffer.from('before') });
    letters.add({ key: 'O-1', value: Buffer.alloc(1024 * 1024, 7) });
    letters.add({ key: 'O-1', value: Buffer.from('after') });
    await start();
    await sent();
    const messages = await read(3);
    expect(messages.map(({ value }) => value?.toString() ?? null)).toEqual(['before', null, 'after']);
    expect(headersOf(messages[1])['holdfast-dlq-value-left-out']).toBe('1048576 bytes');
  });
});

/** What the sender asks of the table of letters. */
class Table {
  readonly #letters: DeadLetter[] = [];
  readonly #sent = new Set<string>();
  failMarks = 0;

  add(message: Partial<DeadLetter['message']>, { attempts = 1 } = {}): void {
    const index = this.#letters.length + 1;
    this.#letters.push({
      id: `ltr_${index}`,
      message: {
        topic: 'order.placed',
        partition: 2,
        offset: BigInt(index),
        key: null,
        headers: new Map(),
        value: null,
        at: 0,
        ...message,
      },
      key: null,
      hqId: null,
      orderId: null,
      eventId: null,
      code: 'KEEPS_FAILING',
      reason: '재고: no answer',
      attempts,
      status: 'parked',
      receivedAt: Date.UTC(2026, 10, 21),
      corrected: false,
      changedBy: null,
      changedAt: null,
    });
  }

  open(): number {
    return this.#letters.length - this.#sent.size;
  }

  async unsent(limit: number): Promise<DeadLetter[]> {
    return this.#letters.filter(({ id }) => !this.#sent.has(id)).slice(0, limit);
  }

  async sent(ids: readonly string[]): Promise<void> {
    this.failMarks -= 1;
    if (this.failMarks >= 0) throw new Error('the table is away');
    for (const id of ids) this.#sent.add(id);
  }
}

type Read = Message<Buffer, Buffer, Buffer, Buffer>;

function headersOf(message: Read | undefined): Record<string, string> {
  return Object.fromEntries([...(message?.headers ?? [])].map(([name, text]) => [name.toString(), text.toString()]));
}

/** At least so many, from the beginning of the topics of dead letters. */
async function readDeadLetters(bootstrapServers: string, names: TopicNames, count: number): Promise<Read[]> {
  const groupId = `tests-${randomUUID()}`;
  const consumer = new Consumer({ clientId: 'tests', groupId, bootstrapBrokers: [bootstrapServers], maxWaitTime: 100 });
  const messages: Read[] = [];
  try {
    const topics = [names.deadLettersOf('order.placed'), names.deadLettersOf('sku.created')];
    const stream = await consumer.consume({ topics, mode: 'earliest', autocommit: false });
    for await (const message of stream) {
      messages.push(message as Read);
      if (messages.length >= count) break;
    }
  } finally {
    await consumer.close(true);
  }
  return messages;
}
