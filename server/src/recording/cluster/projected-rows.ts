/** What the projections hold of the things that an entry says it read, for a recorder that does not remember them. */
import type { Settings } from '../../stock/commands.ts';
import type { Hold, LevelRead, TotalsRead } from '../../stock/entry.ts';
import type { ImageCursor } from '../../stock/stock-engine.ts';

/** What is asked of one partition. */
export interface ProjectedKeys {
  partition: number;
  levels: readonly { hqId: string; storeId: string; productId: string }[];
  totals: readonly { hqId: string; productId: string }[];
  stores: readonly { hqId: string; storeId: string }[];
  products: readonly { hqId: string; productId: string }[];
  /** Reservation ids. */
  holds: readonly string[];
}

/** A level with effective settings and its last count; `version` 0: it was never written. */
export interface ProjectedLevel extends LevelRead {
  /** Settings of its own; null: it was never written. */
  own: Settings | null;
}

export interface ProjectedTotals extends TotalsRead {
  /** Levels that follow the product's safety stock, having none of their own. */
  followers: number;
}

/** The answers of one partition, each list in the order of its question, as the entry at `cursor` left them. */
export interface ProjectedState {
  cursor: ImageCursor;
  levels: ProjectedLevel[];
  totals: ProjectedTotals[];
  /** Null: no entry configured it. */
  stores: (Settings | null)[];
  products: (Settings | null)[];
  /** Open or closed; null: no entry made it. */
  holds: ({ hqId: string; hold: Hold } | null)[];
}

export interface ProjectedRows {
  /**
   * One snapshot for all of them, in the order of the questions. Null: the rows of that partition are not to be
   * believed, for its projection stopped at a mismatch, or not there yet.
   */
  read(keys: readonly ProjectedKeys[]): Promise<(ProjectedState | null)[]>;
}
