import { UsageError } from './failures.ts';

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
