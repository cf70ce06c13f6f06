/**
 * Imports stores, products or opening stock from CSV, in two passes: the whole file is checked and spooled first, so
 * that with `onError: 'stop'` either all of it is imported or nothing. An import that is cut short in its second pass
 * (a signal, a kill, a full disk) is completed by sending the same file again: what is in already is known by the
 * operation ids of its chunks, which name the file's content. The same file sent again later is a replay.
 *
 * Opening stock is received: it adds to what a location has. A row of zero makes its level known and adds nothing.
 */
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises';
import type { CommandExecutor } from '../../recording/command-executor.ts';
import type { Provenance } from '../../stock/entry.ts';
import type { StockEngine } from '../../stock/stock-engine.ts';
import { CatalogUnavailable, type MasterChange, type Product, type Store } from '../catalog.ts';
import { type MasterData, NotConfigured } from '../master-data.ts';
import { type CheckBatch, checkFile } from './check-file.ts';
import type { ColumnMapping, Columns, ImportKind } from './columns.ts';
import { type Refusal, Refusals } from './refusals.ts';
import { productRows, type RowFormat, stockRows, storeRows } from './rows.ts';
import { removeLeftSpools, Spool, type SpoolChunk } from './spool.ts';
import { ImportUnavailable, StockChunks } from './stock-chunks.ts';

/** Chunks under way at once: enough that every commit finds work waiting, few enough that others get their turn. */
const CHUNKS_IN_FLIGHT = 8;
const RETRY_MS_FIRST = 50;
const RETRY_MS_MAX = 1_000;
const RETRIES_MAX = 30;

export interface ImportParts {
  masterData: MasterData;
  executor: CommandExecutor;
  engine: StockEngine;
  now: () => number;
  /** Where checked rows wait on disk; files that killed imports left there are removed. */
  spoolFolder: string;
}

export interface ImportProgress {
  phase: 'checking' | 'importing';
  rows: number;
  /** Rows in all; null while that is not known. */
  total: number | null;
}

export interface ImportRequest {
  kind: ImportKind;
  hqId: string;
  source: AsyncIterable<Uint8Array>;
  /** `stop`: one refused row, and nothing is imported. `skip`: the other rows are. */
  onError: 'stop' | 'skip';
  mapping: ColumnMapping;
  provenance: Provenance;
  onProgress?: (progress: ImportProgress) => void;
  /** Ends the import between two chunks. */
  signal?: AbortSignal;
}

export interface ImportReport {
  kind: ImportKind;
  hqId: string;
  /** False: nothing was imported, because a row was refused under `stop`, or the file could not be read. */
  applied: boolean;
  /** Rows below the header. */
  rows: number;
  /** Rows that this import brought in; stores and products that were there were replaced. */
  imported: number;
  /** Stores or products that are new. */
  created: number;
  /** Rows that an earlier import of the same file had brought in. */
  replayed: number;
  /** Rows that were refused; `refused` tells the first thousand of them. */
  skipped: number;
  refused: Refusal[];
}

/** The import ended before its end; what was imported stays, and the same file goes on from there. */
export class ImportInterrupted extends Error {
  readonly imported: number;
  readonly rows: number | null;

  constructor(cause: string, imported: number, rows: number | null) {
    super(
      rows === null
        ? `${cause}; nothing was imported`
        : `${cause}; ${imported} of ${rows} rows are imported. Import the same file again to go on: no row counts twice`,
    );
    this.name = 'ImportInterrupted';
    this.imported = imported;
    this.rows = rows;
  }
}

/** @throws ImportInterrupted */
export async function importCsv(parts: ImportParts, request: ImportRequest): Promise<ImportReport> {
  switch (request.kind) {
    case 'stores':
      return new Import(parts, request, storeRows, null, importStores).run();
    case 'products':
      return new Import(parts, request, productRows, null, importProducts).run();
    case 'stock': {
      const chunks = new StockChunks(parts, request.hqId, request.provenance);
      const check = (columns: Columns) => chunks.checker(columns);
      return new Import(parts, request, stockRows, check, (_, rows, chunk, digest) =>
        chunks.receive(rows, chunk, digest),
      ).run();
    }
  }
}

interface ChunkResult {
  imported: number;
  created: number;
  replayed: number;
  refused: Refusal | null;
}

type ImportChunk<Row> = (
  importing: Import<Row>,
  rows: Row[],
  chunk: SpoolChunk,
  digest: string,
) => Promise<ChunkResult>;

async function importStores({ parts, change }: Import<Store>, rows: Store[]): Promise<ChunkResult> {
  return countCreated(await parts.masterData.putStores(change, rows));
}

async function importProducts({ parts, change }: Import<Product>, rows: Product[]): Promise<ChunkResult> {
  return countCreated(await parts.masterData.putProducts(change, rows));
}

function countCreated(puts: readonly { created: boolean }[]): ChunkResult {
  return { imported: puts.length, created: puts.filter(({ created }) => created).length, replayed: 0, refused: null };
}

class Import<Row> {
  readonly parts: ImportParts;
  readonly #request: ImportRequest;
  readonly #format: (columns: Columns) => RowFormat<Row>;
  readonly #check: ((columns: Columns) => CheckBatch<Row>) | null;
  readonly #importChunk: ImportChunk<Row>;
  readonly #refusals = new Refusals();
  readonly #done = { imported: 0, created: 0, replayed: 0 };
  /** Of this file; null until its header is read. */
  #rows: RowFormat<Row> | null = null;

  constructor(
    parts: ImportParts,
    request: ImportRequest,
    format: (columns: Columns) => RowFormat<Row>,
    check: ((columns: Columns) => CheckBatch<Row>) | null,
    importChunk: ImportChunk<Row>,
  ) {
    this.parts = parts;
    this.#request = request;
    this.#format = format;
    this.#check = check;
    this.#importChunk = importChunk;
  }

  get change(): MasterChange {
    return { hqId: this.#request.hqId, provenance: this.#request.provenance, at: this.parts.now() };
  }

  async run(): Promise<ImportReport> {
    const { kind, hqId, onError } = this.#request;
    await removeLeftSpools(this.parts.spoolFolder);
    const spool = await Spool.create(this.parts.spoolFolder);
    try {
      const { rows, unreadable, digest } = await this.#checkAll(spool);
      const applied = !unreadable && (onError === 'skip' || this.#refusals.count === 0);
      if (applied) await this.#importAll(spool, rows, digest);
      const { count: skipped } = this.#refusals;
      return { kind, hqId, applied, rows, ...this.#done, skipped, refused: this.#refusals.inOrder() };
    } finally {
      await spool.remove();
    }
  }

  #checkAll(spool: Spool) {
    const { kind, mapping, source, onProgress, signal } = this.#request;
    return checkFile(source, {
      kind,
      mapping,
      format: (columns) => {
        this.#rows = this.#format(columns);
        return this.#rows;
      },
      check: this.#check,
      spool,
      refusals: this.#refusals,
      onPiece: (rows) => {
        if (signal?.aborted) throw new ImportInterrupted('the import was stopped', 0, null);
        onProgress?.({ phase: 'checking', rows, total: null });
      },
    });
  }

  /** The chunks in order, several under way at once; after a failure no new one is begun. */
  async #importAll(spool: Spool, rows: number, digest: string): Promise<void> {
    const { signal, onProgress } = this.#request;
    let next = 0;
    let failure: unknown = null;
    const work = async () => {
      while (failure === null && !signal?.aborted && next < spool.chunks.length) {
        const chunk = spool.chunks[next] as SpoolChunk;
        next += 1;
        // A commit sets several chunks going at once; whoever else waits for this thread comes in between them.
        await immediate();
        try {
          const chunkRows = (this.#rows as RowFormat<Row>).decode(await spool.read(chunk));
          this.#add(await this.#persist(chunkRows, chunk, digest));
        } catch (error) {
          failure ??= error;
        }
        onProgress?.({ phase: 'importing', rows: this.#rowsDone(), total: rows });
      }
    };
    await Promise.all(Array.from({ length: CHUNKS_IN_FLIGHT }, work));
    if (failure !== null && !isPassing(failure)) throw failure;
    if (failure === null && next >= spool.chunks.length) return;
    const cause = failure === null ? 'the import was stopped' : (failure as Error).message;
    throw new ImportInterrupted(cause, this.#done.imported + this.#done.replayed, rows);
  }

  #rowsDone(): number {
    return this.#done.imported + this.#done.replayed + this.#refusals.count;
  }

  #add({ imported, created, replayed, refused }: ChunkResult): void {
    this.#done.imported += imported;
    this.#done.created += created;
    this.#done.replayed += replayed;
    if (refused !== null) this.#refusals.add(refused);
  }

  /** Whatever passes by itself (a full queue, a busy disk) is waited for, within a bound. */
  async #persist(rows: Row[], chunk: SpoolChunk, digest: string): Promise<ChunkResult> {
    let waitMs = RETRY_MS_FIRST;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#importChunk(this, rows, chunk, digest);
      } catch (error) {
        if (!isPassing(error) || attempt >= RETRIES_MAX || this.#request.signal?.aborted) throw error;
        await delay(waitMs);
        waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof ImportUnavailable || error instanceof CatalogUnavailable || error instanceof NotConfigured;
}
