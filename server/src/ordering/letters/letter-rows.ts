/** Dead letters as rows: what every adapter keeps of one, and how it is read again. */
import { createHash } from 'node:crypto';
import type { ConsumedTopic } from '../../events/topics.ts';
import { ID_PATTERN } from '../../stock/identifiers.ts';
import type { Correction, DeadLetter, LetterStatus, NewLetter } from './dead-letters.ts';

/** What a row keeps at most; more is cut, and the reason says so. */
export const VALUE_BYTES_MAX = 1_048_576;
const HEADERS_LENGTH_MAX = 65_536;
const ID_LENGTH_MAX = 255;
const REASON_LENGTH_MAX = 2_000;

const PREFIX = 'ltr_';
const ID = new RegExp(ID_PATTERN);

export type LetterValue = string | number | Uint8Array | null;

/** A row of `dead_letters` under the names of `LETTER_FIELDS`. */
export interface LetterRecord {
  id: number;
  topic: ConsumedTopic;
  partitionId: number;
  messageOffset: string;
  at: number;
  messageKey: string | null;
  headers: string;
  value: Uint8Array | null;
  letterKey: string | null;
  hqId: string | null;
  orderId: string | null;
  eventId: string | null;
  code: DeadLetter['code'];
  reason: string;
  attempts: number;
  status: LetterStatus;
  corrected: number;
  receivedAt: number;
  changedBy: string | null;
  changedAt: number | null;
}

export const LETTER_FIELDS = `id, topic, partition_id as partitionId, message_offset as messageOffset, at,
  message_key as messageKey, headers, value, letter_key as letterKey, hq_id as hqId, order_id as orderId,
  event_id as eventId, code, reason, attempts, status, corrected, received_at as receivedAt,
  changed_by as changedBy, changed_at as changedAt`;

export function letterOf(row: LetterRecord): DeadLetter {
  const { hqId, orderId, eventId, code, reason, attempts, status, receivedAt, changedBy, changedAt } = row;
  return {
    id: PREFIX + row.id,
    message: {
      topic: row.topic,
      partition: row.partitionId,
      offset: BigInt(row.messageOffset),
      key: row.messageKey,
      headers: new Map(JSON.parse(row.headers) as [string, string][]),
      value: row.value === null ? null : new Uint8Array(row.value),
      at: row.at,
    },
    key: row.letterKey,
    hqId,
    orderId,
    eventId,
    code,
    reason,
    attempts,
    status,
    receivedAt,
    corrected: row.corrected === 1,
    changedBy,
    changedAt,
  };
}

/** The number of a letter's row; null when it is no id of a letter. */
export function rowIdOf(letterId: string): number | null {
  const number = /^ltr_([1-9]\d{0,14})$/.exec(letterId)?.[1];
  return number === undefined ? null : Number(number);
}

export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

const GROUP_DIGITS = 2;
export const KEY_GROUPS = 16 ** GROUP_DIGITS;

/** Of the groups in which keys are read: the beginning of its hash. */
export function keyGroupOf(key: string): number {
  return groupOfHash(keyHash(key));
}

export function groupOfHash(hash: string): number {
  return Number.parseInt(hash.slice(0, GROUP_DIGITS), 16);
}

/** Every hash of a group is between the two. */
export function hashesOf(group: number): [above: string, below: string] {
  const start = group.toString(16).padStart(GROUP_DIGITS, '0');
  return [start, `${start}g`];
}

/** What a new row holds, by column. */
export function newRow(letter: NewLetter, status: LetterStatus, receivedAt: number): Record<string, LetterValue> {
  const { message } = letter;
  const { value, cut } = keptValue(message.value);
  const key = letter.key ?? message.key;
  return {
    topic: message.topic,
    partition_id: message.partition,
    message_offset: String(message.offset),
    at: message.at,
    message_key: message.key,
    headers: headersText(message.headers),
    value,
    letter_key: letter.key,
    key_hash: key === null ? null : keyHash(key),
    in_line: letter.key === null ? 0 : 1,
    hq_id: hqOf(letter.hqId),
    order_id: shortened(letter.orderId, ID_LENGTH_MAX),
    event_id: shortened(letter.eventId, ID_LENGTH_MAX),
    code: letter.code,
    reason: reasonText(letter.reason) + cut,
    attempts: letter.attempts,
    status,
    corrected: 0,
    received_at: receivedAt,
    claim: null,
    claimed_until: 0,
    unsent: status === 'parked' ? 1 : null,
    changed_by: null,
    changed_at: null,
  };
}

/** What a correction changes, by column. */
export function correctedColumns(correction: Correction): Record<string, LetterValue> {
  const { value, headers, hqId, orderId, eventId } = correction;
  if (value.byteLength > VALUE_BYTES_MAX) throw new Error(`a letter keeps at most ${VALUE_BYTES_MAX} bytes`);
  return {
    value,
    headers: headersText(headers),
    hq_id: hqOf(hqId),
    order_id: shortened(orderId, ID_LENGTH_MAX),
    event_id: shortened(eventId, ID_LENGTH_MAX),
    corrected: 1,
  };
}

export function changerText(by: string | null): string | null {
  return shortened(by, ID_LENGTH_MAX);
}

export function reasonText(reason: string): string {
  return shortened(reason, REASON_LENGTH_MAX) as string;
}

function keptValue(value: Uint8Array | null): { value: Uint8Array | null; cut: string } {
  if (value === null || value.byteLength <= VALUE_BYTES_MAX) return { value, cut: '' };
  const cut = ` (Of its ${value.byteLength} bytes only the first ${VALUE_BYTES_MAX} are kept.)`;
  return { value: value.slice(0, VALUE_BYTES_MAX), cut };
}

/** Pairs in the order in which they came, as many as there is room for. */
function headersText(headers: ReadonlyMap<string, string>): string {
  const kept: string[] = [];
  let length = 2;
  for (const pair of headers) {
    const text = JSON.stringify(pair);
    length += text.length + 1;
    if (length > HEADERS_LENGTH_MAX) break;
    kept.push(text);
  }
  return `[${kept.join(',')}]`;
}

/** What is no id of an HQ names none: nobody but who sees every HQ is shown it. */
function hqOf(hqId: string | null): string | null {
  return hqId !== null && ID.test(hqId) ? hqId : null;
}

function shortened(text: string | null, lengthMax: number): string | null {
  return text === null ? null : text.slice(0, lengthMax).toWellFormed();
}
