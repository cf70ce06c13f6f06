import type { VerifyReport } from '../application.ts';
import type { LevelView } from '../stock/stock-engine.ts';

/** A head that was written down elsewhere: the chain must run through it. */
export interface KnownHead {
  partition: number;
  seq: number;
  hash: string;
}

export interface ProofProgress {
  done: number;
  total: number;
  /** All that was recorded when it was asked is proven, and the projections with it. */
  finished: boolean;
}

/** All levels of some products, as the entries leave them; an engine is at least as far. */
export interface ProvenProduct {
  hqId: string;
  productId: string;
  levels: { storeId: string; version: number }[];
}

/** What an engine says of a level, and the version that it must have reached. */
export interface ClaimedLevel {
  hqId: string;
  storeId: string;
  productId: string;
  view: LevelView | null;
  floor: number;
}

/** What an engine says of a hold: its text (`encodeHold`); null: it does not know it. */
export interface ClaimedHold {
  reservationId: string;
  text: string | null;
}

export interface Refuted<Claim> {
  claim: Claim;
  proven: string;
  /** The claim is of a later state than is proven: entries to come may bear it out as it stands. */
  ahead: boolean;
}

export interface Standing {
  partition: number;
  recorded: number;
  proven: number;
}

/** Walks the ledger and the projections away from the event loop, and tells what an engine must hold. */
export interface LedgerProof {
  /** A step of bounded length; to be called until it is finished. */
  step(): Promise<ProofProgress>;
  /** The next whole products, with about so many levels; empty: there are no more. */
  nextProducts(levelsMax: number): Promise<ProvenProduct[]>;
  nextOpenHolds(limit: number): Promise<string[]>;
  /** Those claims that the entries, proven up to now, do not bear out. */
  refuteLevels(claims: readonly ClaimedLevel[]): Promise<Refuted<ClaimedLevel>[]>;
  refuteHolds(claims: readonly ClaimedHold[]): Promise<Refuted<ClaimedHold>[]>;
  /** How far each partition is recorded, and how far it is proven now. */
  standing(): Promise<Standing[]>;
  report(): Promise<VerifyReport>;
  close(): Promise<void>;
}
