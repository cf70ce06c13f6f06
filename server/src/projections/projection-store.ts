import type { ImageSource } from '../recording/restore.ts';
import type { Hold } from '../stock/entry.ts';
import type {
  AuditQuery,
  AuditRow,
  LevelQuery,
  LevelRow,
  MovementQuery,
  MovementRow,
  OnHandThen,
} from './history-reads.ts';
import type { ProjectionName } from './projection.ts';

/** A partition whose entries are no longer projected; the others go on. */
export interface PartitionStop {
  partition: number;
  kind: /** A row is not what an entry found. */
    | 'mismatch'
    /** The chain is broken, or an entry is none that this program can read. */
    | 'unreadable'
    /** The ledger is older than what was projected from it. */
    | 'ledger-went-back';
  reason: string;
}

/** What a projector has to say without being asked. */
export type ProjectorReport =
  | { kind: 'stopped'; stop: PartitionStop }
  | { kind: 'resumed'; partitions: number[] }
  | { kind: 'note'; text: string }
  /** The database of projections fails; it is tried again. */
  | { kind: 'trouble'; reason: string };

export interface RebuildProgress {
  building: readonly ProjectionName[];
  done: number;
  total: number;
  failure: string | null;
}

/** A page of rows, and the key from which the next one goes on; null: there is none. */
export interface Rows<T, Key> {
  items: T[];
  next: Key | null;
}

/** `seq` and line of a movement. */
export type MovementKey = [seq: number, line: number];
/** Store and product of a level. */
export type LevelPageKey = [storeId: string, productId: string];

/** `operationSeq`: the entry that has the wanted reference as its operation id, which only the ledger knows. */
export type MovementStoreQuery = Keyed<MovementQuery, MovementKey> & { operationSeq: number | null };

/** A query whose cursor was read: rows that come after this key in the order of the list. */
export type Keyed<Query, Key> = Omit<Query, 'cursor'> & { after: Key | null };

/** The tables that are projected from the ledger's entries, and whoever projects them. */
export interface ProjectionStore extends ImageSource {
  /** There are new entries in the ledger. Cheap enough to be called after every commit. */
  wake(): void;
  projectedSeq(partition: number): number;
  /** False: not within that time, or the partition's projection has stopped. */
  waitFor(partition: number, seq: number, timeoutMs: number): Promise<boolean>;
  /** Resolves with what is to be reported next; null once closed. */
  nextReport(): Promise<ProjectorReport | null>;

  startRebuild(names: readonly ProjectionName[]): Promise<void>;
  rebuildProgress(): Promise<RebuildProgress>;

  levels(query: Keyed<LevelQuery, LevelPageKey>): Promise<Rows<LevelRow, LevelPageKey>>;
  /** Newest first. */
  movements(query: MovementStoreQuery): Promise<Rows<MovementRow, MovementKey>>;
  /** Newest first. */
  audit(query: Keyed<AuditQuery, [seq: number]>): Promise<Rows<AuditRow, [seq: number]>>;
  reservation(reservationId: string): Promise<{ hqId: string; hold: Hold } | null>;
  /** Of one HQ, in the order of the orders (`HistoryReads.reservationOfOrder`). */
  reservationsOfOrders(hqId: string, orderIds: readonly string[]): Promise<(Hold | null)[]>;
  onHandAt(hqId: string, keys: readonly { storeId: string; productId: string }[], at: number): Promise<OnHandThen[]>;
  close(): Promise<void>;
}
