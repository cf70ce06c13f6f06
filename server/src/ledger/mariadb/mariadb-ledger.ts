import type { Entry } from '../../stock/entry.ts';
import { decodeEntry } from '../../stock/entry-codec.ts';
import { type SharedHead, startMark } from '../../stock/shared-engine.ts';
import type { ImageOperation, RecordedHead } from '../../stock/stock-engine.ts';
import { type FoundOperation, LedgerConflict, type LedgerIdentity, type StoredEntry, undoIdOf } from '../ledger.ts';
import type { Evidence, RecordedPlace, SharedLedger, SharedRecord, SharedRecordResult } from '../shared-ledger.ts';
import { readEntries } from './entry-reads.ts';
import { EntryRecording, moveCursors } from './entry-recording.ts';
import type { MariadbAccess } from './mariadb-pool.ts';
import { transact } from './mariadb-transaction.ts';
import { insertRows } from './multi-row-insert.ts';
import { type MariadbConnections, openMariadb } from './open-mariadb.ts';

const IDS_PER_READ = 500;

const EVIDENCE = {
  table: 'evidence',
  columns: ['partition_id', 'epoch', 'seq', 'at', 'reason', 'body'],
  longest: 5,
};

const HEAD_FIELDS = 'partition_id as `partition`, epoch, seq, hash, mark, at';

/**
 * The ledger of a cluster: one database that any number of processes record into and read from, always on its primary.
 * Every call ends within seconds, also when the database is away (`LedgerUnavailable`); it is tried anew by the next.
 */
export class MariadbLedger implements SharedLedger {
  readonly connections: MariadbConnections;
  readonly #recording: EntryRecording;

  private constructor(connections: MariadbConnections) {
    this.connections = connections;
    this.#recording = new EntryRecording(connections.writer, (hqId, ids) => this.findOperations(hqId, ids));
  }

  /** @throws LedgerUnusable with what is wrong and what to do about it */
  static async open(access: MariadbAccess): Promise<MariadbLedger> {
    return new MariadbLedger(await openMariadb(access));
  }

  async identity(): Promise<LedgerIdentity> {
    const [row] = await this.#read<LedgerIdentity>(
      'select installation_id as installationId, created_at as createdAt from installation',
    );
    return row as LedgerIdentity;
  }

  heads(): Promise<SharedHead[]> {
    return this.#read(`select ${HEAD_FIELDS} from cursors order by partition_id`);
  }

  async headsOf(partitions: readonly number[]): Promise<SharedHead[]> {
    if (partitions.length === 0) return [];
    const places = partitions.map(() => '?').join(', ');
    return this.#read(
      `select ${HEAD_FIELDS} from cursors where partition_id in (${places}) order by partition_id`,
      partitions,
    );
  }

  /**
   * When it is not known whether the new epoch was committed, it fails: whoever opens one must be the only one to
   * have opened it, so the next attempt opens the one after it.
   */
  openEpoch(heads: readonly RecordedHead[]): Promise<SharedHead[]> {
    const opened = heads.map((head) => {
      const epoch = head.epoch + 1;
      const { partition, seq, hash, at } = head;
      return { partition, epoch, seq, hash, at, mark: startMark(epoch, hash) };
    });
    const moves = heads.map((from, index) => ({ from, to: opened[index] as SharedHead }));
    moves.sort((one, other) => one.to.partition - other.to.partition);
    return transact(this.connections.writer, async (connection) => {
      const moved = await moveCursors(connection, moves);
      if (moved.length > 0) throw new LedgerConflict(moved);
      return opened;
    });
  }

  async record(records: readonly SharedRecord[]): Promise<SharedRecordResult> {
    return this.#recording.record(records);
  }

  entries(partition: number, afterSeq: number, limit: number): Promise<StoredEntry[]> {
    return readEntries(this.connections.reader, { partition, afterSeq, limit });
  }

  async entry(partition: number, seq: number): Promise<Entry | null> {
    const [stored] = await this.#read<{ body: string }>('select body from entries where partition_id = ? and seq = ?', [
      partition,
      seq,
    ]);
    return stored === undefined ? null : decodeEntry(stored.body);
  }

  async recordedAt(partition: number, seq: number): Promise<RecordedPlace | null> {
    const [place] = await this.#read<RecordedPlace>(
      'select epoch, mark, duplicate_of as duplicateOf from entries where partition_id = ? and seq = ?',
      [partition, seq],
    );
    return place ?? null;
  }

  async findOperations(hqId: string, operationIds: readonly string[]): Promise<FoundOperation[]> {
    const found: FoundOperation[] = [];
    for (let from = 0; from < operationIds.length; from += IDS_PER_READ) {
      const ids = operationIds.slice(from, from + IDS_PER_READ);
      found.push(
        ...(await this.#read<FoundOperation>(
          `select hq_id as hqId, operation_id as operationId, partition_id as \`partition\`, seq, fingerprint
           from entries where hq_id = ? and operation_id in (${ids.map(() => '?').join(', ')})`,
          [hqId, ...ids],
        )),
      );
    }
    return found;
  }

  async pendingUndos(): Promise<Entry[]> {
    const duplicates = await this.#read<{ partition: number; seq: number; hqId: string }>(
      `select partition_id as \`partition\`, seq, hq_id as hqId from entries
       where duplicate_of is not null order by partition_id, seq`,
    );
    const pending: Entry[] = [];
    for (const { partition, seq, hqId } of duplicates) {
      const undone = await this.findOperations(hqId, [undoIdOf(partition, seq)]);
      const entry = undone.length > 0 ? null : await this.entry(partition, seq);
      if (entry !== null) pending.push(entry);
    }
    return pending;
  }

  /** By halving: times rise with `seq`, and no index of them is worth its upkeep. */
  async seqBefore(partition: number, instantMs: number): Promise<number> {
    const [last] = await this.#read<{ seq: number | null }>(
      'select max(seq) as seq from entries where partition_id = ?',
      [partition],
    );
    let low = 0;
    let high = last?.seq ?? 0;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [row] = await this.#read<{ at: number }>('select at from entries where partition_id = ? and seq = ?', [
        partition,
        middle,
      ]);
      if ((row as { at: number }).at < instantMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async operations(partition: number, afterSeq: number, limit: number): Promise<ImageOperation[]> {
    return this.#read(
      `select partition_id as \`partition\`, seq, at, hq_id as hqId, operation_id as operationId from entries
       where partition_id = ? and seq > ? and operation_id is not null order by seq limit ?`,
      [partition, afterSeq, limit],
    );
  }

  async keepEvidence({ partition, epoch, seq, at, reason, bodies }: Evidence): Promise<void> {
    const rows = bodies.map((body, index) => [partition, epoch, seq + index, at, reason, body]);
    await transact(this.connections.writer, (connection) => insertRows(connection, EVIDENCE, rows));
  }

  #read<T>(sql: string, values: readonly (string | number)[] = []): Promise<T[]> {
    return this.connections.reader.read<T>(sql, values);
  }

  async close(): Promise<void> {
    await Promise.all([this.connections.reader.close(), this.connections.writer.close()]);
  }
}
