#!/usr/bin/env node
import { CommanderError } from 'commander';
import { exitCodeOf, report } from './cli/failures.ts';
import { buildProgram } from './cli/program.ts';

try {
  await buildProgram(process.env).parseAsync();
} catch (error) {
  // Help and versions are asked for; all else that the parser throws it has already explained.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  report(error);
  process.exit(exitCodeOf(error));
}
