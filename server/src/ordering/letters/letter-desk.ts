/** Dead letters for people: what they are shown of one, and what they may do with it. */

import { type ConsumedMessage, orderIdOf, type ReadMessage } from '../messages/message.ts';
import type { DeadLetter, DeadLetters } from './dead-letters.ts';
import { VALUE_BYTES_MAX } from './letter-rows.ts';
import type { Redrive, Redriven } from './redrive.ts';

/** It may quote the payload. */
const REASON_HIDDEN = 'shown to tokens that see every HQ';
/** Headers that belong to the encrypted value, not to what it says. */
const SECRECY_HEADERS = ['holdfast-key-id', 'holdfast-hq'];

export interface LetterDeskParts {
  letters: DeadLetters;
  redrive: Redrive;
  /** Reads a corrected text before it is kept; plain values are accepted. */
  readPlain: ReadMessage;
  /** Decrypts what is encrypted; false: with why not. */
  open(
    message: Pick<ConsumedMessage, 'topic' | 'headers'>,
    value: Uint8Array,
  ): { ok: true; value: Uint8Array } | { ok: false; reason: string };
  /** Null: no keys are configured. */
  encrypt:
    | ((plain: { hqId: string; topic: string; eventId: string; value: Uint8Array }) => {
        headers: ReadonlyMap<string, string>;
        value: Uint8Array;
      })
    | null;
}

/** What a payload is shown as; `hidden` and `encrypted` show nothing of it. */
export type PayloadForm = 'json' | 'text' | 'base64' | 'none' | 'hidden' | 'encrypted';

/** A letter as it is shown; `receivedAt` and `changedAt` are ISO 8601. */
export interface ShownLetter {
  id: string;
  topic: string;
  partition: number;
  offset: number;
  key: string | null;
  hqId: string | null;
  orderId: string | null;
  eventId: string | null;
  code: DeadLetter['code'];
  reason: string;
  attempts: number;
  status: DeadLetter['status'];
  corrected: boolean;
  receivedAt: string;
  changedBy: string | null;
  changedAt: string | null;
  headers: Record<string, string>;
  payload: unknown;
  payloadForm: PayloadForm;
}

/** Who corrects: the subject of their token, and the HQ that they see (null: every one). */
export interface Corrector {
  subject: string;
  hqId: string | null;
}

export type Corrected =
  | { status: 'corrected' }
  /** Neither the text nor the letter is kept: what is wrong with the text. */
  | { status: 'unreadable'; code: string; reason: string }
  /** It speaks of an HQ that the caller does not see. */
  | { status: 'foreign-hq'; hqId: string }
  | { status: 'not-parked' };

export class LetterDesk {
  readonly letters: DeadLetters;
  readonly #parts: LetterDeskParts;

  constructor(parts: LetterDeskParts) {
    this.letters = parts.letters;
    this.#parts = parts;
  }

  /** @param by who does so; the letter keeps it */
  redrive(id: string, by: string): Promise<Redriven> {
    return this.#parts.redrive.redrive(id, by);
  }

  /** @param by who does so; the letter keeps it */
  drop(letter: DeadLetter, by: string): Promise<boolean> {
    return this.#parts.redrive.drop(letter, by);
  }

  /** @param hqId what the caller sees; null: every HQ. A letter that names none shows its payload to nobody else */
  shown(letter: DeadLetter, hqId: string | null): ShownLetter {
    const { message, code, reason, attempts, status, corrected, changedBy, changedAt } = letter;
    const visible = hqId === null || isOf(letter, hqId);
    return {
      id: letter.id,
      topic: message.topic,
      partition: message.partition,
      offset: Number(message.offset),
      key: letter.key ?? message.key,
      hqId: letter.hqId,
      orderId: letter.orderId,
      eventId: letter.eventId,
      code,
      reason: visible ? reason : REASON_HIDDEN,
      attempts,
      status,
      corrected,
      receivedAt: new Date(letter.receivedAt).toISOString(),
      changedBy,
      changedAt: changedAt === null ? null : new Date(changedAt).toISOString(),
      headers: visible ? Object.fromEntries(message.headers) : {},
      ...(visible ? this.#payloadOf(message) : { payload: null, payloadForm: 'hidden' as const }),
    };
  }

  #payloadOf(message: ConsumedMessage): { payload: unknown; payloadForm: PayloadForm } {
    if (message.value === null) return { payload: null, payloadForm: 'none' };
    if (!message.headers.has('holdfast-key-id')) return formOf(message.value);
    const opened = this.#parts.open(message, message.value);
    return opened.ok ? formOf(opened.value) : { payload: null, payloadForm: 'encrypted' };
  }

  /**
   * Puts another text in the letter's place, once that can be read and speaks of the letter's order, where that is
   * known, and of an HQ that the caller sees. It is encrypted where keys are configured.
   */
  async correct(letter: DeadLetter, value: Uint8Array, { subject, hqId }: Corrector): Promise<Corrected> {
    const { readPlain, encrypt } = this.#parts;
    const plain = new Map([...letter.message.headers].filter(([name]) => !SECRECY_HEADERS.includes(name)));
    const read = readPlain({ ...letter.message, headers: plain, value });
    if (!read.ok) return { status: 'unreadable', code: read.code, reason: read.reason };
    const { topic, eventId, body } = read.message;
    if (hqId !== null && body.hqId !== hqId) return { status: 'foreign-hq', hqId: body.hqId };
    const orderId = orderIdOf(body);
    if (letter.orderId !== null && orderId !== letter.orderId) {
      const reason = `it is about the order ${orderId}, but the letter is about ${letter.orderId}`;
      return { status: 'unreadable', code: 'INVALID', reason };
    }
    const sealed = encrypt?.({ hqId: body.hqId, topic, eventId, value }) ?? { headers: new Map(), value };
    if (sealed.value.byteLength > VALUE_BYTES_MAX) {
      const reason = `encrypted, it has ${sealed.value.byteLength} bytes, but at most ${VALUE_BYTES_MAX} are kept`;
      return { status: 'unreadable', code: 'TOO_LARGE', reason };
    }
    const headers = new Map([...plain, ...sealed.headers]);
    const correction = { value: sealed.value, headers, hqId: body.hqId, orderId, eventId };
    const done = await this.letters.correct(letter.id, correction, subject);
    return { status: done ? 'corrected' : 'not-parked' };
  }
}

/** What was encrypted for another HQ than the one that it names is shown to neither. */
function isOf({ hqId, message }: DeadLetter, seen: string): boolean {
  return hqId === seen && (message.headers.get('holdfast-hq') ?? seen) === seen;
}

function formOf(value: Uint8Array): { payload: unknown; payloadForm: PayloadForm } {
  const text = textOf(value);
  if (text === null) return { payload: Buffer.from(value).toString('base64'), payloadForm: 'base64' };
  try {
    return { payload: JSON.parse(text), payloadForm: 'json' };
  } catch {
    return { payload: text, payloadForm: 'text' };
  }
}

/** Null: it is no UTF-8. */
function textOf(value: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return null;
  }
}
