/** Payload encryption: what may not be exchanged, rotation while the process runs, files that cannot be used. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventKeys } from '../../../src/events/encryption/event-keys.ts';
import { EventKeysUnusable } from '../../../src/events/encryption/key-file.ts';
import type { ConsumedMessage } from '../../../src/ordering/messages/message.ts';
import { valueOpener } from '../../../src/ordering/messages/open-value.ts';
import { readMessage } from '../../../src/ordering/messages/read-message.ts';
import { GOOD, message, plain } from '../../ordering/messages.ts';
import { KeyFile } from './keys.ts';

const EVENT = { hqId: 'HQ001', topic: 'order.completed', eventId: 'evt-1' } as const;
const TEXT = JSON.stringify(plain(EVENT.topic, GOOD[EVENT.topic]));

let file: KeyFile;
let now: number;
let said: string[];

beforeEach(() => {
  file = new KeyFile();
  file.add('one');
  now = 0;
  said = [];
});

afterEach(() => file.dispose());

function open(): EventKeys {
  const log = { info: (text: string) => said.push(text), warn: (text: string) => said.push(text) };
  return new EventKeys({ file: file.path, log, nowMs: () => now });
}

function encrypted(keys: EventKeys, value = TEXT) {
  return { topic: EVENT.topic as string, ...keys.encrypt({ ...EVENT, value }) };
}

function outcome(keys: EventKeys, sent: ReturnType<typeof encrypted>): string {
  const result = keys.decrypt(sent);
  return result.ok ? Buffer.from(result.value).toString() : result.code;
}

describe('a value', () => {
  it('is read with its key, and never the same twice', () => {
    const keys = open();
    const [first, second] = [encrypted(keys), encrypted(keys)];
    expect(first.value.includes('ORD123456')).toBe(false);
    expect(first.value.length).toBe(12 + TEXT.length + 16);
    expect(first.value.equals(second.value)).toBe(false);
    expect(Object.fromEntries(first.headers)).toEqual({
      'holdfast-key-id': 'one',
      'holdfast-hq': 'HQ001',
      ce_id: 'evt-1',
    });
    expect([first, second].map((sent) => outcome(open(), sent))).toEqual([TEXT, TEXT]);
    expect(keys.decrypt(first)).toMatchObject({ hqId: 'HQ001', eventId: 'evt-1' });
    expect(outcome(keys, encrypted(keys, ''))).toBe('');
  });

  it('belongs to its HQ, topic, event and key', () => {
    file.add('two');
    const keys = open();
    const sent = encrypted(keys);
    const withHeader = (name: string, value: string) => ({ ...sent, headers: new Map(sent.headers).set(name, value) });
    expect(outcome(keys, withHeader('holdfast-hq', 'HQ002'))).toBe('NOT_AUTHENTIC');
    expect(outcome(keys, withHeader('ce_id', 'evt-2'))).toBe('NOT_AUTHENTIC');
    expect(outcome(keys, withHeader('holdfast-key-id', 'one'))).toBe('NOT_AUTHENTIC');
    expect(outcome(keys, withHeader('holdfast-key-id', 'three'))).toBe('UNKNOWN_KEY_ID');
    expect(outcome(keys, { ...sent, topic: 'order.cancelled' })).toBe('NOT_AUTHENTIC');
    for (const name of sent.headers.keys()) {
      const headers = new Map(sent.headers);
      headers.delete(name);
      expect(outcome(keys, { ...sent, headers })).toBe('NOT_AUTHENTIC');
    }
  });

  it('does not pass for another whose key has the same bytes', () => {
    const { value } = encrypted(open());
    const bytes = 'A'.repeat(43);
    file.write({ current: 'a', keys: { a: `${bytes}=`, b: `${bytes}=` } });
    const keys = open();
    const sent = encrypted(keys);
    expect(outcome(keys, { ...sent, headers: new Map(sent.headers).set('holdfast-key-id', 'b') })).toBe(
      'NOT_AUTHENTIC',
    );
    expect(outcome(keys, { ...sent, value })).toBe('NOT_AUTHENTIC');
  });

  it('is refused when a bit of it is another, and when it is cut anywhere', () => {
    const keys = open();
    const sent = encrypted(keys, 'short');
    for (let at = 0; at < sent.value.length; at += 1) {
      const changed = Buffer.from(sent.value);
      changed[at] = (changed[at] as number) ^ 1;
      expect(outcome(keys, { ...sent, value: changed })).toBe('NOT_AUTHENTIC');
      expect(outcome(keys, { ...sent, value: sent.value.subarray(0, at) })).toBe('NOT_AUTHENTIC');
    }
  });
});

describe('rotation', () => {
  it('encrypts with the new key once a second is over, and decrypts with both', () => {
    const keys = open();
    const before = encrypted(keys);
    file.add('two');
    expect(encrypted(keys).headers.get('holdfast-key-id')).toBe('one');
    now += 1_000;
    const after = encrypted(keys);
    expect(after.headers.get('holdfast-key-id')).toBe('two');
    expect([before, after].map((sent) => outcome(keys, sent))).toEqual([TEXT, TEXT]);
    expect(said).toEqual(['event keys read again: one, two; two encrypts']);
    file.remove('one', 'two');
    now += 1_000;
    expect(outcome(keys, before)).toBe('UNKNOWN_KEY_ID');
  });

  it('reads at once when a key is unknown, at most once a second', () => {
    const consumer = open();
    file.add('two');
    expect(outcome(consumer, encrypted(open()))).toBe(TEXT);
    file.add('three');
    const third = encrypted(open());
    expect(outcome(consumer, third)).toBe('UNKNOWN_KEY_ID');
    now += 1_000;
    expect(outcome(consumer, third)).toBe(TEXT);
  });

  it('keeps its keys when the file is broken or gone, says so once, and takes the next good one', () => {
    const keys = open();
    const sent = encrypted(keys);
    file.write('{ "current": ');
    for (let seconds = 0; seconds < 3; seconds += 1) {
      now += 1_000;
      expect(outcome(keys, sent)).toBe(TEXT);
    }
    expect(said).toEqual([expect.stringMatching(/is not JSON; .*The keys that were read before stay in use\.$/)]);
    file.dispose();
    now += 1_000;
    expect(outcome(keys, sent)).toBe(TEXT);
    expect(said).toHaveLength(2);
    expect(said[1]).toContain('it cannot be read (ENOENT');
  });

  it.each([
    ['a directory', (path: string) => mkdirSync(path), 'EISDIR|it is no file'],
    ['a link to itself', (path: string) => symlinkSync(path, path), 'ELOOP'],
    [
      'a pipe that nobody writes into',
      (path: string) => void execFileSync('mkfifo', ['-m', '600', path]),
      'it is no file',
    ],
  ])('keeps its keys when the file becomes %s, and does not start with it', (_what, make, reason) => {
    const keys = open();
    const sent = encrypted(keys);
    rmSync(file.path);
    make(file.path);
    now += 1_000;
    expect(outcome(keys, sent)).toBe(TEXT);
    expect(encrypted(keys).headers.get('holdfast-key-id')).toBe('one');
    expect(said).toEqual([expect.stringMatching(reason)]);
    expect(open).toThrow(EventKeysUnusable);
    rmSync(file.path, { recursive: true });
  });
});

describe('a file that cannot be used stops the start', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const good = { current: 'a', keys: { a: key } };

  it.each([
    ['others may read it', good, 0o604, 'every user of this machine may get at it; allow its owner alone (chmod 600)'],
    ['others may write it', good, 0o602, 'every user of this machine'],
    ['it is not JSON', `{"keys": ${key}`, 0o600, 'it is not JSON; it should be'],
    ['it is no object', '7', 0o600, 'it should be { "current"'],
    ['it has no keys', { current: 'a' }, 0o600, '`keys` is not an object'],
    ['a key is short', { current: 'a', keys: { a: 'c2hvcnQ=' } }, 0o600, 'the key a is not 32 bytes in base64'],
    ['a key is no text', { current: 'a', keys: { a: key, b: 5 } }, 0o600, 'the key b is not 32 bytes in base64'],
    ['an id does not fit', { current: 'a b', keys: { 'a b': key } }, 0o600, 'an id of a key is not'],
    ['the current key is not there', { ...good, current: 'b' }, 0o600, '`current` does not name one of its keys'],
    ['the current key is an inherited name', { ...good, current: 'toString' }, 0o600, '`current` does not name'],
    ['it has no current key', { keys: { a: key } }, 0o600, '`current` does not name one of its keys'],
  ])('%s', (_name, content, mode, reason) => {
    file.write(content, mode);
    const failure = attempt();
    expect(failure).toContain(`The file of event keys ${file.path} cannot be used: `);
    expect(failure).toContain(reason);
    expect(failure).not.toContain(key);
  });

  it('it is not there', () => {
    file.dispose();
    expect(attempt()).toContain('it cannot be read (ENOENT');
  });

  it('not one that its group may read, as mounted secrets are', () => {
    file.write(good, 0o640);
    expect(attempt()).toBe('');
  });

  function attempt(): string {
    try {
      open();
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  }
});

describe('at the consumer', () => {
  const sent = (
    keys: EventKeys,
    value = TEXT,
    of: Partial<typeof EVENT & { hqId: string; eventId: string }> = {},
  ): ConsumedMessage => {
    const made = keys.encrypt({ ...EVENT, ...of, value });
    return message(EVENT.topic, made.value, { headers: made.headers });
  };

  it('an encrypted message is read as a plain one is, in each envelope', () => {
    const keys = open();
    const opener = valueOpener(keys, 'refused');
    const asPlain = readMessage(message(EVENT.topic, TEXT), valueOpener(null, 'accepted'));
    if (!asPlain.ok) throw new Error(asPlain.reason);
    const asEncrypted = { ok: true, message: { ...asPlain.message, encrypted: true } };
    expect(readMessage(sent(keys), opener)).toEqual(asEncrypted);
    const data = sent(keys, JSON.stringify(GOOD[EVENT.topic]));
    const headers = new Map([...data.headers, ['ce_specversion', '1.0'], ['ce_type', EVENT.topic]]);
    expect(readMessage({ ...data, headers }, opener)).toEqual(asEncrypted);
  });

  it('one that holds another event than it says is not authentic', () => {
    const keys = open();
    const opener = valueOpener(keys, 'accepted');
    for (const of of [{ hqId: 'HQ002' }, { eventId: 'evt-2' }] as object[]) {
      expect(readMessage(sent(keys, TEXT, of), opener)).toMatchObject({ ok: false, code: 'NOT_AUTHENTIC' });
    }
  });

  const line = { productId: 'Kim-Minji', quantity: 600_000 };
  it.each([
    ['text that is no JSON', 'Kim Minji, 010-1234-5678'],
    ['a field', JSON.stringify(plain(EVENT.topic, { ...GOOD[EVENT.topic], orderId: 'Kim Minji, 010-1234-5678' }))],
    ['a type', JSON.stringify(plain(EVENT.topic, GOOD[EVENT.topic], { eventType: 'Kim Minji' }))],
    ['a number', JSON.stringify(plain(EVENT.topic, { ...GOOD[EVENT.topic], hqId: 1_012_345_678 }))],
    ['lines', JSON.stringify(plain(EVENT.topic, { ...GOOD[EVENT.topic], items: [line, line] }))],
  ])('the reason, which is kept and sent in plain, repeats nothing that was encrypted: %s', (_what, value) => {
    const keys = open();
    const result = readMessage(sent(keys, value), valueOpener(keys, 'refused'));
    const reason = result.ok ? '' : result.reason;
    expect(reason).toContain('(not shown: it was encrypted)');
    expect(reason).not.toMatch(/Kim|010|1012345678|1200000/);
  });

  it('plain messages are read, unless they are refused', () => {
    const keys = open();
    const plainOne = message(EVENT.topic, TEXT);
    expect(readMessage(plainOne, valueOpener(keys, 'accepted'))).toMatchObject({ ok: true });
    expect(readMessage(plainOne, valueOpener(keys, 'refused'))).toMatchObject({ ok: false, code: 'NOT_AUTHENTIC' });
  });
});
