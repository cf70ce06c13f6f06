import type { SettingChange } from '../projections/settings.ts';
import type { Entry } from '../stock/entry.ts';
import type { MaybePromise } from '../stock/stock-engine.ts';
import type { LedgerRow } from './entry-proof.ts';

/** Where a chain stands: a cursor of the ledger or of the projections, or a last entry. */
export interface ChainPlace {
  partition: number;
  seq: number;
  hash: string;
}

export interface LevelPlace {
  storeId: string;
  productId: string;
}

/** A row of the levels; null: its key leads nowhere. */
export interface ProjectedLevelRow {
  hqId: string | null;
  storeId: string | null;
  productId: string | null;
  onHand: number;
  reserved: number;
  version: number;
  safetyStock: number | null;
  lowThreshold: number | null;
  countedAt: number | null;
  countSeq: number | null;
}

export const COUNTED_TABLES = [
  'movements',
  'counts',
  'movement_references',
  'audit',
  'settings',
  'closed_reservations',
] as const;
export type CountedTable = (typeof COUNTED_TABLES)[number];

/** The projected rows of some entries, read already or read at once; undefined: there is none. */
export interface EntryRows {
  knowsHq(hqId: string): boolean;
  knowsLevel(hqId: string, level: LevelPlace): boolean;
  audit(entry: Entry): { lines: number; subject: string | null } | undefined;
  movement(entry: Entry, level: LevelPlace, line: number): object | undefined;
  count(entry: Entry, level: LevelPlace): object | undefined;
  hasReference(entry: Entry, reference: string): boolean;
  setting(entry: Entry, change: SettingChange): object | undefined;
  closed(entry: Entry, n: number): { hold: string; closedAt: number } | undefined;
}

/** What a walk reads of a ledger and of its projections, whatever databases hold them. */
export interface WalkSource {
  installationId(): MaybePromise<string>;
  /** The ledger's cursors. */
  heads(): MaybePromise<ChainPlace[]>;
  /** The last entry of each partition that has any. */
  lastEntries(): MaybePromise<ChainPlace[]>;
  /** Entries after `afterSeq` up to `upTo` in order, at most `limit`; fewer when they are large. */
  entries(partition: number, afterSeq: number, upTo: number, limit: number): MaybePromise<LedgerRow[]>;
  /** How far each partition is projected. */
  cursors(): MaybePromise<ChainPlace[]>;
  rowsOf(entries: readonly Entry[]): MaybePromise<EntryRows>;
  /** All levels, in pages. */
  levels(): Iterable<ProjectedLevelRow[]> | AsyncIterable<ProjectedLevelRow[]>;
  openHolds(): Iterable<HoldRow[]> | AsyncIterable<HoldRow[]>;
  countRows(table: CountedTable): MaybePromise<number>;
  /** The text of a hold that is closed in the projection. */
  closedHold(reservationId: string): MaybePromise<string | null>;
  /** A level's quantities right after it reached a version; null: it never did. */
  levelAtVersion(
    hqId: string,
    level: LevelPlace,
    version: number,
  ): MaybePromise<{ onHand: number; reserved: number } | null>;
  /** All that `work` reads of the projections is of one moment. */
  inSnapshot(work: () => Promise<void>): Promise<void>;
  close(): MaybePromise<void>;
}

export interface HoldRow {
  hqId: string;
  /** The text of the hold. */
  hold: string;
}
