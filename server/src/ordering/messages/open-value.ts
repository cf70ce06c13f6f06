/** Plain or encrypted: what a consumer makes of a value before it is read. */
import { type EventKeys, isEncrypted } from '../../events/encryption/event-keys.ts';
import type { ConsumedMessage } from './message.ts';

interface Opened {
  ok: true;
  value: Uint8Array;
  /** Whom it was encrypted for; null: it was plain. */
  encryptedFor: { hqId: string; eventId: string } | null;
}

interface Unopened {
  ok: false;
  code: 'UNKNOWN_KEY_ID' | 'NOT_AUTHENTIC';
  reason: string;
}

export type OpenValue = (message: Pick<ConsumedMessage, 'topic' | 'headers'>, value: Uint8Array) => Opened | Unopened;

/**
 * @param keys null: none are configured, so nothing that is encrypted can be read
 * @param plain `refused`: whoever has no key may not speak. Until every producer encrypts, plain values are accepted
 */
export function valueOpener(keys: EventKeys | null, plain: 'accepted' | 'refused'): OpenValue {
  return ({ topic, headers }, value) => {
    if (!isEncrypted(headers)) return plain === 'accepted' ? { ok: true, value, encryptedFor: null } : NOT_ENCRYPTED;
    if (keys === null) return NO_KEYS;
    const decrypted = keys.decrypt({ topic, headers, value });
    if (!decrypted.ok) return decrypted;
    const { hqId, eventId } = decrypted;
    return { ok: true, value: decrypted.value, encryptedFor: { hqId, eventId } };
  };
}

const NOT_ENCRYPTED: Unopened = {
  ok: false,
  code: 'NOT_AUTHENTIC',
  reason: 'it is not encrypted (no header holdfast-key-id), and plain messages are refused here',
};

const NO_KEYS: Unopened = {
  ok: false,
  code: 'UNKNOWN_KEY_ID',
  reason: 'it is encrypted, and no keys are configured here (EVENT_KEYS_FILE)',
};
