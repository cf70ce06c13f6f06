/**
 * What can be asked of the stock. A command is already normalised when it gets here: ids and quantities are
 * valid, every item names its location, and equal lines are summed (`sumItems`). Quantities are units,
 * durations are milliseconds, instants are epoch milliseconds, prices are in the currency's minor unit.
 */
export interface Item {
  storeId: string;
  productId: string;
  quantity: number;
  price?: number;
}

/**
 * Goods arrive: in the HQ pool, or at the location that an item names. A quantity of 0, which only an import of opening
 * stock sends, makes the level exist.
 */
export interface Receive {
  type: 'receive';
  items: Item[];
  reference?: string;
  expectedVersion?: number;
}

/** HQ pool → store. */
export interface Distribute {
  type: 'distribute';
  storeId: string;
  items: Item[];
  reason: string;
}

/** Store → store, or back to the HQ pool. */
export interface Transfer {
  type: 'transfer';
  fromStoreId: string;
  toStoreId: string;
  items: Item[];
  reason: string;
}

/** Goods leave without a reservation (goods issue, `decrease` on the wire). */
export interface Issue {
  type: 'issue';
  items: Item[];
  reason?: string;
  expectedVersion?: number;
}

export interface AdjustItem {
  storeId: string;
  productId: string;
  change: number;
}

export interface Adjust {
  type: 'adjust';
  items: AdjustItem[];
  reason: string;
  expectedVersion?: number;
}

/** Which count of a level a difference was computed from: the level's last one at that moment. */
export interface CountMark {
  countedAt: number;
  seq: number;
}

export interface CountItem {
  storeId: string;
  productId: string;
  counted: number;
  /** What was on hand at `countedAt`, from the history; null: count against what is on hand now. */
  onHandThen: number | null;
  basedOn: CountMark | null;
}

/** A stock-take. `countedAt` null means now. */
export interface Count {
  type: 'count';
  countedAt: number | null;
  items: CountItem[];
  reason: string;
  expectedVersion?: number;
}

/** What may be set for a level, a product or a store. Null: not set here. */
export interface Settings {
  safetyStock: number | null;
  lowThreshold: number | null;
}

/** Makes a store known and sets its defaults (a store has no safety stock of its own). */
export interface ConfigureStore {
  type: 'configure-store';
  storeId: string;
  settings: Settings;
}

/** Makes a product known and sets its defaults. */
export interface ConfigureProduct {
  type: 'configure-product';
  productId: string;
  settings: Settings;
}

export interface ConfigureLevel {
  type: 'configure-level';
  storeId: string;
  productId: string;
  settings: Settings;
  expectedVersion?: number;
}

export interface Reserve {
  type: 'reserve';
  reservationId: string;
  storeId: string;
  transactionId: string;
  orderId?: string;
  ttlMs: number;
  items: Item[];
}

export interface Confirm {
  type: 'confirm';
  reservationId: string;
  orderId: string;
  /** Absent: all that is held. */
  items?: Item[];
  keepRest: boolean;
  /** A caller bound to one store sees only that store's reservations. */
  storeScope?: string;
}

export interface Release {
  type: 'release';
  reservationId: string;
  storeScope?: string;
}

export interface Extend {
  type: 'extend';
  reservationId: string;
  ttlMs: number;
  storeScope?: string;
}

/** Closes due holds of one HQ: at most `EXPIRE_BATCH_MAX`. */
export interface Expire {
  type: 'expire';
  reservationIds: string[];
}

/** Takes back a reserve or an issue that was decided twice (`duplicateOf`). */
export interface Undo {
  type: 'undo';
  /** `seq` of the duplicate in its partition. */
  seq: number;
  reservationId?: string;
  items?: Item[];
}

/**
 * Records what an order's event is answered with where there is nothing to decide about: the stock stays as it is. Under
 * the operation id of the order itself it is the mark of a cancellation that came first.
 */
export interface AnswerOrder {
  type: 'answer-order';
  /** The event that is answered. */
  event: 'placed' | 'completed' | 'cancelled';
  orderId: string;
  /** As the event names them; what it does not say is left out. */
  reservationId?: string;
  storeId?: string;
  items: Item[];
  reason: 'CANCELLED' | 'RELEASED' | 'UNKNOWN_RESERVATION';
}

export type HoldCommand = Confirm | Release | Extend;
export type ConfigureCommand = ConfigureStore | ConfigureProduct | ConfigureLevel;

export type Command =
  | Receive
  | Distribute
  | Transfer
  | Issue
  | Adjust
  | Count
  | ConfigureCommand
  | Reserve
  | HoldCommand
  | Expire
  | Undo
  | AnswerOrder;

export type CommandType = Command['type'];

interface Keyed {
  /** Null: not named. */
  storeId: string | null;
  productId: string;
}

/** One item per level, in order of first mention; `add` folds a later equal line into the first. */
export function foldEqualLines<T extends Keyed>(items: readonly T[], add: (into: T, other: T) => void): T[] {
  if (items.length === 1) return [{ ...(items[0] as T) }];
  const byLevel = new Map<string, T>();
  for (const item of items) {
    const key = `${item.storeId ?? ''}/${item.productId}`;
    const first = byLevel.get(key);
    if (first === undefined) byLevel.set(key, { ...item });
    else add(first, item);
  }
  return [...byLevel.values()];
}

export function sumItems(items: readonly Item[]): Item[] {
  return foldEqualLines(items, (into, other) => {
    into.quantity += other.quantity;
  });
}
