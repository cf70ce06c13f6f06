/**
 * Projected rows as the recorder reads them when it does not remember what an entry says was read (`recording.md`,
 * rule 9). They are right for it because nothing of what it does not remember has changed since the cursor.
 */
import type { CountMark, Settings } from '../../stock/commands.ts';
import type { Hold } from '../../stock/entry.ts';

/** What is asked of one partition. */
export interface ProjectedKeys {
  partition: number;
  levels: { hqId: string; storeId: string; productId: string }[];
  products: { hqId: string; productId: string }[];
  stores: { hqId: string; storeId: string }[];
  reservationIds: string[];
}

/** A level that was ever written; its settings are its own, not what applies. */
export interface ProjectedLevel {
  onHand: number;
  reserved: number;
  version: number;
  own: Settings;
  lastCount: CountMark | null;
}

/** A product's default settings (null: it is not known), and the sums of its levels over the HQ. */
export interface ProjectedProduct {
  settings: Settings | null;
  onHand: number;
  reserved: number;
  /** The sum of what applies at each level that was ever written. */
  safetyStock: number;
}

/** The answer for one partition, in the order of the question; null: there is no such row. */
export interface ProjectedRows {
  partition: number;
  /** The last entry that is in these rows. */
  seq: number;
  levels: (ProjectedLevel | null)[];
  products: (ProjectedProduct | null)[];
  stores: (Settings | null)[];
  holds: ({ hqId: string; hold: Hold } | null)[];
}

export interface ProjectedReads {
  /** One consistent snapshot per partition; without keys it tells the cursor alone. One round trip for many keys. */
  read(keys: readonly ProjectedKeys[]): Promise<ProjectedRows[]>;
}
