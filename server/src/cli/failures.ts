/** Failures that a person can do something about: said in a line, without a stack. */

/** The command line, or the environment, was not used as it must be. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The command cannot be carried out, for a reason that is no fault of the program. */
export class CommandFailed extends Error {
  /** Of the error that a server answered, if one did. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.name = 'CommandFailed';
    this.code = code;
  }
}

/** By their names: to load the modules that throw them would make every command wait for them. */
const EXPECTED: ReadonlySet<string> = new Set([
  'UsageError',
  'CommandFailed',
  'InvalidHead',
  'UnknownProjection',
  'LedgerUnusable',
  'EngineUnusable',
  'WrongTopicSettings',
  'LedgerWentBack',
  'ProjectionsUnusable',
  'TokenKeyUnusable',
  'LockUnavailable',
  'EventKeysUnusable',
  'WrongRegistryUrl',
]);

export function report(error: unknown): void {
  process.stderr.write(`holdfast: ${textOf(error)}\n`);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return EXPECTED.has(error.name) ? error.message : (error.stack ?? error.message);
}

/** 2 for a wrong use, as shells have it; 1 for all else. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? 2 : 1;
}
