import type { Actor, Hold } from '../stock/entry.ts';

export interface Page<T> {
  items: T[];
  /** Opaque; null on the last page. */
  nextCursor: string | null;
}

export interface PageRequest {
  cursor: string | null;
  limit: number;
}

export interface LevelRow {
  hqId: string;
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  /** Effective values. */
  safetyStock: number;
  lowThreshold: number | null;
  version: number;
  /** Epoch milliseconds of the last change. */
  updatedAt: number;
}

export interface LevelQuery extends PageRequest {
  hqId: string;
  storeId?: string;
  productId?: string;
  /** Only levels whose available is at or below their threshold. */
  lowStock?: boolean;
  /** Levels as they were at this instant (epoch milliseconds, inclusive). */
  asOf?: number;
}

export interface MovementRow {
  movementId: string;
  hqId: string;
  storeId: string;
  productId: string;
  /** The command that caused it (`stock/commands.ts`) and its business reason (`changeReasonOf`). */
  type: string;
  changeReason: string;
  onHandChange: number;
  reservedChange: number;
  onHand: number;
  reserved: number;
  referenceId: string;
  reservationId: string | null;
  reason: string | null;
  actor: Actor;
  at: number;
  correction: boolean;
}

export interface MovementQuery extends PageRequest {
  hqId: string;
  storeId?: string;
  productId?: string;
  referenceId?: string;
  from?: number;
  to?: number;
}

export interface AuditRow {
  partition: number;
  seq: number;
  hash: string;
  at: number;
  hqId: string;
  type: string;
  operationId: string | null;
  outcome: string;
  actor: Actor;
  origin: string;
  correlationId: string;
  /** Levels before and after, from the entry. */
  changes: { storeId: string; productId: string; before: LevelQuantities; after: LevelQuantities }[];
}

export interface LevelQuantities {
  onHand: number;
  reserved: number;
}

export interface AuditQuery extends PageRequest {
  hqId: string;
  actor?: string;
  from?: number;
  to?: number;
}

/** What a stock-take needs to know of a level's past. */
export interface OnHandThen {
  storeId: string;
  productId: string;
  onHand: number;
  lastCount: { countedAt: number; seq: number } | null;
}

/** The projections are too far behind for this read within its bound. */
export class HistoryBehind extends Error {
  constructor() {
    super('the history is still being written; it will be complete in a moment');
    this.name = 'HistoryBehind';
  }
}

/**
 * Reads of history. Each waits, within a bound, until everything that was recorded for its HQ when it was asked
 * is projected: whoever was answered sees it.
 * @throws HistoryBehind past the bound.
 */
export interface HistoryReads {
  levels(query: LevelQuery): Promise<Page<LevelRow>>;
  movements(query: MovementQuery): Promise<Page<MovementRow>>;
  audit(query: AuditQuery): Promise<Page<AuditRow>>;
  /** By id alone: the id names its partition. */
  reservation(reservationId: string): Promise<{ hqId: string; hold: Hold } | null>;
  /**
   * The reservation that was sold for an order last, other than the one that the order's event made
   * (`reservationIdOfOrder`): over HTTP a reservation takes its order's id when it is confirmed.
   */
  reservationOfOrder(hqId: string, orderId: string): Promise<Hold | null>;
  /** On hand at an instant, counts booked later but taken before it included (`recording.md`, rule 19). */
  onHandAt(hqId: string, keys: readonly { storeId: string; productId: string }[], at: number): Promise<OnHandThen[]>;
}
