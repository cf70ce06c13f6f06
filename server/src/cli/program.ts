import { Command } from 'commander';
import type { Environment } from './configuration.ts';
import { addExportCommand } from './export.ts';
import { addImportCommand } from './import.ts';
import { addRebuildCommand } from './rebuild.ts';
import { addServeCommand } from './serve.ts';
import { addTokenCommand } from './token.ts';
import { addVerifyCommand } from './verify.ts';

export function buildProgram(environment: Environment): Command {
  const program = new Command('holdfast')
    .description('Stock reservation for shops and their headquarters')
    .version('0.1.0')
    .showHelpAfterError('(holdfast --help tells more)')
    // 2 for a wrong use, as shells have it.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  addServeCommand(program, environment);
  addTokenCommand(program, environment);
  addImportCommand(program, environment);
  addExportCommand(program, environment);
  addVerifyCommand(program, environment);
  addRebuildCommand(program, environment);
  return program;
}
