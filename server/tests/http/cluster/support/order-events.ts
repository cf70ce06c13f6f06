/** Events of orders as other teams' services send them to a real Kafka, and what must have become of them. */
import { compatibilityPartitioner, Producer } from '@platformatic/kafka';
import type { ConsumedTopic } from '../../../../src/events/topics.ts';
import { asAdmin } from '../../../support/mariadb-database.ts';
import type { TestCluster } from '../../../support/test-cluster.ts';

export const HQ = 'HQ001';
export const STORE = 'STORE001';
export const PRODUCT = 'PRD001';
const TTL_MS = 3_600_000;
const SEND_COUNT = 200;

export interface SentEvent {
  topic: ConsumedTopic;
  key: string | null;
  value: Buffer | null;
  headers?: ReadonlyMap<string, string>;
  /** What its producer says of the time, in epoch milliseconds. */
  timestamp?: bigint;
}

export function enveloped(topic: ConsumedTopic, data: Record<string, unknown> & { orderId: string }): object {
  return { eventId: `evt-${topic}-${data.orderId}`, eventType: topic, timestamp: new Date().toISOString(), data };
}

export function placed(orderId: string, key: string | null = orderId): SentEvent {
  const items = [{ productId: PRODUCT, quantity: 1 }];
  const data = { orderId, hqId: HQ, storeId: STORE, items, ttlMs: TTL_MS };
  return { topic: 'order.placed', key, value: Buffer.from(JSON.stringify(enveloped('order.placed', data))) };
}

export function about(topic: 'order.completed' | 'order.cancelled', orderId: string): SentEvent {
  const value = Buffer.from(JSON.stringify(enveloped(topic, { orderId, hqId: HQ })));
  return { topic, key: orderId, value };
}

export class OrderSender {
  readonly #producer: Producer<Buffer, Buffer, string, string>;

  constructor(bootstrapServers: string) {
    this.#producer = new Producer({
      clientId: 'shop',
      bootstrapBrokers: [bootstrapServers],
      idempotent: true,
      partitioner: compatibilityPartitioner,
      serializers: {
        key: (key) => key,
        value: (value) => value,
        headerKey: (name) => Buffer.from(name ?? ''),
        headerValue: (text) => Buffer.from(text ?? ''),
      },
    });
  }

  /** In order; topics have the names of the contract. */
  async send(events: readonly SentEvent[]): Promise<void> {
    for (let from = 0; from < events.length; from += SEND_COUNT) {
      const messages = events.slice(from, from + SEND_COUNT).map(({ topic, key, value, headers, timestamp }) => ({
        topic,
        ...(timestamp === undefined ? {} : { timestamp }),
        ...(key === null ? {} : { key: Buffer.from(key) }),
        ...(value === null ? {} : { value }),
        ...(headers === undefined ? {} : { headers: new Map(headers) }),
      }));
      await this.#producer.send({ messages });
    }
  }

  close(): Promise<void> {
    return this.#producer.close(true);
  }
}

/** Entries by operation id, of all ids with this beginning. */
export async function entriesBy({ mariadb, database }: TestCluster, prefix: string): Promise<Map<string, number>> {
  const rows = await asAdmin<{ operation_id: string; count: number }>(mariadb, [
    `use \`${database.database}\``,
    `select operation_id, count(*) count from entries where operation_id like '${prefix}%' group by operation_id`,
  ]);
  return new Map(rows.map(({ operation_id, count }) => [operation_id, Number(count)]));
}
