/** Failures that a person can do something about: said in a line, without a stack. */
import { TokenKeyUnusable } from '../access/token-key.ts';
import { LedgerUnusable } from '../ledger/ledger.ts';
import { UnknownProjection } from '../projections/projections.ts';
import { InvalidHead } from '../reconciliation/verify.ts';
import { LedgerWentBack } from '../recording/restore.ts';
import { ConfigurationError } from './configuration.ts';

/** The command line was not used as it must be. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The command cannot be carried out, for a reason that is no fault of the program. */
export class CommandFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandFailed';
  }
}

const EXPECTED = [
  UsageError,
  CommandFailed,
  ConfigurationError,
  InvalidHead,
  UnknownProjection,
  LedgerUnusable,
  LedgerWentBack,
  TokenKeyUnusable,
];

export function report(error: unknown): void {
  process.stderr.write(`holdfast: ${textOf(error)}\n`);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return EXPECTED.some((kind) => error instanceof kind) ? error.message : (error.stack ?? error.message);
}

/** 2 for a wrong use, as shells have it; 1 for all else. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof ConfigurationError ? 2 : 1;
}
