/**
 * Secrecy of payloads: AES-256-GCM per message, `iv (12 bytes) ‖ ciphertext ‖ tag (16 bytes)`. The headers name the key,
 * the HQ and the event; with the topic they are the additional data, so none of them can be exchanged. Keys rotate while
 * the process runs: the file is looked at again as it is used.
 *
 * IVs are random, so one key may encrypt 2^32 messages at most (NIST SP 800-38D, 8.3); nobody counts them.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { EventKeysUnusable, type KeyRing, readKeyFile, stampOf } from './key-file.ts';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const LOOK_MS = 1_000;

const KEY_ID_HEADER = 'holdfast-key-id';
const HQ_HEADER = 'holdfast-hq';
const EVENT_ID_HEADER = 'ce_id';

export interface EventKeysParts {
  /** `EVENT_KEYS_FILE` */
  file: string;
  log: { info(message: string): void; warn(message: string): void };
  /** Milliseconds that only rise. */
  nowMs?: () => number;
}

interface PlainValue {
  hqId: string;
  /** As the contract names it, whatever the installation calls it. */
  topic: string;
  eventId: string;
  value: string | Uint8Array;
}

interface EncryptedValue {
  topic: string;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  value: Uint8Array;
}

/** `hqId` and `eventId` are what the value was encrypted for. */
type Decrypted =
  | { ok: true; value: Uint8Array; hqId: string; eventId: string }
  | { ok: false; code: 'UNKNOWN_KEY_ID' | 'NOT_AUTHENTIC'; reason: string };

/** What decides: a value is encrypted if, and only if, a header names its key. */
export function isEncrypted(headers: ReadonlyMap<string, string>): boolean {
  return headers.has(KEY_ID_HEADER);
}

export class EventKeys {
  readonly #parts: EventKeysParts;
  readonly #nowMs: () => number;
  #ring: KeyRing;
  #stamp: string;
  #lookedAt: number;
  #readForUnknownAt = Number.NEGATIVE_INFINITY;
  /** Said already. */
  #problem: string | null = null;

  /** @throws EventKeysUnusable */
  constructor(parts: EventKeysParts) {
    this.#parts = parts;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
    this.#stamp = stampOf(parts.file);
    this.#ring = readKeyFile(parts.file);
    this.#lookedAt = this.#nowMs();
  }

  /** With the current key. The headers belong to the message; without them nobody can decrypt it. */
  encrypt({ hqId, topic, eventId, value }: PlainValue): { headers: Map<string, string>; value: Buffer } {
    this.#look();
    const { current, keys } = this.#ring;
    const headers = new Map([
      [KEY_ID_HEADER, current],
      [HQ_HEADER, hqId],
      [EVENT_ID_HEADER, eventId],
    ]);
    const bound = additionalData(hqId, topic, eventId, current);
    return { headers, value: sealed(keys.get(current) as KeyObject, bound, value) };
  }

  decrypt({ topic, headers, value }: EncryptedValue): Decrypted {
    this.#look();
    const [keyId, hqId, eventId] = [KEY_ID_HEADER, HQ_HEADER, EVENT_ID_HEADER].map((name) => headers.get(name));
    if (keyId === undefined || hqId === undefined || eventId === undefined) {
      return notAuthentic(`a header is absent: ${KEY_ID_HEADER}, ${HQ_HEADER} and ${EVENT_ID_HEADER} are needed`);
    }
    const key = this.#ring.keys.get(keyId) ?? this.#readForUnknown(keyId);
    if (key === undefined) {
      return { ok: false, code: 'UNKNOWN_KEY_ID', reason: `the header ${KEY_ID_HEADER} names a key that is not known` };
    }
    if (value.length < IV_BYTES + TAG_BYTES) {
      return notAuthentic(`it has ${value.length} bytes; the initialisation vector and the tag alone have 28`);
    }
    const opened = unsealed(key, additionalData(hqId, topic, eventId, keyId), value);
    if (opened !== null) return { ok: true, value: opened, hqId, eventId };
    return notAuthentic(
      'the authentication tag is wrong: the value was changed, or it was encrypted for another HQ, topic or event id, ' +
        'or with another key of this id',
    );
  }

  /** Reads the file again if somebody changed it. */
  #look(): void {
    const now = this.#nowMs();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    if (stampOf(this.#parts.file) !== this.#stamp) this.#read();
  }

  /** A producer may have the new key a moment before we do. */
  #readForUnknown(keyId: string): KeyObject | undefined {
    const now = this.#nowMs();
    if (now - this.#readForUnknownAt < LOOK_MS) return undefined;
    this.#readForUnknownAt = now;
    this.#read();
    return this.#ring.keys.get(keyId);
  }

  /** A file that cannot be used leaves the keys as they are. */
  #read(): void {
    const { file, log } = this.#parts;
    try {
      const stamp = stampOf(file);
      const ring = readKeyFile(file);
      if (stamp !== this.#stamp || this.#problem !== null) {
        log.info(`event keys read again: ${[...ring.keys.keys()].join(', ')}; ${ring.current} encrypts`);
      }
      this.#ring = ring;
      this.#stamp = stamp;
      this.#problem = null;
    } catch (error) {
      if (!(error instanceof EventKeysUnusable)) throw error;
      if (this.#problem !== error.message) log.warn(`${error.message} The keys that were read before stay in use.`);
      this.#problem = error.message;
    }
  }
}

function additionalData(...parts: [hqId: string, topic: string, eventId: string, keyId: string]): Buffer {
  return Buffer.from(parts.join('\0'));
}

function sealed(key: KeyObject, bound: Buffer, value: string | Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES }).setAAD(bound);
  const text = typeof value === 'string' ? cipher.update(value, 'utf8') : cipher.update(value);
  return Buffer.concat([iv, text, cipher.final(), cipher.getAuthTag()]);
}

/** Null: the tag does not fit. */
function unsealed(key: KeyObject, bound: Buffer, value: Uint8Array): Buffer | null {
  const iv = value.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(bound).setAuthTag(value.subarray(-TAG_BYTES));
  const opened = decipher.update(value.subarray(IV_BYTES, -TAG_BYTES));
  try {
    decipher.final();
    return opened;
  } catch {
    return null;
  }
}

function notAuthentic(reason: string): Decrypted {
  return { ok: false, code: 'NOT_AUTHENTIC', reason };
}
