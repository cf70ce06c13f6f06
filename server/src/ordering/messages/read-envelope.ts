/** Both envelopes: CloudEvents 1.0 (structured, or binary with `ce_` headers) and `{ eventId, eventType, timestamp, data }`. */
import { isUtf8 } from 'node:buffer';
import { clean, shown } from './foreign-text.ts';
import type { UnreadableCode } from './message.ts';

/** What an envelope says of its data. All of it is foreign: only `eventId` and `data` were looked at. */
export interface Envelope {
  ok: true;
  eventId: string;
  type: unknown;
  source: unknown;
  schema: unknown;
  correlationId: unknown;
  data: Fields;
}

/** `eventId` and `data` are what could be read before it was found wrong. */
export interface Refusal {
  ok: false;
  code: UnreadableCode;
  reason: string;
  eventId?: unknown;
  data?: unknown;
}

export type Fields = Readonly<Record<string, unknown>>;
type Parsed = { ok: true; value: unknown } | Refusal;
type Headers = ReadonlyMap<string, string>;

const STRUCTURED = /^application\/cloudevents(\+json)?(;|$)/i;
const SPEC_VERSION = '1.0';
const EVENT_ID_LENGTH_MAX = 128;
const UNFIT_FOR_TEXT = /[\p{Cc}\p{Cs}]/u;

export function readEnvelope(headers: Headers, value: Uint8Array): Envelope | Refusal {
  const parsed = parse(value);
  if (!parsed.ok) return { ...parsed, eventId: headers.get('ce_id') };
  const content = parsed.value;
  const structured = STRUCTURED.test(headers.get('content-type') ?? '');
  if (!structured && headers.has('ce_specversion')) return binary(headers, content);
  if (!isFields(content)) return unknownEnvelope(`it is ${shown(content)}, but an envelope is an object`);
  if (content.specversion !== undefined) return cloudEvent(content);
  if (content.eventId !== undefined) return plain(content);
  return unknownEnvelope('it has neither specversion, as a CloudEvent has, nor eventId, as the plain envelope has');
}

function binary(headers: Headers, data: unknown): Envelope | Refusal {
  const version = headers.get('ce_specversion');
  if (version !== SPEC_VERSION) return unknownVersion('the header ce_specversion', version);
  return checked('the header ce_id', {
    eventId: headers.get('ce_id'),
    type: headers.get('ce_type'),
    source: headers.get('ce_source'),
    schema: headers.get('ce_dataschema'),
    correlationId: headers.get('ce_correlationid'),
    data,
  });
}

function cloudEvent(event: Fields): Envelope | Refusal {
  if (event.specversion !== SPEC_VERSION) return unknownVersion('specversion', event.specversion);
  const data = dataOf(event);
  if (!data.ok) return { ...data, eventId: event.id };
  return checked('id', {
    eventId: event.id,
    type: event.type,
    source: event.source,
    schema: event.dataschema,
    correlationId: event.correlationid,
    data: data.value,
  });
}

function plain({ eventId, eventType, correlationId, data }: Fields): Envelope | Refusal {
  return checked('eventId', { eventId, type: eventType, source: undefined, schema: undefined, correlationId, data });
}

function checked(
  nameOfId: string,
  envelope: Omit<Envelope, 'ok' | 'eventId' | 'data'> & { eventId: unknown; data: unknown },
): Envelope | Refusal {
  const { eventId, data } = envelope;
  if (!isEventId(eventId)) {
    const must = `it must be text of 1 to ${EVENT_ID_LENGTH_MAX} characters without control characters`;
    return { ok: false, code: 'INVALID', reason: `${nameOfId} is ${present(eventId)}, but ${must}`, data };
  }
  if (isFields(data)) return { ...envelope, ok: true, eventId, data };
  return { ok: false, code: 'INVALID', reason: `data is ${present(data)}, but it must be an object`, eventId };
}

/** A CloudEvent carries JSON as it is, or as bytes in base64. */
function dataOf({ data, data_base64: bytes }: Fields): Parsed {
  if (bytes === undefined || data !== undefined) return { ok: true, value: data };
  if (typeof bytes === 'string') return parse(Buffer.from(bytes, 'base64'), 'data_base64');
  return { ok: false, code: 'INVALID', reason: `data_base64 is ${shown(bytes)}, but it must be text` };
}

/** A byte order mark is no part of the text. Of a name that is there twice the last one counts. */
function parse(value: Uint8Array, what = 'the value'): Parsed {
  if (value.length === 0) return { ok: false, code: 'NOT_JSON', reason: `${what} is empty` };
  if (!isUtf8(value)) return { ok: false, code: 'NOT_JSON', reason: `${what} is not text in UTF-8` };
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
  try {
    return { ok: true, value: JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text) };
  } catch (error) {
    return { ok: false, code: 'NOT_JSON', reason: `${what} is not JSON: ${clean((error as Error).message)}` };
  }
}

export function isEventId(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length > 0 && value.length <= EVENT_ID_LENGTH_MAX && !UNFIT_FOR_TEXT.test(value)
  );
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function present(value: unknown): string {
  return value === undefined ? 'absent' : shown(value);
}

function unknownEnvelope(reason: string): Refusal {
  return { ok: false, code: 'UNKNOWN_ENVELOPE', reason };
}

function unknownVersion(name: string, version: unknown): Refusal {
  return unknownEnvelope(`${name} is ${shown(version)}, but only CloudEvents ${SPEC_VERSION} are read`);
}
