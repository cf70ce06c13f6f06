import type { Command, CountMark, Settings } from './commands.ts';
import type { Entry, Hold, LevelRead, Provenance, TotalsRead } from './entry.ts';
import type { Outcome } from './outcome.ts';

/** A command on its way to the engine. */
export interface CommandRequest extends Provenance {
  hqId: string;
  /** Null only for what is idempotent by itself (PUT, DELETE, expiry). */
  operationId: string | null;
  fingerprint: string | null;
  command: Command;
  /** The recorded `seq` at which the operation id was looked up in the ledger and not found. */
  lookedUpAt?: number;
  /** The hold as the projection has it, when the engine no longer remembers it; null: there is none. */
  projectedHold?: Hold | null;
}

/**
 * An entry's place in its partition. `mark` names the entry itself: equal marks, same entry, whatever was
 * discarded and decided again under the same number (Redis: the journal's chained hash; memory: epoch and seq,
 * for every reload opens a new epoch). Empty: the engine was filled with it, so the ledger holds it.
 */
export interface Place {
  partition: number;
  epoch: number;
  seq: number;
  mark: string;
}

export type UnavailableReason =
  /** More commands wait for the ledger than the bound allows. */
  | 'overloaded'
  /** The operation window is full of ids that may not be forgotten yet. */
  | 'window-full'
  /** The partition is being loaded, or halted. */
  | 'not-open';

export type Decision =
  /** The command made an entry; it is answered when that is recorded. */
  | { kind: 'decided'; entry: Entry; place: Place }
  /** The operation id is remembered: the entry at `place`, once recorded, tells whose body it was, and the result. */
  | { kind: 'repeated'; place: Place }
  /** Answered without an entry; the answer waits until `head`, on which it rests, is recorded. */
  | { kind: 'observed'; outcome: Outcome; hold: Hold | null; head: Place }
  /** Nothing was done: the ledger must be asked for the operation id first. */
  | { kind: 'look-up-operation' }
  /** Nothing was done: the projection must be asked for the reservation first. */
  | { kind: 'look-up-hold' }
  | { kind: 'unavailable'; reason: UnavailableReason }
  /** The engine was asked and did not answer: whether it decided cannot be told yet. */
  | { kind: 'undecided' };

/** The engine cannot be read now: it is being filled, has lost what it knew, or does not answer. */
export class EngineNotOpen extends Error {
  constructor(reason: string) {
    super(`the stock cannot be read now: ${reason}`);
    this.name = 'EngineNotOpen';
  }
}

/** The engine's server cannot be used: what is wrong with it, and what to do about it. */
export class EngineUnusable extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'EngineUnusable';
    this.code = code;
  }
}

export interface LevelView extends LevelRead {
  hqOnHand: number;
}

/** What an engine is filled with: rows of the projections at one cursor per partition. */
export type ImageChunk =
  | { kind: 'cursors'; rows: ImageCursor[] }
  | { kind: 'stores'; rows: { hqId: string; storeId: string; settings: Settings }[] }
  | { kind: 'products'; rows: { hqId: string; productId: string; settings: Settings }[] }
  | { kind: 'levels'; rows: ImageLevel[] }
  | { kind: 'holds'; rows: { hqId: string; hold: Hold; closedAt: number | null }[] }
  /** The operation window begins here: every operation after `afterSeq` follows, oldest first. */
  | { kind: 'window'; partition: number; afterSeq: number }
  | { kind: 'operations'; rows: ImageOperation[] };

/** Where the image of a partition stands: the last entry that is in it. */
export interface ImageCursor {
  partition: number;
  seq: number;
  hash: string;
  at: number;
}

export interface ImageLevel {
  hqId: string;
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  version: number;
  safetyStock: number | null;
  lowThreshold: number | null;
  lastCount: CountMark | null;
  /** Time of the last change. */
  updatedAt: number;
}

export interface ImageOperation {
  partition: number;
  seq: number;
  at: number;
  hqId: string;
  operationId: string;
}

/** A recorded head: where the ledger's chain of a partition stands. */
export interface RecordedHead {
  partition: number;
  epoch: number;
  seq: number;
  hash: string;
  /** Time of the last entry; an engine's time never falls below it. */
  at: number;
}

/** Decided entries of one partition, in order, not yet recorded. */
export interface JournalBatch {
  partition: number;
  epoch: number;
  entries: { entry: Entry; mark: string }[];
}

/**
 * Decides commands and holds the levels. Every command is one atomic step that checks, changes the levels and
 * appends one entry to the partition's journal. Its state is a copy: the ledger can always fill it again.
 * Reads throw `EngineNotOpen` where an engine that others share cannot vouch for its answer.
 */
export interface StockEngine {
  /** The same command may be decided now (memory) or after a round trip (Redis). */
  decide(request: CommandRequest): Decision | Promise<Decision>;

  /** Decides the expiry of holds that are due, a bounded batch for each HQ; returns how many it closed. */
  expireDue(): { holds: number; latestMs: number } | Promise<{ holds: number; latestMs: number }>;

  /** Levels as decided: they may run ahead of the ledger. Null: the store or product is not known. */
  levels(hqId: string, keys: readonly { storeId: string; productId: string }[]): MaybePromise<(LevelView | null)[]>;
  totals(hqId: string, productId: string): MaybePromise<(TotalsRead & { updatedAt: number }) | null>;
  /** The hold and the head on which that answer rests; null: not remembered. */
  hold(reservationId: string): MaybePromise<{ hqId: string; hold: Hold; head: Place } | null>;
  /** The last entry that was decided for an HQ's partition. */
  head(hqId: string): MaybePromise<Place>;
  counts(): MaybePromise<EngineCounts>;
  close(): Promise<void>;
}

/** The engine of one process, with the recorder beside it. */
export interface EmbeddedEngine extends StockEngine {
  /** Decided, unrecorded entries: all that wait, up to `limit`, else a promise of the first; none once closed. */
  nextBatches(limit: number): MaybePromise<JournalBatch[]>;
  /** What is recorded leaves the journal. */
  recorded(head: RecordedHead): void;

  /** Forgets everything and refuses commands until opened again. */
  halt(): void;
  load(chunk: ImageChunk): MaybePromise<void>;
  /** Applies a recorded entry that is newer than the image. */
  replay(entry: Entry): MaybePromise<void>;
  /** Opens partitions at these heads: from now on commands are decided. */
  open(heads: readonly RecordedHead[]): MaybePromise<void>;
}

export interface EngineCounts {
  levels: number;
  openHolds: number;
  rememberedOperations: number;
  unrecorded: number;
  /** Partitions in which commands are decided now. */
  openPartitions: number;
}

export type MaybePromise<T> = T | Promise<T>;
