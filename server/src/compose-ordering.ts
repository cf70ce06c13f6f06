/** Wires orders by event: what is read of a message, what it does, what becomes of it when it cannot. The same in both modes. */
import type { Logger } from 'pino';
import type { MasterData } from './catalog/master-data.ts';
import type { EventKeys } from './events/encryption/event-keys.ts';
import { OrderConsumer } from './ordering/consuming/consumer.ts';
import type { MessageSource } from './ordering/consuming/message-source.ts';
import type { OrderHandling } from './ordering/handling/handling.ts';
import { OrderHandler } from './ordering/handling/order-handling.ts';
import { Inbox, type InboxStore } from './ordering/inbox/inbox.ts';
import type { DeadLetters } from './ordering/letters/dead-letters.ts';
import { LetterDesk } from './ordering/letters/letter-desk.ts';
import { Redrive } from './ordering/letters/redrive.ts';
import { type LetterStore, StoredDeadLetters } from './ordering/letters/stored-dead-letters.ts';
import type { ReadMessage } from './ordering/messages/message.ts';
import { valueOpener } from './ordering/messages/open-value.ts';
import { readMessage } from './ordering/messages/read-message.ts';
import type { HistoryReads } from './projections/history-reads.ts';
import type { CommandExecutor } from './recording/command-executor.ts';
import { registerOrderingGauges } from './telemetry/ordering-gauges.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

export interface OrderingPorts {
  executor: CommandExecutor;
  masterData: MasterData;
  history: HistoryReads;
  letterStore: LetterStore;
  inboxStore: InboxStore;
}

export interface OrderingOptions {
  /** Null: payloads are plain. */
  keys: EventKeys | null;
  /** What becomes of plain messages from a broker. */
  plainMessages: 'accepted' | 'refused';
  telemetry: Telemetry;
  log: Logger;
}

export interface Ordering {
  /** A message from a broker. */
  read: ReadMessage;
  /** One that came in by us, which is plain. */
  readPlain: ReadMessage;
  handling: OrderHandling;
  inbox: Inbox;
  letters: DeadLetters;
  redrive: Redrive;
  desk: LetterDesk;
  /** Null: payloads are plain. */
  encrypt: EventKeys['encrypt'] | null;
}

export function composeOrdering(
  { executor, masterData, history, letterStore, inboxStore }: OrderingPorts,
  { keys, plainMessages, telemetry, log }: OrderingOptions,
): Ordering {
  const open = valueOpener(keys, plainMessages);
  const openPlain = valueOpener(keys, 'accepted');
  const read: ReadMessage = (message) => readMessage(message, open);
  const readPlain: ReadMessage = (message) => readMessage(message, openPlain);
  const handling = new OrderHandler({ executor, masterData, history, now: Date.now });
  const inbox = new Inbox({
    store: inboxStore,
    failures: telemetry.inboxFailures,
    onFailed: (error) =>
      log.error({ err: error }, 'events that are handed in cannot be stored; their senders are told to repeat them'),
  });
  const letters = new StoredDeadLetters({ store: letterStore, now: Date.now });
  const redrive = new Redrive({ letters, read, handling, log: { warn: (message) => log.warn(message) } });
  const encrypt = keys === null ? null : keys.encrypt.bind(keys);
  const desk = new LetterDesk({ letters, redrive, readPlain, open, encrypt });
  return { read, readPlain, handling, inbox, letters, redrive, desk, encrypt };
}

export interface ConsumptionOptions {
  earlyEventWaitMs: number;
  /** Whether commands are decided and recorded now. */
  isReady: () => boolean;
  telemetry: Telemetry;
  log: Logger;
}

export interface Consumption {
  /** What a person reads when events wait; null: all is well. */
  degraded(): string | null;
  /** Takes nothing more, and waits for what is under way. */
  stop(): Promise<void>;
}

/** Handles what the source has, and the letters that follow a redriven one, from now on. */
export async function consume(
  { read, handling, letters, redrive }: Ordering,
  source: MessageSource,
  { earlyEventWaitMs, isReady, telemetry, log }: ConsumptionOptions,
): Promise<Consumption> {
  const observer = telemetry.consumption;
  const consumer = new OrderConsumer({ read, handling, letters, isReady, earlyEventWaitMs, observer, log });
  registerOrderingGauges(telemetry, { consumer, source, letters });
  await source.start(consumer);
  redrive.start();
  return {
    degraded: () => source.degraded() ?? consumer.degraded(),
    stop: async () => {
      await redrive.stop();
      await source.stop();
      await consumer.stop();
    },
  };
}
