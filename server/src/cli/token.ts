/** `holdfast token`: a JWT alone on stdout, notes on stderr. Asks neither a server nor the data. */
import { parseDuration } from '../access/durations.ts';
import type { Role } from '../access/roles.ts';
import { loadTokenKey, sharedTokenKey } from '../access/token-key.ts';
import { issueToken } from '../access/tokens.ts';
import { ID_PATTERN } from '../stock/identifiers.ts';
import { dataFolderOf, modeOf } from './configuration.ts';
import type { Environment } from './environment.ts';
import { UsageError } from './failures.ts';

export interface TokenOptions {
  role: Role;
  hq?: string;
  store?: string;
  subject?: string;
  ttl: string;
}

export async function printToken(options: TokenOptions, environment: Environment): Promise<void> {
  const { role, hq, store, subject, ttl } = options;
  const ttlMs = parseDuration(ttl);
  if (ttlMs === null)
    throw new UsageError(`--ttl is ${JSON.stringify(ttl)}, but it must be a duration such as 45s, 30m, 8h or 7d`);
  for (const [name, value] of Object.entries({ hq, store, subject })) checkId(name, value);
  if (role === 'pos' && store === undefined)
    throw new UsageError('a token of the role pos must name its store: --store STORE001');
  const grant = {
    role,
    hqId: hq ?? null,
    storeId: store ?? null,
    ttlMs,
    ...(subject === undefined ? {} : { subject }),
  };
  const token = await issueToken(tokenKey(environment), grant, Date.now());
  process.stdout.write(`${token}\n`);
  const place = [hq ?? 'every HQ', store].filter((part) => part !== undefined).join(', ');
  process.stderr.write(`${role} of ${place}, valid for ${ttl}\n`);
}

function checkId(name: string, value: string | undefined): void {
  if (value === undefined || new RegExp(ID_PATTERN).test(value)) return;
  throw new UsageError(`--${name} is ${JSON.stringify(value)}, but it must be 1 to 64 characters of A-Z a-z 0-9 . _ -`);
}

/** The key of this installation: in its data folder, or shared by its nodes. */
export function tokenKey(environment: Environment): Uint8Array {
  return modeOf(environment) === 'cluster'
    ? sharedTokenKey(environment.JWT_SECRET)
    : loadTokenKey(dataFolderOf(environment));
}
