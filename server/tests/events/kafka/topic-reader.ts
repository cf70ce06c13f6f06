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

export interface ReadBytes {
  topic: string;
  partition: number;
  key: string;
  value: Buffer;
  headers: Map<string, string>;
}

/** Resolves as soon as `isEnough` says so of all that was read. @throws when it is not after `timeoutMs`. */
export async function readTopics(
  bootstrapServers: string,
  topics: readonly string[],
  isEnough: (messages: readonly ReadMessage[]) => boolean,
  timeoutMs = 45_000,
): Promise<ReadMessage[]> {
  const messages: ReadMessage[] = [];
  const take = ({ value, headers, ...rest }: ReadBytes): boolean => {
    messages.push({ ...rest, value: value.toString(), headers: Object.fromEntries(headers) });
    return isEnough(messages);
  };
  await readEach(bootstrapServers, topics, take, timeoutMs);
  return messages;
}

/** The same, of values that are no text. */
export async function readBytes(
  bootstrapServers: string,
  topics: readonly string[],
  isEnough: (messages: readonly ReadBytes[]) => boolean,
  timeoutMs = 45_000,
): Promise<ReadBytes[]> {
  const messages: ReadBytes[] = [];
  const take = (message: ReadBytes): boolean => {
    messages.push(message);
    return isEnough(messages);
  };
  await readEach(bootstrapServers, topics, take, timeoutMs);
  return messages;
}

/** Until `take` says that it was the last. */
async function readEach(
  bootstrapServers: string,
  topics: readonly string[],
  take: (message: ReadBytes) => boolean,
  timeoutMs: number,
): Promise<void> {
  const consumer = new Consumer({
    clientId: 'tests',
    groupId: `tests-${randomUUID()}`,
    bootstrapBrokers: [bootstrapServers],
    deserializers: { ...stringDeserializers, value: (value) => value as Buffer },
    isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    maxWaitTime: 100,
    retries: 20,
    retryDelay: 200,
  });
  let taken = 0;
  try {
    const stream = await consumer.consume({ topics: [...topics], mode: 'earliest', autocommit: false });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`after ${timeoutMs} ms only ${taken} messages`)), timeoutMs);
      stream.on('error', reject);
      stream.on('data', ({ topic, partition, key, value, headers }) => {
        taken += 1;
        if (!take({ topic, partition, key, value, headers })) return;
        clearTimeout(late);
        resolve();
      });
    });
  } finally {
    await consumer.close(true);
  }
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
