import { UsageError } from './failures.ts';

const PORT_MAX = 65_535;

export type Environment = Record<string, string | undefined>;

/** A variable that is set to nothing is not set. */
export function given(environment: Environment, variable: string): string | undefined {
  const value = environment[variable];
  return value === undefined || value === '' ? undefined : value;
}

export function wrong(variable: string, value: string, mayBe: string): UsageError {
  return new UsageError(`${variable} is ${JSON.stringify(value)}, but it must be ${mayBe}.`);
}

export function isRedisUrl(text: string): boolean {
  return URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol);
}

export function isTlsUrl(url: string): boolean {
  return new URL(url).protocol === 'rediss:';
}

export interface HostAndPort {
  host: string;
  port: number;
}

/** @throws UsageError */
export function hostAndPort(variable: string, value: string, portDefault: string): HostAndPort {
  const [, host, port = portDefault] = /^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(value) ?? [];
  if (host !== undefined && Number(port) <= PORT_MAX) return { host, port: Number(port) };
  throw wrong(variable, value, `host:port, several joined by commas, such as localhost:${portDefault}`);
}

/** @throws UsageError */
export function portOf(environment: Environment, variable: string, otherwise: number): number {
  const value = given(environment, variable);
  if (value === undefined) return otherwise;
  if (/^\d{1,5}$/.test(value) && Number(value) > 0 && Number(value) <= PORT_MAX) return Number(value);
  throw wrong(variable, value, 'a port from 1 to 65535');
}
