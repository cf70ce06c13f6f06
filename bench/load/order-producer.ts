/** A web shop: orders of one unit of the hot product each, every one with a key of its own. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { compatibilityPartitioner, Producer, stringSerializers } from '@platformatic/kafka';
import { reasonOf } from '../../server/src/events/kafka/kafka-errors.ts';
import { KafkaTopics } from '../../server/src/events/kafka/kafka-topics.ts';
import { TopicNames } from '../../server/src/events/topics.ts';
import { HQ, productId, storeId } from '../subjects/stock.ts';

const ORDERS_PER_SEND = 1_000;
const TICK_MS = 5;
const SETTLED_MS_MAX = 30_000;
const AGAIN_MS = 200;
const LOG = { info: () => undefined, warn: () => undefined };

export class OrderProducer {
  readonly #topic: string;
  readonly #producer: Producer<string, string, string, string>;

  private constructor(bootstrapServers: string, topic: string) {
    this.#topic = topic;
    this.#producer = new Producer({
      clientId: 'bench',
      bootstrapBrokers: [bootstrapServers],
      serializers: stringSerializers,
      partitioner: compatibilityPartitioner,
    });
  }

  /** To topics that are created now, six partitions each, and have some orders as soon as they take any. */
  static async open(bootstrapServers: string, prefix: string): Promise<OrderProducer> {
    const names = new TopicNames({ prefix });
    const topics = new KafkaTopics({ kafka: { brokers: [bootstrapServers] }, names, log: LOG });
    await topics.start();
    await topics.close();
    if (topics.problem !== null) throw new Error(`no topics for the orders: ${topics.problem}`);
    const producer = new OrderProducer(bootstrapServers, names.of('order.placed'));
    await producer.#untilTaken();
    return producer;
  }

  /** A broker refuses messages for topics that it has just heard of. */
  async #untilTaken(): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      try {
        return await this.place(ORDERS_PER_SEND);
      } catch (error) {
        if (performance.now() - startedAt > SETTLED_MS_MAX) throw new Error(`orders are refused: ${reasonOf(error)}`);
        await delay(AGAIN_MS);
      }
    }
  }

  async place(count: number): Promise<void> {
    for (let placed = 0; placed < count; placed += ORDERS_PER_SEND) {
      await this.#send(Math.min(ORDERS_PER_SEND, count - placed));
    }
  }

  /** So many a second, until `signal` says that it is enough. */
  async placeAt(perSecond: number, signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    let placed = 0;
    while (!signal.aborted) {
      const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1_000) - placed;
      if (due > 0) await this.#send(due);
      placed += Math.max(0, due);
      await delay(TICK_MS);
    }
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }

  async #send(count: number): Promise<void> {
    const messages = Array.from({ length: count }, () => {
      const orderId = randomUUID();
      return { topic: this.#topic, key: orderId, value: orderOf(orderId) };
    });
    await this.#producer.send({ messages });
  }
}

/** Random ids, as those of the callers with whom it is compared. */
function orderOf(orderId: string): string {
  return JSON.stringify({
    eventId: `evt-${orderId}`,
    eventType: 'OrderPlaced',
    timestamp: new Date().toISOString(),
    data: { orderId, hqId: HQ, storeId: storeId(0), items: [{ productId: productId(0), quantity: 1 }] },
  });
}
