/** What the environment says of events of other services, and of the secrecy of payloads. */
import { resolve } from 'node:path';
import { type Environment, given, wrong } from './environment.ts';
import { UsageError } from './failures.ts';

const EARLY_EVENT_WAIT_MS_DEFAULT = '30000';
const WAIT_MS_MAX = 600_000;

export interface EventConfiguration {
  /** How long an event waits for the order that it speaks of. */
  earlyEventWaitMs: number;
  /** Absolute; null: payloads are plain. */
  keysFile: string | null;
  /** What becomes of plain messages where keys are configured. */
  plainMessages: 'accepted' | 'refused';
  /** Null: schemas are registered nowhere. A password may be in it. */
  schemaRegistryUrl: string | null;
}

/** @throws UsageError that names the variable and what it may be */
export function readEventConfiguration(environment: Environment): EventConfiguration {
  const keysFile = given(environment, 'EVENT_KEYS_FILE');
  return {
    earlyEventWaitMs: earlyEventWaitOf(environment),
    keysFile: keysFile === undefined ? null : resolve(keysFile),
    plainMessages: plainMessagesOf(environment, keysFile !== undefined),
    schemaRegistryUrl: registryOf(environment),
  };
}

function earlyEventWaitOf(environment: Environment): number {
  const value = given(environment, 'EARLY_EVENT_WAIT_MS') ?? EARLY_EVENT_WAIT_MS_DEFAULT;
  if (/^\d{1,6}$/.test(value) && Number(value) <= WAIT_MS_MAX) return Number(value);
  throw wrong('EARLY_EVENT_WAIT_MS', value, 'a whole number of milliseconds from 0 to 600000');
}

function plainMessagesOf(environment: Environment, hasKeys: boolean): 'accepted' | 'refused' {
  const value = given(environment, 'EVENT_PLAIN_MESSAGES') ?? 'accepted';
  if (value !== 'accepted' && value !== 'refused')
    throw wrong('EVENT_PLAIN_MESSAGES', value, 'accepted or refused (only what is encrypted is taken)');
  if (value === 'refused' && !hasKeys)
    throw new UsageError(
      'EVENT_PLAIN_MESSAGES is "refused", but EVENT_KEYS_FILE is not set: nothing that is encrypted could be read.',
    );
  return value;
}

function registryOf(environment: Environment): string | null {
  const value = given(environment, 'SCHEMA_REGISTRY_URL');
  if (value === undefined) return null;
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  // Without the value: a password may be in it.
  throw new UsageError(
    'SCHEMA_REGISTRY_URL must be of the form http[s]://[user:password@]host[:port][/path], where a registry speaks the Confluent API.',
  );
}
