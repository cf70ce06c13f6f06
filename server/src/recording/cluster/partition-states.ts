/** Which partitions wait for an operator, and why: kept in the database, so that every process and `holdfast` sees it. */

/** What somebody has seen as recorded and the ledger does not have (`recording.md`, rule 17). */
export interface SeenHead {
  partition: number;
  epoch: number;
  seq: number;
}

export type PartitionWait =
  /** The ledger is behind what was seen of it: nothing may be rebuilt from it by itself. */
  | 'ledger-went-back'
  /** The engine keeps deciding what the rules refuse. */
  | 'rejected-entries';

export interface WaitingPartition {
  partition: number;
  wait: PartitionWait;
  reason: string;
  sinceMs: number;
  /** The highest epoch that was seen, which the next one must pass. */
  seenEpoch: number;
  /** The operator has said to go on; the recorder that owns it has not done so yet. */
  resumed: boolean;
}

/** A line of `holdfast partitions`. */
export interface PartitionRow {
  partition: number;
  /** The node that records it; null: nobody does. */
  owner: string | null;
  epoch: number;
  seq: number;
  waiting: WaitingPartition | null;
}

export interface PartitionStates {
  waiting(): Promise<WaitingPartition[]>;
  /** From now on the partition waits. False: an operator has accepted the ledger since that was seen. */
  halt(seen: SeenHead, wait: PartitionWait, reason: string): Promise<boolean>;
  /** How many entries were refused since that instant (epoch milliseconds), as evidence of them was kept. */
  rejectionsSince(partition: number, sinceMs: number): Promise<number>;
  /** The operator's word; false: the partition does not wait. */
  resume(partition: number): Promise<boolean>;
  /** The recorder goes on under this epoch: what was seen of earlier ones is no witness any more. */
  accepted(partition: number, epoch: number): Promise<void>;
  list(): Promise<PartitionRow[]>;
}
