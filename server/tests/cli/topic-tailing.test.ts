/** `holdfast events tail --topic order.placed`: what others send, looked on at a real broker, without a server of ours. */
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { freePort } from '../../../infra/ports.ts';
import { TopicNames } from '../../src/events/topics.ts';
import { about, OrderSender, placed, type SentEvent } from '../http/cluster/support/order-events.ts';
import { holdfast } from '../http/support/server-process.ts';
import { createTopics } from '../ordering/kafka/backlog.ts';
import { type KafkaTestServer, startKafka } from '../support/servers/kafka.ts';
import { describeWith } from '../support/servers/servers.ts';
import { until } from '../support/servers/until.ts';
import { hasLines, startTailing, type Tailing } from './support/tailing.ts';

const SECOND = 1_000;
const TOPIC_MAP = 'order.cancelled=shop.cancelled';
const LINE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}/;
vi.setConfig({ testTimeout: 60 * SECOND, hookTimeout: 90 * SECOND });

describeWith(['kafka'], 'the tail of a topic', () => {
  let kafka: KafkaTestServer;
  let shop: OrderSender;
  let environment: NodeJS.ProcessEnv;
  const tails: ChildProcess[] = [];

  beforeAll(async () => {
    kafka = await startKafka({ settings: { 'log.message.timestamp.after.max.ms': String(2n ** 63n - 1n) } });
    const names = new TopicNames({ map: TOPIC_MAP });
    const topics = ['order.placed', 'order.completed', 'order.cancelled'] as const;
    await createTopics({ bootstrapServers: kafka.bootstrapServers, names, topics, partitions: 3 });
  });
  afterAll(() => kafka?.kill());
  beforeEach(() => {
    environment = {
      HOLDFAST_MODE: 'cluster',
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      TOPIC_MAP,
    };
    shop = new OrderSender(kafka.bootstrapServers);
  });
  afterEach(async () => {
    for (const child of tails.splice(0)) child.kill('SIGKILL');
    await shop.close();
  });

  async function tail(...options: string[]): Promise<Tailing> {
    const tailing = await startTailing(environment, ...options);
    tails.push(tailing.child);
    return tailing;
  }

  it('prints a line for each message that comes, and ends with Ctrl-C', async () => {
    await shop.send([placed('before')]);
    const tailing = await tail('--topic', 'order.placed');
    await shop.send([placed('O-1'), placed('O-2', null)]);
    await hasLines(tailing, 2);
    const lines = tailing.lines.map((line) => line.replace(LINE, ''));
    expect(lines.sort()).toEqual([
      'order.placed               O-1  HQ HQ001  1 × PRD001 at STORE001',
      'order.placed               O-2  HQ HQ001  1 × PRD001 at STORE001',
    ]);
    tailing.child.kill('SIGINT');
    expect(await tailing.code).toBe(0);
  });

  it('knows the topics by what they are called here, and HQs', async () => {
    const tailing = await tail('--topic', 'order.cancelled', '--hq', 'HQ001');
    const { topic: _topic, ...cancelled } = about('order.cancelled', 'O-3');
    const topic = 'shop.cancelled' as SentEvent['topic'];
    const other = Buffer.from(String(cancelled.value).replace('HQ001', 'HQ002'));
    await shop.send([
      { ...cancelled, topic, value: other },
      { ...cancelled, topic },
    ]);
    await hasLines(tailing, 1);
    expect(tailing.lines.map((line) => line.replace(LINE, ''))).toEqual(['order.cancelled            O-3  HQ HQ001']);
    expect(tailing.notes()).toContain('Waiting for messages of shop.cancelled');
  });

  it('tells why our consumers cannot read one, and what is encrypted without opening it', async () => {
    const tailing = await tail('--topic', 'order.completed');
    const topic = 'order.completed';
    const encrypted = new Map([
      ['holdfast-key-id', 'k1'],
      ['holdfast-hq', 'HQ001'],
    ]);
    await shop.send([{ topic, key: 'K-1', value: Buffer.from('rub\u001b[31mbish') }]);
    await hasLines(tailing, 1);
    await shop.send([{ topic, key: 'K-2', value: null }]);
    await hasLines(tailing, 2);
    await shop.send([{ topic, key: 'K-3', value: Buffer.from('sealed'), headers: encrypted }]);
    await hasLines(tailing, 3);
    expect(tailing.lines.map((line) => line.replace(LINE, ''))).toEqual([
      expect.stringMatching(
        /^order\.completed {12}K-1 {2}because it cannot be read, NOT_JSON: the value is not JSON: \P{Cc}*$/u,
      ),
      'order.completed            K-2  because it cannot be read, NOT_JSON: there is no value',
      'order.completed            K-3  HQ HQ001  because it is encrypted: 6 bytes',
    ]);
  });

  it('bears a time that is none', async () => {
    const tailing = await tail('--topic', 'order.completed', '--json');
    await shop.send([{ ...about('order.completed', 'O-8'), timestamp: 2n ** 62n }]);
    await hasLines(tailing, 1);
    expect(JSON.parse(tailing.lines[0] as string)).toMatchObject({ key: 'O-8', time: '+275760-09-13T00:00:00.000Z' });
  });

  it('prints them whole, from an instant on', async () => {
    const since = new Date().toISOString();
    await shop.send([placed('O-4')]);
    const tailing = await tail('--topic', 'order.placed', '--json', '--since', since);
    await hasLines(tailing, 1);
    expect(JSON.parse(tailing.lines[0] as string)).toMatchObject({
      topic: 'order.placed',
      partition: expect.any(Number),
      offset: expect.stringMatching(/^\d+$/),
      key: 'O-4',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      headers: {},
      value: { eventId: 'evt-order.placed-O-4', data: { orderId: 'O-4' } },
    });
  });

  it('goes on where it was when the broker comes back', async () => {
    const tailing = await tail('--topic', 'order.placed', '--json');
    await shop.send([placed('O-5')]);
    await hasLines(tailing, 1);
    await kafka.kill();
    await until('it hears of it', 30 * SECOND, async () => tailing.notes().includes('trying again'));
    await kafka.start();
    await shop.send([placed('O-6'), placed('O-7')]);
    await hasLines(tailing, 3);
    const keys = tailing.lines.map((line) => (JSON.parse(line) as { key: string }).key);
    expect(keys.sort()).toEqual(['O-5', 'O-6', 'O-7']);
  });

  it.each([
    [
      'a broker that is away',
      async () => ({ KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await freePort()}` }),
      /takes no connection|ECONNREFUSED/,
    ],
    [
      'a topic that is not there',
      async () => ({ TOPIC_PREFIX: 'nowhere.' }),
      /gives no nowhere\.order\.placed: .*topic/i,
    ],
    ['no broker named', async () => ({ KAFKA_BOOTSTRAP_SERVERS: '' }), /KAFKA_BOOTSTRAP_SERVERS is not set/],
  ])('says what is wrong: %s', async (_what, other, message) => {
    const ended = await holdfast(['events', 'tail', '--topic', 'order.placed'], { ...environment, ...(await other()) });
    expect([ended.code, ended.stderr]).toEqual([expect.any(Number), expect.stringMatching(message)]);
    expect(ended.code).not.toBe(0);
  });
});
