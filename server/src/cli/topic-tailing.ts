/** `holdfast events tail --topic order.placed`: what other teams' services send, read from Kafka beside the consumers. */
import { setTimeout as delay } from 'node:timers/promises';
import { openTopicTail } from '../compose-topic-tail.ts';
import { isEncrypted } from '../events/encryption/event-keys.ts';
import type { ConsumedTopic } from '../events/topics.ts';
import type { ConsumedMessage, ReadResult } from '../ordering/messages/message.ts';
import { valueOpener } from '../ordering/messages/open-value.ts';
import { readMessage } from '../ordering/messages/read-message.ts';
import { type Environment, given } from './environment.ts';
import { CommandFailed } from './failures.ts';
import { kafkaOf } from './kafka-configuration.ts';

const RETRY_MS = 1_000;
const HQ_HEADER = 'holdfast-hq';

/** A message as it is told: what a line of it says. */
export interface ToldMessage {
  time: string;
  type: ConsumedTopic;
  /** Its key, or the order's or product's id where it has none. */
  subject: string;
  hqId: string | null;
  data: Record<string, unknown>;
  /** Our consumers cannot read it either: it is or will be among the dead letters. */
  unreadable: boolean;
  whole: Record<string, unknown>;
}

export interface TopicTailing {
  topic: ConsumedTopic;
  /** Epoch milliseconds; null: from now on. */
  since: number | null;
  signal: AbortSignal;
  tell: (message: ToldMessage) => void;
  /** It listens, or it does so no more. */
  note: (text: string) => void;
}

/** The first connection must succeed; whatever ends a later one passes. Ends with the signal. */
export async function tailTopic(environment: Environment, options: TopicTailing): Promise<void> {
  const { topic, since, signal, tell, note } = options;
  const kafka = kafkaOf(environment);
  const topics = { prefix: given(environment, 'TOPIC_PREFIX'), map: given(environment, 'TOPIC_MAP') };
  const { name, follow } = openTopicTail({ kafka, topics, topic, since });
  let wasConnected = false;
  const connected = () => {
    if (!wasConnected) note(`Waiting for messages of ${name}; Ctrl-C ends.`);
    wasConnected = true;
  };
  while (!signal.aborted) {
    let why = 'the broker closed it';
    try {
      for await (const message of follow(signal, connected)) tell(toldOf(message));
    } catch (error) {
      why = (error as Error).message;
    }
    if (signal.aborted) return;
    if (!wasConnected) throw new CommandFailed(`Kafka (${kafka.brokers.join(', ')}) gives no ${name}: ${why}`);
    note(`The connection ended (${why}); trying again …`);
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

const readPlain = valueOpener(null, 'accepted');

/** What is encrypted stays so: its key and size are told, and whom it is for. */
function toldOf(message: ConsumedMessage): ToldMessage {
  const { topic, partition, offset, key, headers, value, at } = message;
  const encrypted = isEncrypted(headers);
  const time = new Date(at).toISOString();
  const bytes = value?.length ?? 0;
  const read = encrypted ? null : readMessage(message, readPlain);
  const whole = {
    ...{ topic, partition, offset: String(offset), key, time, headers: Object.fromEntries(headers) },
    ...(encrypted ? { encrypted: true, bytes } : { value: value === null ? null : contentsOf(value) }),
  };
  const told = { time, type: topic, whole };
  if (read === null) {
    const hqId = headers.get(HQ_HEADER) ?? null;
    return {
      ...told,
      subject: key ?? '-',
      hqId,
      data: { hqId, reason: `it is encrypted: ${bytes} bytes` },
      unreadable: false,
    };
  }
  return { ...told, ...contentOf(read, key) };
}

function contentOf(
  read: ReadResult,
  key: string | null,
): Pick<ToldMessage, 'subject' | 'hqId' | 'data' | 'unreadable'> {
  if (read.ok) {
    const { hqId } = read.message.body;
    return { subject: read.message.key, hqId, data: { ...read.message.body }, unreadable: false };
  }
  const { hqId, orderId, code, reason } = read;
  return {
    subject: key || orderId || '-',
    hqId,
    data: { hqId, orderId, reason: `it cannot be read, ${code}: ${reason}` },
    unreadable: true,
  };
}

/** JSON as it is; whatever else, as text. */
function contentsOf(value: Uint8Array): unknown {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
