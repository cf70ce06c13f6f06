/** What a ledger offers that several processes record into and read from at once. */
import type { SharedHead } from '../stock/shared-engine.ts';
import type { RecordedHead } from '../stock/stock-engine.ts';
import type { EntryRow, Ledger, RecordResult } from './ledger.ts';

export interface SharedRow extends EntryRow {
  mark: string;
}

/** New entries of one partition, which must follow the head that the recorder knows. */
export interface SharedRecord {
  head: SharedHead;
  entries: SharedRow[];
}

export type SharedRecordResult =
  | Exclude<RecordResult, { status: 'recorded' }>
  | { status: 'recorded'; heads: SharedHead[] };

/** What the ledger knows of the entry at a place. */
export interface RecordedPlace {
  epoch: number;
  mark: string;
  duplicateOf: number | null;
}

/** An entry that the recorder would not record, with those after it, kept for an operator. */
export interface Evidence {
  partition: number;
  epoch: number;
  seq: number;
  at: number;
  reason: string;
  /** The refused entries as the journal had them. */
  bodies: string[];
}

export interface SharedLedger extends Ledger {
  heads(): Promise<SharedHead[]>;
  /** @throws LedgerConflict when another process moved one of them; none is moved then. */
  openEpoch(heads: readonly RecordedHead[]): Promise<SharedHead[]>;
  record(records: readonly SharedRecord[]): Promise<SharedRecordResult>;
  /** Null: nothing is recorded there. */
  recordedAt(partition: number, seq: number): Promise<RecordedPlace | null>;
  /** Where these partitions stand now, read from the primary. */
  headsOf(partitions: readonly number[]): Promise<SharedHead[]>;
  keepEvidence(evidence: Evidence): Promise<void>;
}

/**
 * Who records which partitions. Rows with leases, which only save work: what keeps two recorders apart is the
 * comparison of the cursor in `record`.
 */
export interface PartitionOwnership {
  /**
   * Says that this node lives, takes its fair share of the partitions that are free or whose owner's lease has run
   * out, gives up what is above its share; returns what it owns now. To be called every `renewMs`.
   */
  renew(): Promise<number[]>;
  /** Gives all of them up at once, so that others need not wait for the lease. */
  leave(): Promise<void>;
}
