/** Where an engine and the model disagree. */
import type { Hold, TotalsRead } from '../../src/stock/entry.ts';
import type { LevelView } from '../../src/stock/stock-engine.ts';
import type { ModelHold, StockModel } from './stock-model.ts';

/** What is wrong in the model alone: it must keep the promises too, else it judges nobody. */
export function brokenInvariants(model: StockModel): string[] {
  const broken: string[] = [];
  for (const [hqId, hq] of model.hqs) {
    for (const { storeId, productId, onHand, reserved } of hq.levels.values()) {
      const where = `${hqId} ${storeId}/${productId}`;
      if (onHand < 0) broken.push(`${where}: ${onHand} on hand`);
      if (reserved < 0) broken.push(`${where}: ${reserved} reserved`);
      const held = model.heldBy(hqId, storeId, productId);
      if (held !== reserved) broken.push(`${where}: ${reserved} reserved, open holds hold ${held}`);
    }
  }
  return broken;
}

/** The reads of an engine that answers at once. */
export interface ReadsAtOnce {
  levels(hqId: string, keys: readonly { storeId: string; productId: string }[]): (LevelView | null)[];
  totals(hqId: string, productId: string): TotalsRead | null;
  hold(reservationId: string): { hqId: string; hold: Hold } | null;
}

export interface Compared {
  hqIds: readonly string[];
  storeIds: readonly string[];
  productIds: readonly string[];
}

/** Levels, totals and holds of the engine against the model. */
export function differences(engine: ReadsAtOnce, model: StockModel, over: Compared): string[] {
  const found: string[] = [];
  for (const hqId of over.hqIds) {
    const hq = model.hq(hqId);
    for (const productId of over.productIds) {
      const sum = { onHand: 0, reserved: 0, safetyStock: 0 };
      const keys = over.storeIds.map((storeId) => ({ storeId, productId }));
      for (const [index, view] of engine.levels(hqId, keys).entries()) {
        const { storeId } = keys[index] as { storeId: string };
        const known = hq.stores.has(storeId) && hq.products.has(productId);
        const level = hq.levels.get(`${storeId} ${productId}`);
        if (level !== undefined) {
          sum.onHand += level.onHand;
          sum.reserved += level.reserved;
          sum.safetyStock += model.safetyStock(hqId, storeId, productId);
        }
        const expected = known
          ? `${level?.onHand ?? 0}/${level?.reserved ?? 0}/${model.safetyStock(hqId, storeId, productId)} v${level?.version ?? 0}`
          : 'unknown';
        const actual =
          view === null ? 'unknown' : `${view.onHand}/${view.reserved}/${view.safetyStock} v${view.version}`;
        if (actual !== expected)
          found.push(`level ${hqId} ${storeId}/${productId}: engine ${actual}, model ${expected}`);
      }
      const total = engine.totals(hqId, productId);
      const actual = `${total?.onHand ?? 0}/${total?.reserved ?? 0}/${total?.safetyStock ?? 0}`;
      const expected = `${sum.onHand}/${sum.reserved}/${sum.safetyStock}`;
      if (actual !== expected) found.push(`totals ${hqId} ${productId}: engine ${actual}, model ${expected}`);
    }
    for (const hold of hq.holds.values()) {
      const own = engine.hold(hold.id);
      const open = hold.status === 'active' || hold.status === 'partly_confirmed';
      // A closed hold may be forgotten; an open one never.
      if (own === null ? open : own.hqId !== hqId || showHold(own.hold) !== showModelHold(hold)) {
        found.push(
          `hold ${hold.id}: engine ${own === null ? 'none' : showHold(own.hold)}, model ${showModelHold(hold)}`,
        );
      }
    }
  }
  return found;
}

export function showHold(hold: Hold): string {
  const items = hold.items.map(
    ({ storeId, productId, reserved, confirmed, released }) =>
      `${storeId}/${productId} ${reserved}-${confirmed}-${released}`,
  );
  return `${hold.status} ${hold.orderId} ${hold.createdAt}..${hold.expiresAt} ${items.join(' ')}`;
}

export function showModelHold(hold: ModelHold): string {
  const items = hold.items.map(
    ({ storeId, productId, first, sold, back }) => `${storeId}/${productId} ${first}-${sold}-${back}`,
  );
  return `${hold.status} ${hold.orderId} ${hold.createdAt}..${hold.endsAt} ${items.join(' ')}`;
}
