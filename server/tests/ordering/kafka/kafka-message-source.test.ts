/** Order events from a real Kafka: nothing lost, nobody at one partition with somebody else, whoever comes and goes. */
import { Producer } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { TopicNames } from '../../../src/events/topics.ts';
import { KafkaMessageSource } from '../../../src/ordering/consuming/kafka/kafka-message-source.ts';
import type { ConsumedMessage } from '../../../src/ordering/messages/message.ts';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from '../../support/servers/until.ts';
import { committedOf, createTopics, fillTopics, TOPICS, usualHandleMs } from './backlog.ts';
import { awayUnderLoad, rebalance } from './rebalancing.ts';
import { type Note, RecordingSink } from './recording-sink.ts';

const SECOND = 1_000;
const MIB = 1024 * 1024;
vi.setConfig({ testTimeout: 180 * SECOND, hookTimeout: 90 * SECOND });

describeWith(['kafka'], 'order events from Kafka', () => {
  let kafka: KafkaTestServer;
  let names: TopicNames;
  let groupId: string;
  let tests = 0;
  const running: KafkaMessageSource[] = [];

  beforeAll(async () => {
    const anyTime = { 'log.message.timestamp.after.max.ms': String(2n ** 63n - 1n) };
    kafka = await startKafka({ settings: { 'message.max.bytes': String(4 * MIB), ...anyTime } });
  });
  afterAll(() => kafka?.kill());

  beforeEach(() => {
    tests += 1;
    groupId = `g${tests}.`;
    names = new TopicNames({ prefix: groupId });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((source) => source.stop()));
  });

  function newSource(): KafkaMessageSource {
    const log = { info: () => undefined, warn: () => undefined };
    const brokers = [kafka.bootstrapServers];
    const source = new KafkaMessageSource({ kafka: { brokers }, names, groupId, clientId: 'tests', log });
    running.push(source);
    return source;
  }

  const load = { partitions: 4, everyMs: 350, finishMsMax: 60 * SECOND };

  // Members that are killed: http/cluster/order-roles.test.ts, and npm run rebalance:kafka.
  it('loses nothing, repeats nothing, and never has two at one partition, whoever comes and leaves', async () => {
    const { bootstrapServers } = kafka;
    const members = { prefix: groupId, messages: 8_000, changes: 3, deaths: 0 };
    const seen = await rebalance({ ...load, ...members, bootstrapServers });
    const { lost, twice, together, pauseMsOf, notes } = seen;
    const pauses = [...pauseMsOf.values()].map(Math.round).join(', ');
    console.info(`longest pause of each partition: ${pauses} ms`);
    expect(lost).toEqual([]);
    expect(together).toEqual([]);
    expect(twice).toEqual([]);
    expect(new Set(notes.map(({ member }) => member)).size).toBeGreaterThan(2);
  });

  it('is failed by the client as it is documented', async () => {
    const { bootstrapServers } = kafka;
    const members = { prefix: groupId, messages: 4_000, changes: 1, deaths: 0, source: 'streaming' as const };
    const { together, twice, lost, notes } = await rebalance({ ...load, ...members, bootstrapServers });
    console.info(
      `as documented: ${together.length} together, ${twice.length} twice, ${lost.length} lost of ${notes.length}`,
    );
    expect(together.length).toBeGreaterThan(0);
    expect(twice.length).toBeGreaterThan(0);
  });

  it('goes on when the broker was killed and is back', async () => {
    const seen = await awayUnderLoad({ ...load, kafka, prefix: groupId, messages: 6_000, awayMs: 2.5 * SECOND });
    console.info(
      `longest pauses: ${[...seen.pauseMsOf.values()].map(Math.round).join(', ')} ms; ${seen.again} again, ${seen.sameGeneration ? 'the same' : 'another'} generation; said: ${seen.degraded}`,
    );
    expect(seen.lost).toEqual([]);
    expect(seen.together).toEqual([]);
    expect(seen.twice).toEqual([]);
    expect(seen.degraded).toMatch(/gives no order events: .+; they wait there$/);
    expect(seen.degradedAfter).toBeNull();
  });

  it('commits at its stop what is handled, and the next one begins there', async () => {
    const { bootstrapServers } = kafka;
    const topics = { bootstrapServers, names, partitions: 3 };
    await createTopics(topics);
    const counts = await fillTopics({ ...topics, messages: 3_000 });
    const notes: Note[] = [];
    const sinkOf = (member: string) =>
      new RecordingSink({
        member,
        onNote: (note) => void (note.end === Infinity && notes.push(note)),
        handleMs: usualHandleMs,
      });
    const first = newSource();
    await first.start(sinkOf('first'));
    await until('some are handled', 60 * SECOND, async () => notes.length > 600);
    expect((await first.lag()).get('order.placed')).toBeGreaterThan(0);
    await first.stop();
    const handled = Map.groupBy(notes, ({ place }) => place);
    const committed = await committedOf(topics, groupId);
    expect(notes.length).toBeLessThan(3_000);
    for (const [place, ofPlace] of handled) expect([place, committed.get(place)]).toEqual([place, ofPlace.length]);
    const second = newSource();
    await second.start(sinkOf('second'));
    await until('all are handled', 60 * SECOND, async () => notes.length >= 3_000);
    await until('all are committed', 60 * SECOND, async () => {
      const lag = await second.lag();
      return TOPICS.every((topic) => lag.get(topic) === 0);
    });
    expect(new Set(notes.map(({ place, offset }) => `${place}:${offset}`)).size).toBe(notes.length);
    expect(notes.length).toBe([...counts.values()].reduce((sum, count) => sum + count, 0));
  });

  it('waits for topics that are missing, says so, and reads the others meanwhile', async () => {
    const { bootstrapServers } = kafka;
    const source = newSource();
    const seen: ConsumedMessage[] = [];
    const noted = { member: 'only', onNote: () => undefined, onMessage: (each: ConsumedMessage) => seen.push(each) };
    await source.start(new RecordingSink(noted));
    await until('it says what is missing', 10 * SECOND, async () =>
      /no topic g\d+\.order\.placed, /.test(source.degraded() ?? ''),
    );
    await createTopics({ bootstrapServers, names, topics: ['order.placed'], partitions: 1 });
    await fillTopics({ bootstrapServers, names, topics: ['order.placed'], partitions: 1, messages: 1 });
    await until('the first topic is read', 60 * SECOND, async () => seen.length === 1);
    expect(source.degraded()).toContain('order.cancelled');
    const others = ['order.completed', 'order.confirmed', 'order.cancelled', 'sku.created'] as const;
    await createTopics({ bootstrapServers, names, topics: others, partitions: 1 });
    await fillTopics({ bootstrapServers, names, topics: others, partitions: 1, messages: 4 });
    await until('all topics are read', 60 * SECOND, async () => seen.length >= 5);
    expect(seen.map(({ topic }) => topic).sort()).toEqual(['order.placed', ...others].sort());
    await until('it has nothing to say', 10 * SECOND, async () => source.degraded() === null);
  });

  it('hands on keys, values and headers as they are: absent, null, empty, binary, of 2 MiB', async () => {
    const { bootstrapServers } = kafka;
    await createTopics({ bootstrapServers, names, topics: ['order.placed'], partitions: 1 });
    const producer = new Producer({ clientId: 'tests', bootstrapBrokers: [bootstrapServers] });
    const topic = names.of('order.placed');
    const timestamp = 1_700_000_000_123n;
    const binary = Buffer.from([0, 255, 128, 10, 0]);
    const send = (...messages: object[]) => producer.send({ messages: messages as { topic: string }[] as never });
    const headers = new Map([[Buffer.from('CE_Id'), Buffer.from('Ü-1')]]);
    await send(
      { topic, key: Buffer.from('ORD-1'), value: binary, headers, timestamp },
      { topic, value: Buffer.from('x') },
    );
    await send({ topic, key: Buffer.from('ORD-2') }, { topic, key: Buffer.from(''), value: Buffer.from('') });
    await send({ topic, value: Buffer.alloc(2 * MIB, 'a') });
    await send({ topic, key: Buffer.from('last'), value: Buffer.from('{}') });
    await producer.close();
    const seen: ConsumedMessage[] = [];
    const noted = { member: 'only', onNote: () => undefined, onMessage: (each: ConsumedMessage) => seen.push(each) };
    const source = newSource();
    await source.start(new RecordingSink(noted));
    await until('all are there', 60 * SECOND, async () => seen.length === 6);
    expect(seen.map(({ key }) => key)).toEqual(['ORD-1', null, 'ORD-2', '', null, 'last']);
    expect(seen.map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n, 4n, 5n]);
    expect(seen.map(({ value }) => value?.length ?? null)).toEqual([5, 1, null, 0, 2 * MIB, 2]);
    expect(Buffer.from(seen[0]?.value ?? [])).toEqual(binary);
    expect([...(seen[0]?.headers ?? [])]).toEqual([['ce_id', 'Ü-1']]);
    expect(seen[0]?.at).toBe(Number(timestamp));
    expect(seen.every(({ topic: of, partition }) => of === 'order.placed' && partition === 0)).toBe(true);
  });

  it('hands on times that are dates, whatever the producer says', async () => {
    const { bootstrapServers } = kafka;
    await createTopics({ bootstrapServers, names, topics: ['order.placed'], partitions: 1 });
    const producer = new Producer({ clientId: 'tests', bootstrapBrokers: [bootstrapServers] });
    const topic = names.of('order.placed');
    for (const timestamp of [-1n, 2n ** 63n - 1n, 1n]) {
      await producer.send({ messages: [{ topic, value: Buffer.from('{}'), timestamp }] });
    }
    await producer.close();
    const seen: ConsumedMessage[] = [];
    const noted = { member: 'only', onNote: () => undefined, onMessage: (each: ConsumedMessage) => seen.push(each) };
    await newSource().start(new RecordingSink(noted));
    await until('all are there', 60 * SECOND, async () => seen.length === 3);
    expect(seen.map(({ at }) => new Date(at).toISOString())).toEqual([
      '1970-01-01T00:00:00.000Z',
      '+275760-09-13T00:00:00.000Z',
      '1970-01-01T00:00:00.001Z',
    ]);
  });

  it('hands on nothing of a transaction that was taken back', async () => {
    const { bootstrapServers } = kafka;
    await createTopics({ bootstrapServers, names, topics: ['order.placed'], partitions: 1 });
    const topic = names.of('order.placed');
    const producer = (transactionalId: string) =>
      new Producer({
        clientId: 'tests',
        bootstrapBrokers: [bootstrapServers],
        idempotent: true,
        transactionalId,
        strict: true,
      });
    const [one, other] = [producer(`${groupId}one`), producer(`${groupId}other`)];
    const messages = (...keys: string[]) => ({
      messages: keys.map((key) => ({ topic, key: Buffer.from(key), value: Buffer.from('{}') })),
    });
    for (const round of ['1', '2']) {
      const taken = await one.beginTransaction();
      const kept = await other.beginTransaction();
      await taken.send(messages(`taken back ${round}`));
      await kept.send(messages(`kept ${round}`));
      await taken.send(messages(`taken back ${round}`));
      await taken.abort();
      await kept.send(messages(`kept ${round}`));
      await kept.commit();
      const after = await one.beginTransaction();
      await after.send(messages(`after ${round}`));
      await after.commit();
    }
    await Promise.all([one.close(), other.close()]);
    const seen: ConsumedMessage[] = [];
    const noted = { member: 'only', onNote: () => undefined, onMessage: (each: ConsumedMessage) => seen.push(each) };
    const source = newSource();
    await source.start(new RecordingSink(noted));
    await until('all are read', 60 * SECOND, async () => seen.at(-1)?.key === 'after 2');
    const kept = (round: string) => [`kept ${round}`, `kept ${round}`, `after ${round}`];
    expect(seen.map(({ key }) => key)).toEqual([...kept('1'), ...kept('2')]);
    await until('all is committed', 60 * SECOND, async () => (await source.lag()).get('order.placed') === 0);
  });

  it('reads the other partitions while one has no room', async () => {
    const { bootstrapServers } = kafka;
    const topics = { bootstrapServers, names, partitions: 1 };
    await createTopics(topics);
    await fillTopics({ ...topics, messages: 8_000 });
    const placed = Promise.withResolvers<void>();
    let read = 0;
    let held = 0;
    const source = newSource();
    await source.start({
      assign: (topic) => ({
        committable: null,
        revoke: async () => undefined,
        async take(messages) {
          // As completions that wait for their orders.
          if (topic === 'order.completed') {
            held += messages.length;
            return placed.promise;
          }
          read += messages.length;
        },
      }),
    });
    await until('every order is read', 60 * SECOND, async () => read === 4_000);
    expect(held).toBeLessThan(4_000);
    placed.resolve();
    await until('every completion is read', 60 * SECOND, async () => held === 4_000);
  });
});
