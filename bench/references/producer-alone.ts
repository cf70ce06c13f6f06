/** What the relay is held against: the client's producers, which send events that were read and encoded before. */
import { setTimeout as delay } from 'node:timers/promises';
import { Producer, stringSerializers } from '@platformatic/kafka';
import { KafkaTopics } from '../../server/src/events/kafka/kafka-topics.ts';
import { MariadbEventSource } from '../../server/src/events/mariadb/mariadb-event-source.ts';
import { TopicNames } from '../../server/src/events/topics.ts';
import { partitionOf } from '../../server/src/stock/identifiers.ts';
import { serveCalls } from '../harness/child-process.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import { type Backlog, SETTLE_MS } from '../subjects/backlog-place.ts';
import { HQ } from '../subjects/stock.ts';

const PRODUCERS = 4;
const MESSAGES_PER_SEND = 1_000;
/** So many are encoded, and sent over and over. */
const MESSAGES = 40_000;
const LOG = { info: () => undefined, warn: () => undefined };

interface Message {
  topic: string;
  key: string;
  value: string;
  headers: Map<string, string>;
}

serveCalls({
  async produce({ access, bootstrapServers, prefix, seq }: Backlog, count: number): Promise<Sample> {
    const bootstrapBrokers = [bootstrapServers];
    const names = new TopicNames({ prefix });
    const topics = new KafkaTopics({ kafka: { brokers: bootstrapBrokers }, names, log: LOG });
    await topics.start();
    const messages = await encoded(new MariadbEventSource(access), names, seq);
    const producers = Array.from(
      { length: PRODUCERS },
      () => new Producer({ clientId: 'bench', bootstrapBrokers, idempotent: true, serializers: stringSerializers }),
    );
    await delay(SETTLE_MS);
    const watch = new ProcessWatch();
    watch.start();
    let sent = 0;
    await Promise.all(
      producers.map(async (producer) => {
        while (sent < count) {
          const from = sent % (messages.length - MESSAGES_PER_SEND);
          sent += MESSAGES_PER_SEND;
          await producer.send({ messages: messages.slice(from, from + MESSAGES_PER_SEND) });
        }
      }),
    );
    const seen = watch.stop();
    await Promise.all(producers.map((producer) => producer.close()));
    await topics.close();
    return { ...seen, units: sent, perSecond: sent / seen.seconds, latencyCounts: null, notes: {} };
  },
});

/** From the middle of the backlog: the beginning is the stock that was received. */
async function encoded(source: MariadbEventSource, names: TopicNames, seq: number): Promise<Message[]> {
  const headers = new Map([['content-type', 'application/cloudevents+json; charset=UTF-8']]);
  const messages: Message[] = [];
  let after = { seq: Math.floor(seq / 2), index: Number.MAX_SAFE_INTEGER };
  while (messages.length < MESSAGES) {
    const { events, position } = await source.readWire(partitionOf(HQ), after, MESSAGES_PER_SEND);
    for (const { type, key, value } of events)
      messages.push({ topic: names.ofType(type), key, value: value.toString(), headers });
    after = position;
  }
  await source.close();
  return messages;
}
