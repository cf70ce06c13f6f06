/**
 * Tokens: JWTs signed with HS256 under one key. The algorithm, the type, the issuer and the audience are fixed and
 * checked; nothing in a token's header chooses how it is verified.
 */
import { randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { ID_PATTERN } from '../stock/identifiers.ts';
import type { Caller } from './caller.ts';
import { isRole, type Role } from './roles.ts';

const ALGORITHM = 'HS256';
const TYPE = 'JWT';
const ISSUER = 'holdfast';
const AUDIENCE = 'holdfast';
const ID = new RegExp(ID_PATTERN);

/** Verified tokens that are remembered: a verification by WebCrypto costs more than all the rest of a request. */
const REMEMBERED_TOKENS_MAX = 8_192;
/** A longer one is not worth verifying: ours are below 500 characters. */
const TOKEN_LENGTH_MAX = 4_096;

export interface TokenGrant {
  role: Role;
  hqId: string | null;
  storeId: string | null;
  /** Who it is for; shown in the audit. Default: the role. */
  subject?: string;
  ttlMs: number;
}

export async function issueToken(key: Uint8Array, grant: TokenGrant, nowMs: number): Promise<string> {
  const scope = {
    ...(grant.hqId === null ? {} : { hq: grant.hqId }),
    ...(grant.storeId === null ? {} : { store: grant.storeId }),
  };
  return new SignJWT({ role: grant.role, ...scope })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(grant.subject ?? grant.role)
    .setJti(randomUUID())
    .setIssuedAt(Math.floor(nowMs / 1_000))
    .setExpirationTime(Math.ceil((nowMs + grant.ttlMs) / 1_000))
    .sign(key);
}

/** Verifies tokens; one that was verified before is answered at once, from memory. */
export class TokenVerifier {
  readonly #key: Uint8Array;
  readonly #now: () => number;
  /** Two generations: what is asked for again moves to the young one, the old one is dropped as a whole. */
  #young = new Map<string, Caller>();
  #old = new Map<string, Caller>();

  constructor(key: Uint8Array, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  /** The caller, or null when the token is not a valid one of ours. */
  verify(token: string): Caller | null | Promise<Caller | null> {
    const known = this.#young.get(token) ?? this.#fromOld(token);
    if (known === undefined) return token.length > TOKEN_LENGTH_MAX ? null : this.#verifyNew(token);
    return this.isCurrent(known) ? known : null;
  }

  /** The token that named this caller has not expired. */
  isCurrent(caller: Caller): boolean {
    return caller.expiresAt > this.#now();
  }

  #fromOld(token: string): Caller | undefined {
    const known = this.#old.get(token);
    if (known !== undefined) this.#remember(token, known);
    return known;
  }

  #remember(token: string, caller: Caller): void {
    if (this.#young.size >= REMEMBERED_TOKENS_MAX / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(token, caller);
  }

  async #verifyNew(token: string): Promise<Caller | null> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'jti', 'exp', 'role'],
        currentDate: new Date(this.#now()),
      });
      const caller = callerOf(payload);
      if (caller !== null) this.#remember(token, caller);
      return caller;
    } catch (error) {
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }
}

function callerOf(payload: Record<string, unknown>): Caller | null {
  const { sub, role, hq, store, exp } = payload;
  if (typeof sub !== 'string' || typeof exp !== 'number' || !isRole(role)) return null;
  if (!isScope(hq) || !isScope(store)) return null;
  return { subject: sub, role, hqId: hq ?? null, storeId: store ?? null, expiresAt: exp * 1_000 };
}

function isScope(claim: unknown): claim is string | undefined {
  return claim === undefined || (typeof claim === 'string' && ID.test(claim));
}
