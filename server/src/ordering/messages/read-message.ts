/** Bytes of strangers → an order's message, or why not. Nothing that comes in makes it throw. */
import { isEncrypted } from '../../events/encryption/event-keys.ts';
import { ID_PATTERN, OPERATION_ID_PATTERN } from '../../stock/identifiers.ts';
import { schemaProblem, typeProblem } from './event-type.ts';
import { toldReason } from './foreign-text.ts';
import type { ConsumedMessage, OrderEventBody, ReadResult } from './message.ts';
import type { OpenValue } from './open-value.ts';
import { readData } from './read-data.ts';
import { type Envelope, isEventId, isFields, type Refusal, readEnvelope } from './read-envelope.ts';

/** Decided by the value as it arrived, before anything of it is looked at. */
const VALUE_BYTES_MAX = 1024 * 1024;
const ID = new RegExp(ID_PATTERN);
const CORRELATION_ID = new RegExp(OPERATION_ID_PATTERN);
/** Printable ASCII: it is kept as who caused an entry. */
const SOURCE = /^[!-~]{1,128}$/;

/** @param open decrypts what is encrypted, see `valueOpener` */
export function readMessage(message: ConsumedMessage, open: OpenValue): ReadResult {
  const { headers, value } = message;
  if (value === null) return unreadable(message, { ok: false, code: 'NOT_JSON', reason: 'there is no value' });
  if (value.length > VALUE_BYTES_MAX) {
    const reason = `the value has ${value.length} bytes, but at most ${VALUE_BYTES_MAX} are read`;
    return unreadable(message, { ok: false, code: 'TOO_LARGE', reason });
  }
  const opened = open(message, value);
  if (!opened.ok) return unreadable(message, opened);
  const envelope = readEnvelope(headers, opened.value);
  return envelope.ok ? readEnveloped(message, envelope, opened.encryptedFor) : unreadable(message, envelope);
}

function readEnveloped(
  message: ConsumedMessage,
  envelope: Envelope,
  encryptedFor: { hqId: string; eventId: string } | null,
): ReadResult {
  const { topic, headers } = message;
  const { eventId, data, source } = envelope;
  const refused = (code: Refusal['code'], reason: string) =>
    unreadable(message, { ok: false, code, reason, eventId, data });
  const problem = typeProblem(topic, envelope.type) ?? schemaProblem(topic, envelope.schema);
  if (problem !== null) return refused(problem.code, problem.reason);
  const read = readData(topic, data);
  if (!read.ok) return refused('INVALID', read.reason);
  const body = read.value;
  const id = subjectOf(body);
  if (encryptedFor !== null && (encryptedFor.hqId !== body.hqId || encryptedFor.eventId !== eventId)) {
    return refused('NOT_AUTHENTIC', 'it was encrypted for another HQ or event than the one that it holds');
  }
  const correlationId =
    [data.correlationId, envelope.correlationId, headers.get('x-correlation-id')].find(isCorrelationId) ?? id;
  const who = typeof source === 'string' && SOURCE.test(source) ? source : topic;
  const key = message.key || id;
  const encrypted = encryptedFor !== null;
  return { ok: true, message: { topic, key, eventId, source: who, correlationId, encrypted, body } };
}

/** What keeps the order of messages whose producer gave them no key. */
function subjectOf(body: OrderEventBody): string {
  return body.kind === 'sku-created' ? body.skuId : body.orderId;
}

/** One that is none of ours is no reason to refuse an order. */
function isCorrelationId(value: unknown): value is string {
  return typeof value === 'string' && CORRELATION_ID.test(value);
}

/** With what could be read of it: people look for letters by these ids. */
function unreadable({ headers }: ConsumedMessage, { code, reason, eventId, data }: Refusal): ReadResult {
  const fields = isFields(data) ? data : {};
  const given = eventId ?? headers.get('ce_id');
  return {
    ok: false,
    code,
    reason: toldReason(reason, isEncrypted(headers)),
    hqId: idOf(fields.hqId) ?? idOf(headers.get('holdfast-hq')),
    orderId: idOf(fields.orderId),
    eventId: isEventId(given) ? given : null,
  };
}

function idOf(value: unknown): string | null {
  return typeof value === 'string' && ID.test(value) ? value : null;
}
