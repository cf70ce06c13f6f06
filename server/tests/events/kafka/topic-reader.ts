/** Reads topics from their beginning, as a consumer elsewhere would: committed messages only. */
import { randomUUID } from 'node:crypto';
import { Consumer, FetchIsolationLevels, stringDeserializers } from '@platformatic/kafka';
import type { StockEvent } from '../../../src/events/event-feed.ts';

export interface ReadMessage {
  topic: string;
  partition: number;
  key: string;
  value: string;
  headers: Record<string, string>;
}

/** Resolves as soon as `isEnough` says so of all that was read. @throws when it is not after `timeoutMs`. */
export async function readTopics(
  bootstrapServers: string,
  topics: readonly string[],
  isEnough: (messages: readonly ReadMessage[]) => boolean,
  timeoutMs = 15_000,
): Promise<ReadMessage[]> {
  const consumer = new Consumer({
    clientId: 'tests',
    groupId: `tests-${randomUUID()}`,
    bootstrapBrokers: [bootstrapServers],
    deserializers: stringDeserializers,
    isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    maxWaitTime: 100,
    retries: 20,
    retryDelay: 200,
  });
  const messages: ReadMessage[] = [];
  try {
    const stream = await consumer.consume({ topics: [...topics], mode: 'earliest', autocommit: false });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`after ${timeoutMs} ms only ${messages.length} messages`)),
        timeoutMs,
      );
      stream.on('error', reject);
      stream.on('data', ({ topic, partition, key, value, headers }) => {
        messages.push({ topic, partition, key, value, headers: Object.fromEntries(headers) });
        if (!isEnough(messages)) return;
        clearTimeout(late);
        resolve();
      });
    });
  } finally {
    await consumer.close(true);
  }
  return messages;
}

export function eventOf({ value }: ReadMessage): StockEvent {
  return JSON.parse(value) as StockEvent;
}

/** Whether every one of these events is among the messages. Keeps count, so that it may be asked for each message. */
export function untilAll(ids: Iterable<string>): (messages: readonly ReadMessage[]) => boolean {
  const missing = new Set(ids);
  let looked = 0;
  return (messages) => {
    for (; looked < messages.length; looked += 1) missing.delete(eventOf(messages[looked] as ReadMessage).id);
    return missing.size === 0;
  };
}
