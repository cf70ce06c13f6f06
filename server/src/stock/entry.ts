import type { Command, CountMark, Settings } from './commands.ts';
import type { Outcome } from './outcome.ts';

/** The version that new entries are written in; older ones are upcast when read (`entry-codec.ts`). */
export const ENTRY_VERSION = 1;

export type HoldStatus = 'active' | 'partly_confirmed' | 'confirmed' | 'released' | 'expired';

export interface HoldItem {
  storeId: string;
  productId: string;
  /** Units held at first; `reserved − confirmed − released` are held still. */
  reserved: number;
  confirmed: number;
  released: number;
  price?: number;
}

export interface Hold {
  reservationId: string;
  storeId: string;
  transactionId: string;
  orderId: string | null;
  status: HoldStatus;
  createdAt: number;
  expiresAt: number;
  items: HoldItem[];
}

/** A level as a command found it. `version` 0: it has never been written, and all is zero. */
export interface LevelRead {
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  /** Effective values: the level's own, else the product's, else (threshold only) the store's. */
  safetyStock: number;
  lowThreshold: number | null;
  version: number;
  /** Only a count reads it. */
  lastCount?: CountMark | null;
}

/** Sums of one product over the HQ, as a command found them. */
export interface TotalsRead {
  productId: string;
  onHand: number;
  reserved: number;
  safetyStock: number;
}

/** What a configure command found: what is set now, and what applies where nothing is set. */
export interface SettingsRead {
  /** Null: the store or product was not known, or the level has no settings of its own. */
  current: Settings | null;
  fallback: Settings;
}

/** All that a decision rests on. Deciding again from it gives the same result. */
export interface Read {
  unknownStore?: string;
  unknownProduct?: string;
  levels: LevelRead[];
  totals: TotalsRead[];
  holds: Hold[];
  settings?: SettingsRead;
}

/** One level's change. The level before it is `read.levels[level]`, or the line before it on the same level. */
export interface Line {
  level: number;
  onHandChange: number;
  reservedChange: number;
  /** Effective values after, where this line sets them. */
  settings?: { safetyStock: number; lowThreshold: number | null };
  /** Index into the entry's `holds`, when an entry closes several. */
  hold?: number;
}

export interface Actor {
  subject: string;
  role: string;
  address?: string;
}

/** Who asked, from where, and in which conversation. */
export interface Provenance {
  actor: Actor;
  origin: string;
  correlationId: string;
  causationId: string | null;
}

/** One row of the ledger: one decided command. */
export interface Entry extends Provenance {
  version: number;
  partition: number;
  epoch: number;
  seq: number;
  /** Time of decision, epoch milliseconds, never falling within a partition. */
  at: number;
  hqId: string;
  operationId: string | null;
  fingerprint: string | null;
  /** `seq` of the first entry under the same operation id, when this one was decided a second time. */
  duplicateOf: number | null;
  command: Command;
  read: Read;
  outcome: Outcome;
  lines: Line[];
  /** The holds that this entry wrote, as they are after it. */
  holds: Hold[];
}

export function available(level: { onHand: number; reserved: number; safetyStock: number }): number {
  return level.onHand - level.reserved - level.safetyStock;
}

export function heldStill(item: HoldItem): number {
  return item.reserved - item.confirmed - item.released;
}

export function isOpen(hold: Hold): boolean {
  return hold.status === 'active' || hold.status === 'partly_confirmed';
}

/** The level after one line. */
function levelAfter(before: LevelRead, line: Line): LevelRead {
  return {
    ...before,
    onHand: before.onHand + line.onHandChange,
    reserved: before.reserved + line.reservedChange,
    safetyStock: line.settings?.safetyStock ?? before.safetyStock,
    lowThreshold: line.settings === undefined ? before.lowThreshold : line.settings.lowThreshold,
    version: before.version + 1,
  };
}

/** Every line of an entry with its level before and after it. */
export function changesOf(entry: Pick<Entry, 'read' | 'lines'>): { line: Line; before: LevelRead; after: LevelRead }[] {
  const current = [...entry.read.levels];
  return entry.lines.map((line) => {
    const before = current[line.level];
    if (before === undefined) throw new Error(`line names level ${line.level}, which the entry did not read`);
    const after = levelAfter(before, line);
    current[line.level] = after;
    return { line, before, after };
  });
}
