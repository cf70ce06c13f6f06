import type { Logger } from 'pino';
import type { EventKeys } from './events/encryption/event-keys.ts';
import type { DeadLetters } from './ordering/dead-letters.ts';
import type { OrderHandling } from './ordering/handling.ts';
import { LetterDesk } from './ordering/letter-desk.ts';
import { type OpenValue, valueOpener } from './ordering/open-value.ts';
import { readMessage } from './ordering/read-message.ts';
import { Redrive } from './ordering/redrive.ts';
import { type LetterStore, StoredDeadLetters } from './ordering/stored-dead-letters.ts';

export interface ComposedLetters {
  letters: DeadLetters;
  redrive: Redrive;
  desk: LetterDesk;
}

/** The dead letters of an installation, with what handles them again: the same in both modes. */
export function composeLetters(parts: {
  store: LetterStore;
  handling: OrderHandling;
  /** Null: no keys are configured. */
  keys: EventKeys | null;
  open: OpenValue;
  log: Logger;
}): ComposedLetters {
  const { store, handling, keys, open, log } = parts;
  const letters = new StoredDeadLetters({ store, now: Date.now });
  const warn = (message: string) => log.warn(message);
  const redrive = new Redrive({ letters, read: (message) => readMessage(message, open), handling, log: { warn } });
  const openPlain = valueOpener(keys, 'accepted');
  const desk = new LetterDesk({
    letters,
    redrive,
    readPlain: (message) => readMessage(message, openPlain),
    open,
    encrypt: keys === null ? null : (plain) => keys.encrypt(plain),
  });
  return { letters, redrive, desk };
}
