/**
 * The first pass over a file: every row is read and checked, and those that can be imported are spooled in chunks.
 * Nothing takes effect here.
 */
import { createHash } from 'node:crypto';
import { LINES_MAX } from '../../stock/limits.ts';
import { type ColumnMapping, type Columns, type ImportKind, resolveColumns } from './columns.ts';
import { CsvReader, CsvUnreadable, type RecordFault } from './csv-reader.ts';
import { type Refusal, type Refusals, ValueRefused } from './refusals.ts';
import type { RowFormat } from './rows.ts';
import { SeenKeys } from './seen-keys.ts';
import type { Spool } from './spool.ts';

/** Rows of one command or of one transaction of master data. */
const CHUNK_ROWS = LINES_MAX;
/** What is kept of each row while a file is looked through has its bound too. */
const ROWS_MAX = 10_000_000;

export interface Batch<Row> {
  index: number;
  rows: Row[];
  /** The line of each row. */
  lines: number[];
}

/** Rows that cannot be imported, by their position in the batch. */
export type CheckBatch<Row> = (batch: Batch<Row>) => Promise<Map<number, Omit<Refusal, 'line'>>>;

export interface CheckPlan<Row> {
  kind: ImportKind;
  mapping: ColumnMapping;
  format: (columns: Columns) => RowFormat<Row>;
  /** What must be asked of others, a batch at a time. */
  check: ((columns: Columns) => CheckBatch<Row>) | null;
  spool: Spool;
  refusals: Refusals;
  /** After each piece of the file. @throws when the import is to end. */
  onPiece: (rows: number) => void;
}

export interface CheckedFile {
  rows: number;
  /** Nothing of the file may be imported: it cannot be told into rows, or a column is missing. */
  unreadable: boolean;
  /** Names the bytes and how they were read. */
  digest: string;
}

export async function checkFile<Row>(source: AsyncIterable<Uint8Array>, plan: CheckPlan<Row>): Promise<CheckedFile> {
  const pass = new Pass(plan);
  const digest = createHash('sha256');
  let unreadable = false;
  try {
    for await (const bytes of source) {
      const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      digest.update(piece);
      pass.reader.push(piece);
      await pass.settle(false);
      plan.onPiece(pass.rows);
    }
    pass.end();
    await pass.settle(true);
  } catch (error) {
    if (!(error instanceof CsvUnreadable)) throw error;
    plan.refusals.add({ line: error.line, code: error.code, reason: error.message });
    unreadable = true;
  }
  await plan.spool.flush();
  digest.update(`\n${plan.kind}\n${pass.signature}`);
  return { rows: pass.rows, unreadable, digest: digest.digest('hex').slice(0, 32) };
}

class Pass<Row> {
  readonly reader = new CsvReader((fields, line, fault) => this.#record(fields, line, fault));
  rows = 0;
  readonly #plan: CheckPlan<Row>;
  readonly #seen = new SeenKeys();
  #columns: Columns | null = null;
  #format: RowFormat<Row> | null = null;
  #check: CheckBatch<Row> | null = null;
  #batch: Batch<Row> = { index: 0, rows: [], lines: [] };
  #full: Batch<Row>[] = [];

  constructor(plan: CheckPlan<Row>) {
    this.#plan = plan;
  }

  get signature(): string {
    return this.#columns?.signature ?? '';
  }

  end(): void {
    this.reader.end();
    if (this.#columns === null)
      throw new CsvUnreadable('EMPTY_FILE', 1, 'the file is empty: its first line must name its columns');
  }

  #record(fields: string[], line: number, fault: RecordFault | null): void {
    if (this.#format === null) {
      this.#header(fields, line, fault);
      return;
    }
    const index = Math.floor(this.rows / CHUNK_ROWS);
    if (index !== this.#batch.index) this.#nextBatch(index);
    this.rows += 1;
    if (this.rows > ROWS_MAX)
      throw new CsvUnreadable('TOO_MANY_ROWS', line, `the file has more than ${ROWS_MAX} rows; split it`);
    const refusal = fault ?? this.#row(this.#format, fields, line);
    if (refusal !== null) this.#plan.refusals.add({ line, ...refusal });
  }

  #header(fields: string[], line: number, fault: RecordFault | null): void {
    if (fault !== null) throw new CsvUnreadable(fault.code, line, fault.reason);
    this.#columns = resolveColumns(this.#plan.kind, fields, line, this.#plan.mapping);
    this.#format = this.#plan.format(this.#columns);
    this.#check = this.#plan.check?.(this.#columns) ?? null;
  }

  /** Takes the row into the batch, or says why not. */
  #row(format: RowFormat<Row>, fields: string[], line: number): Omit<Refusal, 'line'> | null {
    const { count } = this.#columns as Columns;
    if (fields.length !== count) {
      const reason = `this row has ${fields.length} ${fields.length === 1 ? 'value' : 'values'}, the header ${count}`;
      return { code: 'WRONG_FIELD_COUNT', reason };
    }
    let row: Row;
    try {
      row = format.read(fields);
    } catch (error) {
      if (!(error instanceof ValueRefused)) throw error;
      const { code, message: reason, column } = error;
      return column === undefined ? { code, reason } : { code, reason, column };
    }
    const { storeId, productId } = format.keyOf(row);
    const seenOn = this.#seen.add(storeId, productId, line);
    if (seenOn > 0) {
      const what = [storeId, productId].filter((id) => id !== '').join(' / ');
      return { code: 'DUPLICATE_ROW', reason: `${what} stands on line ${seenOn} already` };
    }
    this.#batch.rows.push(row);
    this.#batch.lines.push(line);
    return null;
  }

  #nextBatch(index: number): void {
    if (this.#batch.rows.length > 0) this.#full.push(this.#batch);
    this.#batch = { index, rows: [], lines: [] };
  }

  /** Checks and spools the batches that are full, at the end the last one too. */
  async settle(all: boolean): Promise<void> {
    if (all) this.#nextBatch(this.#batch.index + 1);
    const batches = this.#full;
    this.#full = [];
    for (const batch of batches) await this.#spool(batch);
  }

  async #spool(batch: Batch<Row>): Promise<void> {
    const refused = (await this.#check?.(batch)) ?? null;
    const format = this.#format as RowFormat<Row>;
    const texts: string[] = [];
    let firstLine = 0;
    for (let position = 0; position < batch.rows.length; position += 1) {
      const line = batch.lines[position] as number;
      const refusal = refused?.get(position);
      if (refusal !== undefined) {
        this.#plan.refusals.add({ line, ...refusal });
        continue;
      }
      if (firstLine === 0) firstLine = line;
      texts.push(format.encode(batch.rows[position] as Row));
    }
    if (texts.length > 0) await this.#plan.spool.append(batch.index, firstLine, texts);
  }
}
