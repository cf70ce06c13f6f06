import type { CommandExecutor, Execution } from '../../recording/command-executor.ts';
import type { Item } from '../../stock/commands.ts';
import type { Entry, Provenance } from '../../stock/entry.ts';
import { ON_HAND_MAX } from '../../stock/limits.ts';
import { isSuccess } from '../../stock/outcome.ts';
import type { StockEngine } from '../../stock/stock-engine.ts';
import type { Batch, CheckBatch } from './check-file.ts';
import type { Columns } from './columns.ts';
import { KnownIds } from './known-ids.ts';
import type { Refusal } from './refusals.ts';
import type { StockRow } from './rows.ts';
import type { SpoolChunk } from './spool.ts';
import { isId, shorten } from './values.ts';

/** Commands for one chunk: a new one for each time that rows refused before have become importable. */
const COMMANDS_PER_CHUNK_MAX = 100;

/** Nothing was done, or it cannot be told: the same chunk may be sent again. */
export class ImportUnavailable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ImportUnavailable';
  }
}

interface Received {
  imported: number;
  created: number;
  replayed: number;
  refused: Refusal | null;
}

/** Chunks of opening stock, each received by one command. */
export class StockChunks {
  readonly #executor: CommandExecutor;
  readonly #known: KnownIds;
  readonly #hqId: string;
  readonly #provenance: Provenance;

  constructor(parts: { executor: CommandExecutor; engine: StockEngine }, hqId: string, provenance: Provenance) {
    this.#executor = parts.executor;
    this.#known = new KnownIds(parts.engine, hqId);
    this.#hqId = hqId;
    this.#provenance = provenance;
  }

  /** Whether the store and the product of each row are known, and the level can take it. */
  checker(columns: Columns): CheckBatch<StockRow> {
    return async ({ rows }: Batch<StockRow>) => {
      const refused = new Map<number, Omit<Refusal, 'line'>>();
      for (let position = 0; position < rows.length; position += 1) {
        const row = rows[position] as StockRow;
        if (this.#known.remembers(row.storeId, row.productId)) continue;
        const refusal = await this.#check(row, columns);
        if (refusal !== null) refused.set(position, refusal);
      }
      return refused;
    };
  }

  async #check({ storeId, productId, quantity }: StockRow, columns: Columns): Promise<Omit<Refusal, 'line'> | null> {
    const [storeColumn, productColumn] = [columns.nameOf('storeId'), columns.nameOf('productId')];
    if (!isId(storeId)) return malformed(storeId, storeColumn);
    if (!isId(productId)) return malformed(productId, productColumn);
    switch (await this.#known.ask(storeId, productId, quantity)) {
      case 'known':
        return null;
      case 'product':
        return { code: 'UNKNOWN_PRODUCT', reason: `there is no product ${productId}`, column: productColumn };
      case 'store':
        return { code: 'UNKNOWN_STORE', reason: `there is no store ${storeId}`, column: storeColumn };
      case 'full': {
        const reason = `the level would hold more than ${ON_HAND_MAX}`;
        return { code: 'LEVEL_LIMIT', reason, column: columns.nameOf('quantity') };
      }
    }
  }

  /**
   * Receives the rows of one chunk. Its operation id names file and chunk, so a second attempt is answered with the
   * first one's entry; rows that were refused then and are accepted now follow under an id of their own.
   * @throws ImportUnavailable
   */
  async receive(rows: StockRow[], chunk: SpoolChunk, digest: string): Promise<Received> {
    const received: Received = { imported: 0, created: 0, replayed: 0, refused: null };
    let left = rows;
    for (let part = 0; part < COMMANDS_PER_CHUNK_MAX && left.length > 0; part += 1) {
      const operationId = `import:${digest}:${chunk.index}${part === 0 ? '' : `/${part}`}`;
      const { entry, replayed } = await this.#execute(left, operationId, digest);
      const missed = replayed ? rowsBeside(entry, left) : [];
      const count = left.length - missed.length;
      if (!isSuccess(entry.outcome)) {
        const reason = `this row and ${count - 1} more were refused together: ${JSON.stringify(entry.outcome)}`;
        received.refused = { line: chunk.line, code: 'LEVEL_LIMIT', reason };
      } else if (replayed) received.replayed += count;
      else received.imported += count;
      left = missed;
    }
    return received;
  }

  async #execute(items: Item[], operationId: string, digest: string) {
    const execution = await this.#executor.execute({
      ...this.#provenance,
      hqId: this.#hqId,
      operationId,
      // The id names the content, of which a second attempt may accept more rows.
      fingerprint: digest,
      command: { type: 'receive', items, reference: `import:${digest}` },
    });
    if (execution.status === 'recorded') return execution;
    throw refusedBecause(execution);
  }
}

function malformed(id: string, column: string): Omit<Refusal, 'line'> {
  const reason = `"${shorten(id)}" is no id: 1 to 64 letters, digits, ".", "_" or "-"`;
  return { code: 'INVALID_ID', reason, column };
}

/** Rows that the entry did not bring in. */
function rowsBeside(entry: Entry, rows: readonly StockRow[]): StockRow[] {
  if (entry.command.type !== 'receive') throw new Error(`entry ${entry.seq} bears the id of an import and is none`);
  const keys = new Set(entry.command.items.map(({ storeId, productId }) => `${storeId}/${productId}`));
  return rows.filter(({ storeId, productId }) => !keys.has(`${storeId}/${productId}`));
}

function refusedBecause(execution: Exclude<Execution, { status: 'recorded' }>): Error {
  switch (execution.status) {
    case 'unavailable':
      return new ImportUnavailable('the ledger takes no commands now');
    case 'unknown':
      return new ImportUnavailable('it cannot be told whether the last rows are recorded');
    case 'observed':
      // A store or a product cannot become unknown again, unless the ledger was replaced by an older one meanwhile.
      return new ImportUnavailable(`the stock has changed since the file was checked (${execution.outcome.status})`);
    case 'mismatch':
      return new Error('the operation id of an import belongs to another command');
  }
}
