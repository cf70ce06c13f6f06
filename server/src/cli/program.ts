/**
 * The commands and their options. What carries a command out is loaded when it is asked for: a token should not wait
 * for the modules of a server.
 */
import { Argument, Command, Option } from 'commander';
import { ROLES } from '../access/roles.ts';
import type { ImportKind } from '../catalog/import/columns.ts';
import { LETTER_STATUSES } from '../ordering/letters/dead-letters.ts';
import type { DlqAction, DlqOptions } from './dlq.ts';
import type { Environment } from './environment.ts';
import type { TailOptions } from './events.ts';
import type { ExportKind, ExportOptions } from './export.ts';
import type { ImportOptions } from './import.ts';
import type { LocksOptions } from './locks.ts';
import type { PartitionsOptions } from './partitions.ts';
import type { ServeOptions } from './serve.ts';
import type { TokenOptions } from './token.ts';
import type { VerifyOptions } from './verify.ts';

const TOKEN_TTL_DEFAULT = '8h';

export function buildProgram(environment: Environment): Command {
  const program = new Command('holdfast')
    .description('Stock reservation for shops and their headquarters')
    .version('0.1.0')
    .showHelpAfterError('(holdfast --help tells more)')
    // Taken over by the commands that are added after it: wrong use is thrown, so that it has one exit code.
    .exitOverride();
  addServe(program, environment);
  addToken(program, environment);
  addImport(program, environment);
  addExport(program, environment);
  addVerify(program, environment);
  addRebuild(program, environment);
  addDlq(program, environment);
  addLocks(program, environment);
  addPartitions(program, environment);
  addEvents(program, environment);
  return program;
}

function addServe(program: Command, environment: Environment): void {
  program
    .command('serve')
    .description('serve the API in the foreground, on HOLDFAST_PORT with the data in HOLDFAST_DATA')
    .option('--roles <roles>', 'in cluster mode, what this process does (HOLDFAST_ROLES; default: all)')
    .action(async (options: ServeOptions) => (await import('./serve.ts')).serve(environment, options));
}

function addToken(program: Command, environment: Environment): void {
  program
    .command('token')
    .description('print a token; works before the first start and while the server runs')
    .addOption(new Option('--role <role>', 'what it may do').choices([...ROLES]).makeOptionMandatory())
    .option('--hq <id>', 'the HQ that it sees; without, it sees every HQ')
    .option('--store <id>', 'the store that it sees; a token of the role pos must name one')
    .option('--subject <name>', 'whom it is for, as the audit shows it (default: the role)')
    .option('--ttl <duration>', 'how long it is valid: 30m, 8h, 7d', TOKEN_TTL_DEFAULT)
    .action(async (options: TokenOptions) => (await import('./token.ts')).printToken(options, environment));
}

function addImport(program: Command, environment: Environment): void {
  program
    .command('import')
    .addArgument(new Argument('<kind>', 'what the file holds').choices(['stores', 'products', 'stock']))
    .argument('<file>', 'a CSV file; - for stdin')
    .description('stores, products or opening stock from CSV; the same file again has no second effect')
    .requiredOption('--hq <id>', 'the HQ that they belong to')
    .option('--map <columns>', 'which column holds what: "Store_ID=storeId,…"; usual names need none', '')
    .addOption(
      new Option('--on-error <what>', 'a refused row stops all, or is skipped')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .action(async (kind: ImportKind, file: string, options: ImportOptions) =>
      (await import('./import.ts')).importFile(environment, kind, file, options),
    );
}

function addExport(program: Command, environment: Environment): void {
  program
    .command('export')
    .addArgument(new Argument('<kind>', 'what to export').choices(['stock', 'movements']))
    .description('levels or movements as CSV')
    .requiredOption('--hq <id>', 'the HQ')
    .option('--store <id>', 'only this store')
    .option('--output <file>', 'a file to write to; stdout without')
    .action(async (kind: ExportKind, options: ExportOptions) =>
      (await import('./export.ts')).exportCsv(environment, kind, options),
    );
}

function addVerify(program: Command, environment: Environment): void {
  program
    .command('verify')
    .description('walk the chain of entries and prove that projections and engine agree with it')
    .option('--head <partition:seq:hash>', 'a head that was written down elsewhere: the chain must run through it')
    .option('--json', 'print the report as JSON')
    .action(async (options: VerifyOptions) => (await import('./verify.ts')).verify(environment, options));
}

function addRebuild(program: Command, environment: Environment): void {
  program
    .command('rebuild')
    .argument('[projection]', 'the projection to build anew; all of them without')
    .description('build projections anew from the entries, then switch to them')
    .action(async (projection: string | undefined) => (await import('./rebuild.ts')).rebuild(environment, projection));
}

function addDlq(program: Command, environment: Environment): void {
  program
    .command('dlq')
    .addArgument(new Argument('<action>', 'what to do').choices(['list', 'show', 'redrive', 'drop']))
    .argument('[id]', 'the letter')
    .description('messages that could not be handled: list them, show one, handle it again, give it up')
    .option('--topic <topic>', 'only letters of this topic')
    .option('--key <key>', 'only letters of this key')
    .addOption(new Option('--status <status>', 'list only letters of this status').choices([...LETTER_STATUSES]))
    .option('--limit <count>', 'list at most so many, the newest (default: 50)')
    .option('--all', 'redrive every parked letter, the oldest first')
    .option('--json', 'print JSON')
    .action(async (action: DlqAction, id: string | undefined, options: DlqOptions) =>
      (await import('./dlq.ts')).dlq(environment, { action, id, ...options }),
    );
}

function addLocks(program: Command, environment: Environment): void {
  program
    .command('locks')
    .description('show who holds which lock')
    .option('--json', 'print them as JSON')
    .action(async (options: LocksOptions) => (await import('./locks.ts')).showLocks(environment, options));
}

function addPartitions(program: Command, environment: Environment): void {
  program
    .command('partitions')
    .addArgument(new Argument('[action]', 'what to do').choices(['list', 'resume']).default('list', 'list'))
    .argument('[partition]', 'the partition that goes on from the ledger as it is, or all that wait')
    .description('show who records which partition, and let one that waits for an operator go on')
    .option('--json', 'print them as JSON')
    .action(async (action: 'list' | 'resume', partition: string | undefined, options: PartitionsOptions) =>
      (await import('./partitions.ts')).partitions(environment, { action, partition, ...options }),
    );
}

function addEvents(program: Command, environment: Environment): void {
  program
    .command('events')
    .addArgument(new Argument('<action>', 'what to do').choices(['tail']))
    .description('follow what happens to stock, or what comes in over Kafka, a line for each event')
    .option(
      '--topic <topic>',
      'only events of this type: stock.updated, …; or what comes in from others: order.placed, …',
    )
    .option('--hq <id>', 'only those of this HQ')
    .option('--since <when>', 'begin so long ago (30m, 8h, 7d) or at an instant; without, now')
    .option('--json', 'print each event whole, as a line of JSON')
    .action(async (_action: 'tail', options: TailOptions) =>
      (await import('./events.ts')).tailEvents(environment, options),
    );
}
