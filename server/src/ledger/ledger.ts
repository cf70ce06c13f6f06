import type { Entry } from '../stock/entry.ts';
import type { ImageOperation, RecordedHead } from '../stock/stock-engine.ts';

/** An entry as it is stored: what is indexed, and its text (`entry-codec.ts`), which the chain hashes. */
export interface EntryRow {
  seq: number;
  at: number;
  hqId: string;
  operationId: string | null;
  fingerprint: string | null;
  duplicateOf: number | null;
  type: string;
  body: string;
}

export interface StoredEntry {
  partition: number;
  seq: number;
  hash: string;
  body: string;
}

/** A head whose batch may be under way still: its `hash` is null until the ledger has made it. */
export type SentHead = Omit<RecordedHead, 'hash'> & { hash: string | null };

/** New entries of one partition, which must follow the head that the recorder knows. */
export interface PartitionRecord {
  head: SentHead;
  entries: EntryRow[];
}

export interface FoundOperation {
  hqId: string;
  operationId: string;
  partition: number;
  seq: number;
  fingerprint: string;
}

export type RecordResult =
  | { status: 'recorded'; heads: RecordedHead[] }
  /** Somebody else moved the cursor of these partitions; nothing was recorded. */
  | { status: 'conflict'; partitions: number[] }
  /** Operation ids that the ledger holds already; nothing was recorded. */
  | { status: 'duplicate'; found: FoundOperation[] }
  /** Rolled back for certain: disk full, locked, a constraint. */
  | { status: 'rolled-back'; reason: string }
  /** It cannot be told whether the disk holds it. */
  | { status: 'unknown'; reason: string };

/** The lineage that a ledger belongs to, fixed when it is created. */
export interface LedgerIdentity {
  installationId: string;
  createdAt: number;
}

/** The append-only chain of entries, one row per command, and the cursor of each partition. */
export interface Ledger {
  identity(): Promise<LedgerIdentity>;
  heads(): Promise<RecordedHead[]>;

  /**
   * Begins a new epoch in every partition that stands at its given head, before an engine is filled.
   * @throws LedgerConflict when another process moved one of them.
   */
  openEpoch(heads: readonly RecordedHead[]): Promise<RecordedHead[]>;

  /** Whether `record` may be called before it has answered the call before. */
  readonly recordsAhead?: boolean;
  /**
   * Records the entries of several partitions in one durable transaction: all, or none. `ahead`: the call before this
   * one is not answered yet; a head without a hash follows what that one leaves, and when that one is not recorded,
   * neither is this (`rolled-back`).
   */
  record(records: readonly PartitionRecord[], ahead?: boolean): Promise<RecordResult>;

  /** Entries after `afterSeq` in order, at most `limit`; fewer when they are large, none only when there is none. */
  entries(partition: number, afterSeq: number, limit: number): Promise<StoredEntry[]>;
  entry(partition: number, seq: number): Promise<Entry | null>;
  findOperations(hqId: string, operationIds: readonly string[]): Promise<FoundOperation[]>;

  /** Entries that were decided a second time under their operation id and whose undoing is not recorded yet. */
  pendingUndos(): Promise<Entry[]>;

  /** The last entry of a partition that was decided before an instant; 0: there is none. */
  seqBefore(partition: number, instantMs: number): Promise<number>;
  /** Operations of one partition after `afterSeq`, oldest first, at most `limit`. */
  operations(partition: number, afterSeq: number, limit: number): Promise<ImageOperation[]>;
  close(): Promise<void>;
}

/** The operation id under which the entry at this place is undone. */
export function undoIdOf(partition: number, seq: number): string {
  return `undo/${partition}/${seq}`;
}

/** The ledger cannot be opened: what is wrong, and what to do about it. */
export class LedgerUnusable extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'LedgerUnusable';
    this.code = code;
  }
}

/** The ledger cannot be reached, or does not answer in time: nothing is wrong with it that we know. Worth trying again. */
export class LedgerUnavailable extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = 'LedgerUnavailable';
  }
}

/** Another process moved the cursor: this one must not write. */
export class LedgerConflict extends Error {
  readonly partitions: readonly number[];

  constructor(partitions: readonly number[]) {
    super(`the cursor of partition ${partitions.join(', ')} was moved by another process`);
    this.name = 'LedgerConflict';
    this.partitions = partitions;
  }
}
