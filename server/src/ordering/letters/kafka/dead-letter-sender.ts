/**
 * What the dead-letter table holds, to the `.dlq` topics as well: at least once, in the order in which it was parked.
 * The table is what is redriven from; the topics are for others. While Kafka is away letters wait in the table.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageToProduce, Producer } from '@platformatic/kafka';
import { fitting } from '../../../events/broker-batch.ts';
import { answeringProducer } from '../../../events/kafka/answering-producer.ts';
import type { KafkaAccess } from '../../../events/kafka/kafka-access.ts';
import { isTooLarge, isUnknownTopic, reasonOf } from '../../../events/kafka/kafka-errors.ts';
import type { TopicNames } from '../../../events/topics.ts';
import type { DeadLetter, DeadLetters } from '../dead-letters.ts';

const LETTERS_PER_SEND = 100;
const LOOK_MS = 500;
const RETRY_MS = 1_000;
const REASON_LENGTH_MAX = 2_000;

export interface DeadLetterSenderParts {
  kafka: KafkaAccess;
  names: TopicNames;
  letters: Pick<DeadLetters, 'unsent' | 'sent'>;
  /** Whether this process is the one that sends. Two of them send letters twice, and lose none. */
  sends: () => boolean;
  onMissingTopic: () => void;
  log: { warn(message: string): void };
}

type Message = MessageToProduce<string, Buffer, string, string>;

export class DeadLetterSender {
  readonly #parts: DeadLetterSenderParts;
  readonly #producer: Producer<string, Buffer, string, string>;
  readonly #ended = new AbortController();
  #running: Promise<void> | null = null;
  #problem: string | null = null;

  constructor(parts: DeadLetterSenderParts) {
    this.#parts = parts;
    this.#producer = answeringProducer('holdfast-dead-letters', parts.kafka);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** What a person reads while letters are not sent; null: they are. */
  degraded(): string | null {
    return this.#problem === null ? null : `dead letters wait in their table and are sent later: ${this.#problem}`;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#producer.close(true).catch(() => undefined);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      let pauseMs = LOOK_MS;
      try {
        if (this.#parts.sends() && (await this.#sendSome())) pauseMs = 0;
        this.#problem = null;
      } catch (error) {
        this.#failed(error as Error);
        pauseMs = RETRY_MS;
      }
      await sleep(pauseMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
    }
  }

  /** @returns whether there may be more */
  async #sendSome(): Promise<boolean> {
    const waiting = await this.#parts.letters.unsent(LETTERS_PER_SEND);
    const letters = waiting.slice(0, fitting({ messages: waiting, bytesOf }));
    if (letters.length === 0) return false;
    await this.#send(letters);
    await this.#parts.letters.sent(letters.map(({ id }) => id));
    return letters.length < waiting.length || waiting.length === LETTERS_PER_SEND;
  }

  /** Where it is too much at once they are sent one by one; one that is too large by itself goes without its value. */
  async #send(letters: readonly DeadLetter[], withValue = true): Promise<void> {
    try {
      await this.#producer.send({ messages: letters.map((letter) => this.#messageOf(letter, withValue)) });
    } catch (error) {
      if (!isTooLarge(error as Error) || !withValue) throw error;
      for (const letter of letters) await this.#send([letter], letters.length > 1);
    }
  }

  #messageOf(letter: DeadLetter, withValue: boolean): Message {
    const { topic, key, value } = letter.message;
    const message: Message = {
      topic: this.#parts.names.deadLettersOf(topic),
      headers: this.#headersOf(letter, withValue),
      ...(key === null ? {} : { key }),
      ...(value === null || !withValue ? {} : { value: bufferOf(value) }),
    };
    return message;
  }

  /** Its own, and under `holdfast-dlq-` why it is here and where it came from. */
  #headersOf(letter: DeadLetter, withValue: boolean): Map<string, string> {
    const { id, message, code, reason, attempts, receivedAt } = letter;
    const left = withValue ? [] : [['value-left-out', `${message.value?.byteLength} bytes`] as const];
    const ours = [
      ['id', id],
      ['code', code],
      ['reason', reason.slice(0, REASON_LENGTH_MAX)],
      ['attempts', String(attempts)],
      ['topic', this.#parts.names.of(message.topic)],
      ['partition', String(message.partition)],
      ['offset', String(message.offset)],
      ['time', new Date(receivedAt).toISOString()],
      ...left,
    ] as const;
    return new Map([...message.headers, ...ours.map(([name, text]) => [`holdfast-dlq-${name}`, text] as const)]);
  }

  /** Told once for each reason, until letters are sent again. */
  #failed(error: Error): void {
    if (this.#ended.signal.aborted) return;
    if (isUnknownTopic(error)) this.#parts.onMissingTopic();
    const reason = reasonOf(error);
    if (this.#problem !== reason) this.#parts.log.warn(`dead letters were not sent, they are sent again: ${reason}`);
    this.#problem = reason;
  }
}

function bytesOf({ message: { value, key, headers } }: DeadLetter): number {
  let bytes = (value?.byteLength ?? 0) + (key?.length ?? 0);
  for (const [name, text] of headers) bytes += name.length + text.length;
  return bytes;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
