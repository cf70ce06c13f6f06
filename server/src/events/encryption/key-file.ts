/**
 * The file of payload keys (`EVENT_KEYS_FILE`): `{ "current": "2026-11", "keys": { "2026-11": "<base64 of 32 bytes>" } }`.
 * `current` encrypts; every key decrypts.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';

export interface KeyRing {
  current: string;
  keys: ReadonlyMap<string, KeyObject>;
}

const KEY_BYTES = 32;
const BASE64_OF_A_KEY = /^[A-Za-z0-9+/]{43}=$/;
/** It goes into a header and into the additional data, where a zero byte separates. */
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;
const FOR_OTHERS = 0o007;
/** A pipe in its place would hold up the whole process until somebody writes into it. Windows has no such flag. */
const READ_WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** The file of keys cannot be used: which, why, and what it should be. */
export class EventKeysUnusable extends Error {
  constructor(file: string, reason: string) {
    super(`The file of event keys ${file} cannot be used: ${reason}.`);
    this.name = 'EventKeysUnusable';
  }
}

/** Another text whenever somebody wrote, replaced or re-permitted the file, or it cannot be got at. */
export function stampOf(file: string): string {
  try {
    const { ino, size, mode, mtimeMs, ctimeMs } = statSync(file);
    return [ino, size, mode, mtimeMs, ctimeMs].join();
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** @throws EventKeysUnusable */
export function readKeyFile(file: string): KeyRing {
  const { text, stats } = contentOf(file);
  // Windows has no such bits, and says that everybody may read everything.
  if (process.platform !== 'win32' && (stats.mode & FOR_OTHERS) !== 0) {
    throw new EventKeysUnusable(file, `every user of this machine may get at it; allow its owner alone (chmod 600)`);
  }
  const { current, keys } = parsed(file, text);
  if (typeof keys !== 'object' || keys === null) throw new EventKeysUnusable(file, '`keys` is not an object of keys');
  const ring = new Map(Object.entries(keys).map(([id, key]) => [id, keyOf(file, id, key)] as const));
  if (typeof current !== 'string' || !ring.has(current)) {
    throw new EventKeysUnusable(file, '`current` does not name one of its keys');
  }
  return { current, keys: ring };
}

/** From one descriptor, so that the rights are those of what was read. */
function contentOf(file: string): { text: string; stats: Stats } {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, READ_WITHOUT_WAITING);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('it is no file');
    return { stats, text: readFileSync(descriptor, 'utf8') };
  } catch (error) {
    throw new EventKeysUnusable(file, `it cannot be read (${(error as Error).message})`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** What the parser says is not passed on: it quotes the text, which holds keys. */
function parsed(file: string, text: string): { current?: unknown; keys?: unknown } {
  const shape = 'it should be { "current": "<id>", "keys": { "<id>": "<base64 of 32 bytes>" } }';
  try {
    const content = JSON.parse(text) as unknown;
    if (typeof content === 'object' && content !== null) return content;
  } catch {
    throw new EventKeysUnusable(file, `it is not JSON; ${shape}`);
  }
  throw new EventKeysUnusable(file, shape);
}

function keyOf(file: string, id: string, key: unknown): KeyObject {
  if (!KEY_ID.test(id)) {
    throw new EventKeysUnusable(
      file,
      'an id of a key is not 1 to 64 letters, digits, dots, underscores and hyphens long',
    );
  }
  if (typeof key !== 'string' || !BASE64_OF_A_KEY.test(key)) {
    throw new EventKeysUnusable(file, `the key ${id} is not ${KEY_BYTES} bytes in base64 (openssl rand -base64 32)`);
  }
  return createSecretKey(key, 'base64');
}
