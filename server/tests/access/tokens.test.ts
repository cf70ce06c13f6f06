import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/access/durations.ts';
import { loadTokenKey, sharedTokenKey, TokenKeyUnusable } from '../../src/access/token-key.ts';
import { issueToken, TokenVerifier } from '../../src/access/tokens.ts';

const KEY = new Uint8Array(32).fill(7);
const HOUR_MS = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-access-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const grant = { role: 'pos', hqId: 'HQ001', storeId: 'STORE001', ttlMs: HOUR_MS } as const;

/** A token that is right but for what is changed. */
function crafted(change: { header?: object; claims?: object; key?: Uint8Array; without?: string }): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const claims: Record<string, unknown> = {
    sub: 'x',
    role: 'admin',
    jti: 'j',
    iss: 'holdfast',
    aud: 'holdfast',
    exp: now + 60,
    ...change.claims,
  };
  if (change.without !== undefined) delete claims[change.without];
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT', ...change.header }).sign(change.key ?? KEY);
}

describe('a token', () => {
  it('names its caller, at once when it was verified before', async () => {
    const verifier = new TokenVerifier(KEY, Date.now);
    const token = await issueToken(KEY, grant, Date.now());
    const first = verifier.verify(token);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toMatchObject({ subject: 'pos', role: 'pos', hqId: 'HQ001', storeId: 'STORE001' });
    expect(verifier.verify(token)).toMatchObject({ role: 'pos' });
  });

  it('ends, also one that is remembered', async () => {
    let nowMs = Date.now();
    const verifier = new TokenVerifier(KEY, () => nowMs);
    const token = await issueToken(KEY, grant, nowMs);
    expect(await verifier.verify(token)).not.toBeNull();
    nowMs += HOUR_MS + 2_000;
    expect(verifier.verify(token)).toBeNull();
    expect(await new TokenVerifier(KEY, () => nowMs).verify(token)).toBeNull();
  });

  it.each<[string, () => Promise<string> | string]>([
    ['nothing', () => ''],
    ['nonsense', () => 'a.b.c'],
    ['five megabytes', () => 'x'.repeat(5_000_000)],
    ['an unsigned one', () => new UnsecuredJWT({ sub: 'x', role: 'admin', jti: 'j' }).setIssuer('holdfast').encode()],
    ['another key', () => crafted({ key: new Uint8Array(32).fill(8) })],
    ['another algorithm', () => crafted({ header: { alg: 'HS512' }, key: new Uint8Array(64).fill(7) })],
    ['another type', () => crafted({ header: { typ: 'at+jwt' } })],
    ['another issuer', () => crafted({ claims: { iss: 'someone' } })],
    ['another audience', () => crafted({ claims: { aud: 'someone' } })],
    ['an unknown role', () => crafted({ claims: { role: 'root' } })],
    ['a role of the prototype', () => crafted({ claims: { role: 'constructor' } })],
    ['an HQ that is no id', () => crafted({ claims: { hq: 'a b' } })],
    ['an HQ that is no text', () => crafted({ claims: { hq: 7 } })],
    ['a store that is no text', () => crafted({ claims: { store: ['S'] } })],
    ['one without an end', () => crafted({ without: 'exp' })],
    ['one without a subject', () => crafted({ without: 'sub' })],
    ['one without an id', () => crafted({ without: 'jti' })],
    ['one without a role', () => crafted({ without: 'role' })],
    ['one that has ended', () => crafted({ claims: { exp: 1 } })],
    ['one that has not begun', () => crafted({ claims: { nbf: Math.floor(Date.now() / 1_000) + 600 } })],
  ])('is not accepted: %s', async (_what, make) => {
    expect(await new TokenVerifier(KEY, Date.now).verify(await make())).toBeNull();
  });

  it('changed in any place is not accepted', async () => {
    const token = await issueToken(KEY, grant, Date.now());
    const verifier = new TokenVerifier(KEY, Date.now);
    for (let at = 0; at < token.length - 1; at += 7) {
      const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
      expect(await verifier.verify(changed)).toBeNull();
    }
  });

  it('is forgotten when many others come, and accepted again', async () => {
    const verifier = new TokenVerifier(KEY, Date.now);
    const token = await issueToken(KEY, grant, Date.now());
    await verifier.verify(token);
    for (let index = 0; index < 9_000; index += 1) await verifier.verify(await issueToken(KEY, grant, Date.now()));
    expect(await verifier.verify(token)).toMatchObject({ role: 'pos' });
  });
});

describe('the key of a data folder', () => {
  it('is made once, whoever asks at the same time, and is for the owner alone', async () => {
    const path = join(folder, 'race');
    const module = new URL('../../src/access/token-key.ts', import.meta.url).href;
    const script = `import(${JSON.stringify(module)}).then((m) => process.stdout.write(Buffer.from(m.loadTokenKey(${JSON.stringify(path)})).toString('hex')))`;
    const runs = Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, ['-e', script]));
    const keys = (await Promise.all(runs)).map(({ stdout }) => stdout);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(path, 'token.key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(path)).toEqual(['token.key']);
  });

  it('that is damaged is not replaced behind anybody’s back', () => {
    const path = mkdtempSync(join(folder, 'damaged-'));
    writeFileSync(join(path, 'token.key'), 'short\n');
    expect(() => loadTokenKey(path)).toThrow(TokenKeyUnusable);
  });
});

describe('the key of a cluster', () => {
  it.each([
    ['none', undefined],
    ['an empty one', ''],
    ['a short one', 'x9f3k2Lq8ZmR4tYw'],
    ['a sample', 'change-me-change-me-change-me-change-me'],
    ['one character over and over', 'a'.repeat(64)],
  ])('is refused: %s', (_what, secret) => expect(() => sharedTokenKey(secret)).toThrow(/JWT_SECRET/));

  it('of 32 random bytes is taken', () => {
    expect(sharedTokenKey('q7Zk1vR9xW3mT5bN8cL2pF6hJ4dG0sYu')).toHaveLength(32);
  });
});

it.each([
  ['45s', 45_000],
  ['30m', 1_800_000],
  ['8h', 28_800_000],
  ['7d', 604_800_000],
  ['0h', null],
  ['8', null],
  ['8 h', null],
  ['-8h', null],
  ['999999d', null],
])('the duration %s', (text, ms) => expect(parseDuration(text)).toBe(ms));
