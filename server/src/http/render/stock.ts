/** Levels and sums as JSON. */
import { available, type TotalsRead } from '../../stock/entry.ts';
import { instantText } from '../../stock/instant-text.ts';
import type { LevelView } from '../../stock/stock-engine.ts';

/** The stock of one product at one location, in the words of the original documents. */
export function stockText(hqId: string, level: LevelView): string {
  return (
    `{"hqId":"${hqId}","storeId":"${level.storeId}","productId":"${level.productId}"` +
    `,"hqStock":${level.hqOnHand},"storeStock":${level.onHand},"availableStock":${available(level)}` +
    `,"reservedStock":${level.reserved},"safetyStock":${level.safetyStock},"lowThreshold":${level.lowThreshold}` +
    `,"version":${level.version}}`
  );
}

/** The sum of one SKU over its HQ. */
export function skuText(totals: TotalsRead & { updatedAt: number }): string {
  return (
    `{"success":true,"data":{"skuId":"${totals.productId}","total":${totals.onHand},"reserved":${totals.reserved}` +
    `,"available":${available(totals)},"updatedAt":"${instantText(totals.updatedAt)}"}}`
  );
}
