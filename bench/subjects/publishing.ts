/** A process that publishes a backlog as the role `relay` does: entries from MariaDB, events to Kafka. */
import { setTimeout as delay } from 'node:timers/promises';
import { KafkaEventPublisher } from '../../server/src/events/kafka/kafka-event-publisher.ts';
import { KafkaTopics } from '../../server/src/events/kafka/kafka-topics.ts';
import { MariadbEventSource } from '../../server/src/events/mariadb/mariadb-event-source.ts';
import { Relay } from '../../server/src/events/relay.ts';
import { TopicNames } from '../../server/src/events/topics.ts';
import { partitionOf } from '../../server/src/stock/identifiers.ts';
import { serveCalls } from '../harness/child-process.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import { type Backlog, SETTLE_MS } from './backlog-place.ts';
import { HQ } from './stock.ts';

const LOG = { info: () => undefined, warn: (message: string) => console.error(message) };
const POLL_MS = 5;
serveCalls({
  async publish({ access, bootstrapServers, prefix, seq }: Backlog): Promise<Sample> {
    const kafka = { brokers: [bootstrapServers] };
    const names = new TopicNames({ prefix });
    const topics = new KafkaTopics({ kafka, names, log: LOG });
    await topics.start();
    const source = new MariadbEventSource(access);
    const publisher = new KafkaEventPublisher({ kafka, names, topics, encryption: null, log: LOG });
    let events = 0;
    const relay = new Relay({
      read: async (partition, after, limit) => {
        const batch = await source.readWire(partition, after, limit);
        events += batch.events.length;
        return batch;
      },
      publisher,
      cursors: { load: async () => new Map(), save: async () => undefined },
      onError: (error) => console.error(error.message),
      delay: (ms) => delay(ms),
    });
    await delay(SETTLE_MS);
    const watch = new ProcessWatch();
    watch.start();
    await relay.start([{ partition: partitionOf(HQ), epoch: 1, seq }]);
    while (relay.lag() > 0) await delay(POLL_MS);
    const seen = watch.stop();
    await relay.stop();
    await publisher.close();
    await topics.close();
    await source.close();
    const notes = { 'entries/s': seq / seen.seconds };
    return { ...seen, units: events, perSecond: events / seen.seconds, latencyCounts: null, notes };
  },
});
