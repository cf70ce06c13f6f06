/** What the environment says, checked: a wrong value names its variable and what it may be. */
import { resolve } from 'node:path';
import { type Environment, given, wrong } from './environment.ts';
import { readEventConfiguration } from './event-configuration.ts';

const PORT_DEFAULT = 8083;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const MODES = ['embedded', 'cluster'] as const;

type LogLevel = (typeof LOG_LEVELS)[number];
export type Mode = (typeof MODES)[number];

export interface Configuration {
  mode: Mode;
  host: string;
  port: number;
  /** Absolute. */
  dataFolder: string;
  logLevel: LogLevel;
  /** Log every request. */
  accessLog: boolean;
  /** Requests a second of one token subject; null: no limit. */
  rateLimit: number | null;
  /** How long an event of an order waits for what it speaks of. */
  earlyEventWaitMs: number;
}

/** @throws UsageError */
export function readConfiguration(environment: Environment): Configuration {
  return {
    mode: oneOf(environment, 'HOLDFAST_MODE', MODES, 'embedded'),
    host: hostOf(environment),
    port: portOf(environment),
    dataFolder: dataFolderOf(environment),
    logLevel: oneOf(environment, 'HOLDFAST_LOG', LOG_LEVELS, 'info'),
    accessLog: oneOf(environment, 'HOLDFAST_ACCESS_LOG', ['on', 'off'] as const, 'off') === 'on',
    rateLimit: rateLimitOf(environment),
    earlyEventWaitMs: readEventConfiguration(environment).earlyEventWaitMs,
  };
}

export function dataFolderOf(environment: Environment): string {
  return resolve(given(environment, 'HOLDFAST_DATA') ?? './data');
}

export function modeOf(environment: Environment): Mode {
  return oneOf(environment, 'HOLDFAST_MODE', MODES, 'embedded');
}

function oneOf<T extends string>(environment: Environment, variable: string, values: readonly T[], otherwise: T): T {
  const value = given(environment, variable);
  if (value === undefined) return otherwise;
  if ((values as readonly string[]).includes(value)) return value as T;
  throw wrong(variable, value, `one of ${values.join(', ')}`);
}

function portOf(environment: Environment): number {
  const value = given(environment, 'HOLDFAST_PORT');
  if (value === undefined) return PORT_DEFAULT;
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  throw wrong('HOLDFAST_PORT', value, 'a whole number from 0 (any free port) to 65535');
}

function rateLimitOf(environment: Environment): number | null {
  const value = given(environment, 'HOLDFAST_RATE_LIMIT') ?? 'off';
  if (value === 'off') return null;
  if (/^\d{1,6}$/.test(value) && Number(value) >= 1) return Number(value);
  throw wrong('HOLDFAST_RATE_LIMIT', value, '"off" or a whole number of requests a second, from 1 to 999999');
}

function hostOf(environment: Environment): string {
  const value = given(environment, 'HOLDFAST_HOST') ?? '127.0.0.1';
  if (/^[A-Za-z0-9._:%-]+$/.test(value)) return value;
  throw wrong('HOLDFAST_HOST', value, 'a host name or an address, such as 127.0.0.1 or 0.0.0.0');
}
