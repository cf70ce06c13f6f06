/** What an engine offers that several processes decide in at once, apart from those that record its journal. */
import { hash } from 'node:crypto';
import type { Entry } from './entry.ts';
import type { ImageChunk, JournalBatch, RecordedHead } from './stock-engine.ts';

/** A recorded head that also knows its entry's name in the engine's journal. */
export interface SharedHead extends RecordedHead {
  /** `Place.mark` of the last entry; in an epoch without entries the epoch's own start (`startMark`). */
  mark: string;
}

/** What the first journal entry of an epoch follows: it differs between epochs, and between ledgers. */
export function startMark(epoch: number, ledgerHash: string): string {
  return hash('sha1', `epoch\n${epoch}\n${ledgerHash}`, 'hex');
}

export type JournalReading =
  /** Entries that follow the head, in order. */
  | { kind: 'entries'; batch: JournalBatch }
  /** The engine does not continue the head: it is behind it, has no head at all, or is of another lineage. */
  | { kind: 'lost'; partition: number; reason: string }
  /**
   * The engine knows more as recorded than this head: its epoch is a later one, or `recorded` was told a later `seq`.
   * Compared before all else: whoever asks is no longer the recorder, or the ledger went back.
   */
  | { kind: 'ahead'; partition: number; epoch: number; seq: number }
  /** The next entry is of a version that this program does not know; those before it were told of before. */
  | { kind: 'unreadable'; partition: number; reason: string };

/** The journal of decided entries as a recorder reads it, partition by partition. */
export interface StockJournal {
  /**
   * What follows each of these heads, at most `limit` entries in all; resolves at once when there is something, else
   * after at most `waitMs`, possibly with nothing. The entry of the head itself is read and compared every time.
   */
  read(heads: readonly SharedHead[], limit: number, waitMs: number): Promise<JournalReading[]>;
  /** What is recorded leaves the journal (the entry of the head itself stays), and the engine knows its recorded head. */
  recorded(heads: readonly SharedHead[]): Promise<void>;
}

/** A partition's engine under a new epoch, which nobody sees until it is opened. */
export interface EngineFilling {
  load(chunk: ImageChunk): Promise<void>;
  /** Applies a recorded entry that is newer than the image. */
  replay(entry: Entry): Promise<void>;
  /** One write of each head, the last thing to be done. */
  open(): Promise<void>;
}

export interface RefillableEngine {
  /** Begins to fill these partitions anew; `heads` are of the epoch that the ledger has just opened. */
  refill(heads: readonly SharedHead[]): Promise<EngineFilling>;
}
