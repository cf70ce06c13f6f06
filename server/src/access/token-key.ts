/** The key that signs tokens: a random one in the data folder (embedded), or `JWT_SECRET` (cluster). */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const KEY_BYTES = 32;
const KEY_FILE = 'token.key';

/** What people paste from examples. A key that others know signs tokens for others. */
const SAMPLE_SECRETS = ['change-me', 'changeme', 'change_me', 'secret', 'your-secret', 'example', 'sample', 'default'];

/** There is no key to sign with, or not one that may be used. */
export class TokenKeyUnusable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'TokenKeyUnusable';
  }
}

/**
 * The key of a data folder, made when first needed. Several processes may ask at once: the file appears whole, by a
 * link that only one of them can make, and all read the same.
 * @throws TokenKeyUnusable
 */
export function loadTokenKey(dataFolder: string): Uint8Array {
  const file = join(dataFolder, KEY_FILE);
  try {
    const text = readIfThere(file) ?? create(dataFolder, file);
    const key = Buffer.from(text.trim(), 'hex');
    if (key.length === KEY_BYTES) return new Uint8Array(key);
  } catch (error) {
    throw new TokenKeyUnusable(`The signing key ${file} cannot be read or made (${(error as Error).message}).`);
  }
  throw new TokenKeyUnusable(
    `The signing key ${file} is damaged: it should hold ${KEY_BYTES} bytes in hexadecimal. Move it away to have a new one made; tokens signed with the old one end.`,
  );
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function create(dataFolder: string, file: string): string {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const draft = join(dataFolder, `.${KEY_FILE}.${process.pid}.${randomBytes(6).toString('hex')}`);
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
    fsyncSync(descriptor);
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    closeSync(descriptor);
    rmSync(draft, { force: true });
  }
  return readFileSync(file, 'utf8');
}

/**
 * The key of a cluster: every node is given the same.
 * @throws TokenKeyUnusable without one, with a sample value, or with fewer than 32 bytes.
 */
export function sharedTokenKey(secret: string | undefined): Uint8Array {
  const hint = 'Make one with: openssl rand -base64 48';
  if (secret === undefined || secret === '') throw new TokenKeyUnusable(`JWT_SECRET is not set. ${hint}`);
  const key = new TextEncoder().encode(secret);
  if (key.length < KEY_BYTES) {
    throw new TokenKeyUnusable(`JWT_SECRET has ${key.length} bytes; it needs at least ${KEY_BYTES}. ${hint}`);
  }
  if (isSample(secret)) throw new TokenKeyUnusable(`JWT_SECRET is a sample value that everybody knows. ${hint}`);
  return key;
}

/** A word of the documentation, whatever it is filled up with, or a few characters over and over. */
function isSample(secret: string): boolean {
  const plain = secret.toLowerCase();
  const named = SAMPLE_SECRETS.some((sample) => plain.includes(sample));
  return named || new Set(plain).size < 8;
}
