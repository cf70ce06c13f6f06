/**
 * The ledger's statements over one `node:sqlite` connection. Synchronous: the adapter calls it in a worker
 * thread, away from the event loop that serves requests.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ImageOperation, RecordedHead } from '../../stock/stock-engine.ts';
import { chainHash } from '../chain.ts';
import {
  type EntryRow,
  type FoundOperation,
  LedgerConflict,
  type LedgerIdentity,
  type PartitionRecord,
  type RecordResult,
  type SentHead,
  type StoredEntry,
  undoIdOf,
} from '../ledger.ts';
import { isDefinite } from './sqlite-errors.ts';
import { YoungOperations } from './young-operations.ts';

/** Text of entries that one read returns at most, and one entry more: an entry has 600 characters, or 60 000. */
const READ_CHARACTERS_MAX = 4_000_000;

export class SqliteLedgerStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #moveCursor: StatementSync;
  readonly #entries: StatementSync;
  readonly #operations: StatementSync;
  readonly #lastSeq: StatementSync;
  readonly #timeOf: StatementSync;
  #operationIds: YoungOperations | null = null;
  /** What the last call of `record` left behind; null: it recorded nothing. */
  #lastHeads: readonly RecordedHead[] | null = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#insert = database.prepare(
      `insert into entries
         (partition_id, seq, hash, at, hq_id, operation_id, fingerprint, duplicate_of, type, body)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#moveCursor = database.prepare(
      `update cursors set epoch = ?, seq = ?, hash = ?, at = ?
       where partition_id = ? and epoch = ? and seq = ? and hash = ?`,
    );
    this.#entries = database.prepare(
      `select partition_id as "partition", seq, hash, body from entries
       where partition_id = ? and seq > ? order by seq limit ?`,
    );
    this.#lastSeq = database.prepare('select max(seq) as seq from entries where partition_id = ?');
    this.#timeOf = database.prepare('select at from entries where partition_id = ? and seq = ?');
    this.#operations = database.prepare(
      `select seq, at, hq_id as hqId, operation_id as operationId from entries
       where partition_id = ? and seq > ? and operation_id is not null order by seq limit ?`,
    );
  }

  identity(): LedgerIdentity {
    return this.#database
      .prepare('select installation_id as installationId, created_at as createdAt from installation')
      .get() as unknown as LedgerIdentity;
  }

  heads(): RecordedHead[] {
    return this.#database
      .prepare('select partition_id as "partition", epoch, seq, hash, at from cursors order by partition_id')
      .all() as unknown as RecordedHead[];
  }

  openEpoch(heads: readonly RecordedHead[]): RecordedHead[] {
    const opened = heads.map((head) => ({ ...head, epoch: head.epoch + 1 }));
    let moved: RecordedHead[];
    this.#database.exec('begin immediate');
    try {
      moved = heads.filter((head, index) => !this.#move(head, opened[index] as RecordedHead));
      this.#database.exec(moved.length === 0 ? 'commit' : 'rollback');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
    if (moved.length > 0) throw new LedgerConflict(moved.map((head) => head.partition));
    return opened;
  }

  record(records: readonly PartitionRecord[], ahead = false): RecordResult {
    const before = this.#lastHeads;
    if (ahead && before === null) return { status: 'rolled-back', reason: 'the batch before it was not recorded' };
    const result = this.#recordNow(records.map(({ head, entries }) => ({ head: known(head, before), entries })));
    this.#lastHeads = result.status === 'recorded' ? result.heads : null;
    return result;
  }

  /** Cursors first, each compared and set; then the ids and the entries; only then the commit. */
  #recordNow(records: readonly FollowingRecord[]): RecordResult {
    try {
      this.#database.exec('begin immediate');
      const heads = records.map(followingHead);
      const conflicts = records.filter((record, index) => !this.#move(record.head, (heads[index] as ChainedHead).head));
      if (conflicts.length > 0) {
        return this.#rolledBack({ status: 'conflict', partitions: conflicts.map(({ head }) => head.partition) });
      }
      const found = records.flatMap((record) => this.#takenOperations(record));
      if (found.length > 0) return this.#rolledBack({ status: 'duplicate', found });
      for (const [index, record] of records.entries()) this.#insertAll(record, (heads[index] as ChainedHead).hashes);
      this.#database.exec('commit');
      for (const record of records) this.#rememberOperations(record);
      return { status: 'recorded', heads: heads.map(({ head }) => head) };
    } catch (error) {
      return this.#failed(records, error);
    }
  }

  #rolledBack(result: RecordResult): RecordResult {
    this.#database.exec('rollback');
    return result;
  }

  /** Read when first needed, for a connection that only reads never needs it. */
  get operationIds(): YoungOperations {
    this.#operationIds ??= new YoungOperations(this.#database);
    return this.#operationIds;
  }

  /** An engine that decides an id twice before it is recorded breaks its promise; nothing of its batch is recorded. */
  #takenOperations({ entries }: FollowingRecord): FoundOperation[] {
    const taken: FoundOperation[] = [];
    const inBatch = new Set<string>();
    for (const { hqId, operationId } of entries) {
      const key = `${hqId}/${operationId}`;
      if (operationId !== null && inBatch.has(key)) throw new Error(`operation id ${key} is in one batch twice`);
      inBatch.add(key);
      const found = operationId === null ? null : this.operationIds.find(hqId, operationId);
      if (found !== null) taken.push(found);
    }
    return taken;
  }

  #rememberOperations({ head, entries }: FollowingRecord): void {
    for (const { hqId, operationId, seq } of entries) {
      if (operationId !== null) this.operationIds.add(hqId, operationId, head.partition, seq);
    }
  }

  #move(from: RecordedHead, to: RecordedHead): boolean {
    const { changes } = this.#moveCursor.run(
      to.epoch,
      to.seq,
      to.hash,
      to.at,
      from.partition,
      from.epoch,
      from.seq,
      from.hash,
    );
    return changes === 1;
  }

  /** One prepared insert per row; statements of 8 rows gained nothing measurable on batches of 64. */
  #insertAll({ head, entries }: FollowingRecord, hashes: readonly string[]): void {
    for (let index = 0; index < entries.length; index += 1) {
      const row = entries[index] as EntryRow;
      this.#insert.run(
        head.partition,
        row.seq,
        hashes[index] as string,
        row.at,
        row.hqId,
        row.operationId,
        row.fingerprint,
        row.duplicateOf,
        row.type,
        row.body,
      );
    }
  }

  #failed(records: readonly FollowingRecord[], error: unknown): RecordResult {
    const reason = (error as Error).message;
    try {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      const definite = isDefinite(error) && this.#standsAt(records);
      return { status: definite ? 'rolled-back' : 'unknown', reason };
    } catch (later) {
      return { status: 'unknown', reason: `${reason}; then ${(later as Error).message}` };
    }
  }

  /** After a rollback the cursors must be where they were. */
  #standsAt(records: readonly FollowingRecord[]): boolean {
    const heads = new Map(this.heads().map((head) => [head.partition, head]));
    return records.every(({ head }) => heads.get(head.partition)?.hash === head.hash);
  }

  findOperations(hqId: string, operationIds: readonly string[]): FoundOperation[] {
    return operationIds.map((id) => this.operationIds.find(hqId, id)).filter((found) => found !== null);
  }

  /** Entries that were decided a second time and whose undoing is not recorded. */
  pendingUndos(): StoredEntry[] {
    const rows = this.#database
      .prepare(
        `select partition_id as "partition", seq, hash, body, hq_id as hqId from entries
         where duplicate_of is not null order by partition_id, seq`,
      )
      .all() as unknown as (StoredEntry & { hqId: string })[];
    return rows.filter(({ hqId, partition, seq }) => this.operationIds.find(hqId, undoIdOf(partition, seq)) === null);
  }

  entries(partition: number, afterSeq: number, limit: number): StoredEntry[] {
    const entries: StoredEntry[] = [];
    let characters = 0;
    for (const row of this.#entries.iterate(partition, afterSeq, limit)) {
      const entry = row as unknown as StoredEntry;
      entries.push(entry);
      characters += entry.body.length;
      if (characters >= READ_CHARACTERS_MAX) break;
    }
    return entries;
  }

  /** Walks back from the newest entry: times never fall, so the first older one ends it. */
  operations(partition: number, afterSeq: number, limit: number): ImageOperation[] {
    const rows = this.#operations.all(partition, afterSeq, limit) as unknown as Omit<ImageOperation, 'partition'>[];
    return rows.map((row) => ({ ...row, partition }));
  }

  /** By halving: times rise with `seq`, and no index of them is worth its upkeep. */
  seqBefore(partition: number, instantMs: number): number {
    let low = 0;
    let high = (this.#lastSeq.get(partition) as { seq: number | null }).seq ?? 0;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const { at } = this.#timeOf.get(partition, middle) as { at: number };
      if (at < instantMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  close(): void {
    this.#database.close();
  }
}

interface FollowingRecord extends PartitionRecord {
  head: RecordedHead;
}

/** A head with its hash: its own, or the one that the call before has left. */
function known(head: SentHead, before: readonly RecordedHead[] | null): RecordedHead {
  const hash = head.hash ?? before?.find(({ partition }) => partition === head.partition)?.hash;
  if (hash === undefined) throw new Error(`the head of partition ${head.partition} has no hash`);
  return { ...head, hash };
}

interface ChainedHead {
  head: RecordedHead;
  hashes: string[];
}

/** The head after these entries, and the hash of each. */
function followingHead({ head, entries }: FollowingRecord): ChainedHead {
  const hashes: string[] = [];
  let { hash } = head;
  for (const row of entries) {
    hash = chainHash(hash, row.body);
    hashes.push(hash);
  }
  const last = entries.at(-1);
  return { head: { ...head, hash, seq: last?.seq ?? head.seq, at: last?.at ?? head.at }, hashes };
}
