import type { Entry } from '../../stock/entry.ts';
import { decodeEntry } from '../../stock/entry-codec.ts';
import type { ImageOperation, RecordedHead } from '../../stock/stock-engine.ts';
import { ThreadClient } from '../../threads/thread-client.ts';
import {
  type FoundOperation,
  type Ledger,
  LedgerConflict,
  type LedgerIdentity,
  LedgerUnusable,
  type PartitionRecord,
  type RecordResult,
  type StoredEntry,
} from '../ledger.ts';
import type { OpenedEpoch } from './ledger-thread.ts';
import type { DatabaseOptions } from './open-database.ts';
import { packRecords } from './packed-records.ts';

const MAINTAIN_EVERY_MS = 200;
/**
 * Pages in the write-ahead log (about 200 MB) past which the writer copies the rest itself: under unbroken load the
 * log begins anew only when nothing in it is left to copy at the moment of a commit.
 */
const LOG_PAGES_MAX = 50_000;

/** The threads of one ledger file: whoever keeps tables in it writes through the one and reads through the other. */
export interface LedgerThreads {
  writer: ThreadClient;
  reader: ThreadClient;
}

/** Operation ids in memory past which they are folded into their index. */
const YOUNG_OPERATIONS_MAX = 100_000;

/** The embedded ledger: one SQLite file, written by one thread, read by another, looked after by a third. */
export class SqliteLedger implements Ledger {
  readonly #writer: ThreadClient;
  readonly #reader: ThreadClient;
  readonly #maintainer: ThreadClient;
  readonly #timer: NodeJS.Timeout;
  #maintaining: Promise<void> | null = null;

  private constructor(writer: ThreadClient, file: string, onTrouble: (error: Error) => void) {
    this.#writer = writer;
    this.#reader = new ThreadClient(new URL('./ledger-reader-thread.ts', import.meta.url), { file });
    this.#maintainer = new ThreadClient(new URL('./ledger-maintenance-thread.ts', import.meta.url), { file });
    this.#timer = setInterval(() => {
      this.#maintaining ??= this.#maintain()
        .catch(onTrouble)
        .finally(() => {
          this.#maintaining = null;
        });
    }, MAINTAIN_EVERY_MS);
    this.#timer.unref();
  }

  /** What fails is tried again: pages are safe in the log, operation ids in the entries. */
  async #maintain(): Promise<void> {
    const pages = await this.#maintainer.call<number>('checkpoint');
    if (pages > LOG_PAGES_MAX) await this.#writer.call('checkpoint');
    const young = await this.#writer.call<number>('youngOperations');
    if (young > YOUNG_OPERATIONS_MAX) await this.#maintainer.call('foldOperations');
  }

  /**
   * `onTrouble` hears of upkeep that failed (checkpoints, the index of operation ids); it is tried again.
   * @throws LedgerUnusable with what is wrong and what to do about it.
   */
  static async open(
    file: string,
    options: DatabaseOptions = {},
    onTrouble: (error: Error) => void = () => undefined,
  ): Promise<SqliteLedger> {
    const writer = new ThreadClient(new URL('./ledger-thread.ts', import.meta.url), { file, options });
    try {
      await writer.call('open');
    } catch (error) {
      await writer.close();
      const { name, code, message } = error as { name: string; code?: string; message: string };
      throw name === 'LedgerUnusable' ? new LedgerUnusable(code ?? 'LEDGER_UNUSABLE', message) : error;
    }
    return new SqliteLedger(writer, file, onTrouble);
  }

  get threads(): LedgerThreads {
    return { writer: this.#writer, reader: this.#reader };
  }

  identity(): Promise<LedgerIdentity> {
    return this.#writer.call('identity');
  }

  heads(): Promise<RecordedHead[]> {
    return this.#writer.call('heads');
  }

  async openEpoch(heads: readonly RecordedHead[]): Promise<RecordedHead[]> {
    const result = await this.#writer.call<OpenedEpoch>('openEpoch', heads);
    if ('moved' in result) throw new LedgerConflict(result.moved);
    return result.opened;
  }

  readonly recordsAhead = true;

  async record(records: readonly PartitionRecord[], ahead = false): Promise<RecordResult> {
    try {
      return await this.#writer.call<RecordResult>('record', packRecords(records), ahead);
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
    return this.#writer.call('findOperations', hqId, operationIds);
  }

  async pendingUndos(): Promise<Entry[]> {
    const stored = await this.#writer.call<StoredEntry[]>('pendingUndos');
    return stored.map(({ body }) => decodeEntry(body));
  }

  seqBefore(partition: number, instantMs: number): Promise<number> {
    return this.#reader.call('seqBefore', partition, instantMs);
  }

  operations(partition: number, afterSeq: number, limit: number): Promise<ImageOperation[]> {
    return this.#reader.call('operations', partition, afterSeq, limit);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#maintaining;
    await this.#maintainer.close();
    await this.#reader.close();
    await this.#writer.close();
  }
}
