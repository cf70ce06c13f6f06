/** `holdfast import`: stores, products or opening stock from a CSV file; ends with the counts. */
import { createReadStream, mkdirSync, statSync } from 'node:fs';
import type { RunningApplication } from '../application.ts';
import { type ColumnMapping, type ImportKind, InvalidMapping, parseMapping } from '../catalog/import/columns.ts';
import { ImportInterrupted, type ImportProgress, type ImportReport, importCsv } from '../catalog/import/import-csv.ts';
import type { Provenance } from '../stock/entry.ts';
import { ID_PATTERN } from '../stock/identifiers.ts';
import { dataFolderOf } from './configuration.ts';
import type { Environment } from './environment.ts';
import { CommandFailed, UsageError } from './failures.ts';
import { COMMAND_LINE, type ServerClient, withInstallation } from './installation.ts';
import { ProgressBar } from './progress.ts';

/** Elsewhere than on a terminal, progress is a line now and then. */
const LINE_EVERY_MS = 2_000;

/** Refused rows that are shown; the HTTP report tells a thousand. */
const REFUSALS_SHOWN_MAX = 100;

export interface ImportOptions {
  hq: string;
  map: string;
  onError: 'stop' | 'skip';
}

export function importFile(
  environment: Environment,
  kind: ImportKind,
  file: string,
  options: ImportOptions,
): Promise<void> {
  return new ImportCommand(environment, kind, file, options).run();
}

class ImportCommand {
  readonly #environment: Environment;
  readonly #kind: ImportKind;
  readonly #file: string;
  readonly #options: ImportOptions;
  readonly #mapping: ColumnMapping;
  readonly #stop = new AbortController();
  readonly #progress: ImportProgressShown;

  /** @throws UsageError */
  constructor(environment: Environment, kind: ImportKind, file: string, options: ImportOptions) {
    if (!new RegExp(ID_PATTERN).test(options.hq))
      throw new UsageError(
        `--hq is ${JSON.stringify(options.hq)}, but it must be 1 to 64 characters of A-Z a-z 0-9 . _ -`,
      );
    this.#environment = environment;
    this.#kind = kind;
    this.#file = file;
    this.#options = options;
    this.#mapping = mappingOf(kind, options.map);
    this.#progress = new ImportProgressShown(sizeOf(file));
  }

  /** Exits with 1 when any row was refused. */
  async run(): Promise<void> {
    const stop = () => this.#stop.abort();
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const signal of signals) process.once(signal, stop);
    // The first import makes the installation, as the first start does.
    mkdirSync(dataFolderOf(this.#environment), { recursive: true, mode: 0o700 });
    try {
      const report = await withInstallation(this.#environment, {
        throughServer: (client) => this.#send(client),
        onData: (application) => this.#import(application),
      });
      this.#progress.end();
      print(report, this.#file);
      if (!report.applied || report.skipped > 0) process.exitCode = 1;
    } finally {
      this.#progress.end();
      for (const signal of signals) process.off(signal, stop);
    }
  }

  async #import({ masterData, executor, engine, now, spoolFolder }: RunningApplication): Promise<ImportReport> {
    const provenance: Provenance = {
      actor: { subject: COMMAND_LINE, role: 'admin' },
      origin: 'import',
      correlationId: `import-${now()}`,
      causationId: null,
    };
    try {
      return await importCsv(
        { masterData, executor, engine, now, spoolFolder },
        {
          kind: this.#kind,
          hqId: this.#options.hq,
          source: this.#read(),
          onError: this.#options.onError,
          mapping: this.#mapping,
          provenance,
          signal: this.#stop.signal,
          onProgress: (progress) => this.#progress.show(progress),
        },
      );
    } catch (error) {
      throw error instanceof ImportInterrupted ? new CommandFailed(`${error.message}.`) : error;
    }
  }

  async #send(client: ServerClient): Promise<ImportReport> {
    const query = new URLSearchParams({ hqId: this.#options.hq, onError: this.#options.onError });
    if (this.#options.map !== '') query.set('map', this.#options.map);
    try {
      return await client.upload<ImportReport, ImportProgress>(
        `/api/v1/admin/import/${this.#kind}?${query}`,
        this.#read(),
        (progress) => this.#progress.show(progress),
        this.#stop.signal,
      );
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
      throw new CommandFailed(
        this.#progress.importing
          ? 'The server has the file and imports the rest of it; the same command again tells how it ended.'
          : 'The import was stopped; nothing was imported.',
      );
    }
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    const source = this.#file === '-' ? process.stdin : createReadStream(this.#file);
    try {
      for await (const piece of source) {
        this.#progress.read((piece as Buffer).length);
        yield piece as Buffer;
      }
    } catch (error) {
      throw new CommandFailed(`${this.#file} cannot be read: ${(error as Error).message}`);
    }
  }
}

function mappingOf(kind: ImportKind, text: string): ColumnMapping {
  try {
    return parseMapping(kind, text);
  } catch (error) {
    throw error instanceof InvalidMapping ? new UsageError(`--map: ${error.message}`) : error;
  }
}

/** Null: it cannot be told beforehand. @throws UsageError */
function sizeOf(file: string): number | null {
  if (file === '-') return null;
  try {
    const found = statSync(file);
    if (found.isDirectory()) throw new Error('it is a folder');
    return found.isFile() ? found.size : null;
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** First the bytes that are read and checked, then the rows that are imported. */
class ImportProgressShown {
  readonly #bytesTotal: number | null;
  readonly #checking = new ProgressBar('checking ');
  readonly #importing = new ProgressBar('importing');
  #bytes = 0;
  #lineAt = Date.now();
  importing = false;

  constructor(bytesTotal: number | null) {
    this.#bytesTotal = bytesTotal;
  }

  read(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytesTotal !== null && !this.importing)
      this.#checking.show({ done: this.#bytes, total: this.#bytesTotal });
  }

  show({ phase, rows, total }: ImportProgress): void {
    if (phase === 'importing' && total !== null) {
      if (!this.importing) this.#checking.end();
      this.importing = true;
      this.#importing.show({ done: rows, total });
    }
    if (process.stderr.isTTY || Date.now() - this.#lineAt < LINE_EVERY_MS) return;
    this.#lineAt = Date.now();
    process.stderr.write(total === null ? `${phase} row ${rows}\n` : `${phase} row ${rows} of ${total}\n`);
  }

  end(): void {
    (this.importing ? this.#importing : this.#checking).end();
  }
}

function print(report: ImportReport, file: string): void {
  const { refused, skipped, applied, rows, kind } = report;
  for (const { line, reason, column } of refused.slice(0, REFUSALS_SHOWN_MAX))
    process.stderr.write(`${file}:${line}: ${column === undefined ? '' : `${column}: `}${reason}\n`);
  if (skipped > REFUSALS_SHOWN_MAX)
    process.stderr.write(`… and ${skipped - REFUSALS_SHOWN_MAX} refused rows more
`);
  if (!applied) {
    process.stdout.write(`${kind}: nothing imported; ${skipped} of ${rows} rows refused\n`);
    return;
  }
  const counts = [`${report.imported} imported`];
  if (report.created > 0 && report.created < report.imported) counts[0] += ` (${report.created} new)`;
  if (report.replayed > 0) counts.push(`${report.replayed} were in already, from this same file`);
  if (skipped > 0) counts.push(`${skipped} refused`);
  process.stdout.write(`${kind}: ${rows} rows, ${counts.join(', ')}\n`);
}
