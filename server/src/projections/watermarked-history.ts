import type { Ledger } from '../ledger/ledger.ts';
import type { Hold } from '../stock/entry.ts';
import { partitionOf, partitionOfReservation } from '../stock/identifiers.ts';
import type { MaybePromise } from '../stock/stock-engine.ts';
import {
  type AuditQuery,
  type AuditRow,
  HistoryBehind,
  type HistoryReads,
  type LevelQuery,
  type LevelRow,
  type MovementQuery,
  type MovementRow,
  type OnHandThen,
  type Page,
} from './history-reads.ts';
import { OrderLookUps } from './order-look-ups.ts';
import { decodePageCursor, encodePageCursor } from './page-cursor.ts';
import type { Keyed, LevelPageKey, MovementKey, ProjectionStore } from './projection-store.ts';

/** Where an operation id is looked up. */
export type Operations = Pick<Ledger, 'findOperations'>;

/** Where the ledger stands: known to the one process that records, asked of the primary where others record. */
export type RecordedSeq = (partition: number) => MaybePromise<number>;

/** How long a read waits for what was recorded before it was asked. */
const WAIT_MS = 5_000;

/**
 * Reads that see whatever was recorded when they were asked: whoever was answered finds it here. Levels come in the
 * order of store and product, movements and audit newest first.
 */
export class WatermarkedHistory implements HistoryReads {
  readonly #store: ProjectionStore;
  readonly #operations: Operations;
  readonly #recordedSeq: RecordedSeq;
  readonly #orders = new OrderLookUps(async (hqId, orderIds) => {
    await this.#reach(partitionOf(hqId));
    return this.#store.reservationsOfOrders(hqId, orderIds);
  });

  constructor(store: ProjectionStore, operations: Operations, recordedSeq: RecordedSeq) {
    this.#store = store;
    this.#operations = operations;
    this.#recordedSeq = recordedSeq;
  }

  /** A scan for low stock is done in steps, so that other reads get their turn in between. */
  async levels({ cursor, ...query }: LevelQuery): Promise<Page<LevelRow>> {
    let after = decodePageCursor<LevelPageKey>('levels', ['', ''], cursor);
    await this.#reach(partitionOf(query.hqId));
    const items: LevelRow[] = [];
    for (;;) {
      const step: Keyed<LevelQuery, LevelPageKey> = { ...query, after, limit: query.limit - items.length };
      const rows = await this.#store.levels(step);
      items.push(...rows.items);
      after = rows.next;
      if (after === null || items.length >= query.limit) break;
    }
    return { items, nextCursor: after === null ? null : encodePageCursor('levels', after) };
  }

  async movements({ cursor, ...query }: MovementQuery): Promise<Page<MovementRow>> {
    const after = decodePageCursor<MovementKey>('movements', [0, 0], cursor);
    await this.#reach(partitionOf(query.hqId));
    const operationSeq =
      query.referenceId === undefined ? null : await this.#seqOfOperation(query.hqId, query.referenceId);
    const { items, next } = await this.#store.movements({ ...query, after, operationSeq });
    return { items, nextCursor: next === null ? null : encodePageCursor('movements', next) };
  }

  async #seqOfOperation(hqId: string, operationId: string): Promise<number | null> {
    const [found] = await this.#operations.findOperations(hqId, [operationId]);
    return found?.partition === partitionOf(hqId) ? found.seq : null;
  }

  async audit({ cursor, ...query }: AuditQuery): Promise<Page<AuditRow>> {
    const after = decodePageCursor<[seq: number]>('audit', [0], cursor);
    await this.#reach(partitionOf(query.hqId));
    const { items, next } = await this.#store.audit({ ...query, after });
    return { items, nextCursor: next === null ? null : encodePageCursor('audit', next) };
  }

  async reservation(reservationId: string): Promise<{ hqId: string; hold: Hold } | null> {
    const partition = partitionOfReservation(reservationId);
    if (partition === null) return null;
    await this.#reach(partition);
    return this.#store.reservation(reservationId);
  }

  async reservationOfOrder(hqId: string, orderId: string): Promise<Hold | null> {
    return this.#orders.find(hqId, orderId);
  }

  async onHandAt(
    hqId: string,
    keys: readonly { storeId: string; productId: string }[],
    at: number,
  ): Promise<OnHandThen[]> {
    await this.#reach(partitionOf(hqId));
    return this.#store.onHandAt(hqId, keys, at);
  }

  async #reach(partition: number): Promise<void> {
    const recorded = this.#recordedSeq(partition);
    const seq = typeof recorded === 'number' ? recorded : await recorded;
    if (this.#store.projectedSeq(partition) >= seq) return;
    if (!(await this.#store.waitFor(partition, seq, WAIT_MS))) throw new HistoryBehind();
  }
}
