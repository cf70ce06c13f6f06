#!/usr/bin/env node
import { exitCodeOf, report } from './cli/failures.ts';
import { buildProgram } from './cli/program.ts';

try {
  await buildProgram(process.env).parseAsync();
} catch (error) {
  report(error);
  process.exit(exitCodeOf(error));
}
