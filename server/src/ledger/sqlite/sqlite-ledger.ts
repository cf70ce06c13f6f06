import type { Entry } from '../../stock/entry.ts';
import { decodeEntry } from '../../stock/entry-codec.ts';
import type { ImageOperation, RecordedHead } from '../../stock/stock-engine.ts';
import { ThreadClient } from '../../threads/thread-client.ts';
import {
  type FoundOperation,
  type Ledger,
  type LedgerIdentity,
  LedgerUnusable,
  type PartitionRecord,
  type RecordResult,
  type StoredEntry,
} from '../ledger.ts';
import type { DatabaseOptions } from './open-database.ts';

/** The embedded ledger: one SQLite file, written by one thread and read by another. */
export class SqliteLedger implements Ledger {
  readonly #writer: ThreadClient;
  readonly #reader: ThreadClient;

  private constructor(writer: ThreadClient, reader: ThreadClient) {
    this.#writer = writer;
    this.#reader = reader;
  }

  /** @throws LedgerUnusable with what is wrong and what to do about it. */
  static async open(file: string, options: DatabaseOptions = {}): Promise<SqliteLedger> {
    const writer = new ThreadClient(new URL('./ledger-thread.ts', import.meta.url), { file, options });
    try {
      await writer.call('open');
    } catch (error) {
      await writer.close();
      const { name, code, message } = error as { name: string; code?: string; message: string };
      throw name === 'LedgerUnusable' ? new LedgerUnusable(code ?? 'LEDGER_UNUSABLE', message) : error;
    }
    return new SqliteLedger(writer, new ThreadClient(new URL('./ledger-reader-thread.ts', import.meta.url), { file }));
  }

  identity(): Promise<LedgerIdentity> {
    return this.#writer.call('identity');
  }

  heads(): Promise<RecordedHead[]> {
    return this.#writer.call('heads');
  }

  openEpoch(heads: readonly RecordedHead[]): Promise<RecordedHead[]> {
    return this.#writer.call('openEpoch', heads);
  }

  async record(records: readonly PartitionRecord[]): Promise<RecordResult> {
    try {
      return await this.#writer.call<RecordResult>('record', records);
    } catch (error) {
      return { status: 'unknown', reason: (error as Error).message };
    }
  }

  entries(partition: number, afterSeq: number, limit: number): Promise<StoredEntry[]> {
    return this.#reader.call('entries', partition, afterSeq, limit);
  }

  async entry(partition: number, seq: number): Promise<Entry | null> {
    const [stored] = await this.entries(partition, seq - 1, 1);
    return stored === undefined || stored.seq !== seq ? null : decodeEntry(stored.body);
  }

  findOperations(hqId: string, operationIds: readonly string[]): Promise<FoundOperation[]> {
    return this.#reader.call('findOperations', hqId, operationIds);
  }

  operationsSince(partition: number, sinceMs: number, limit: number): Promise<ImageOperation[]> {
    return this.#reader.call('operationsSince', partition, sinceMs, limit);
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#writer.close();
  }
}
