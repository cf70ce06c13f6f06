/**
 * Settings: every value that a store, a product or a level was ever given, so that what applied at any instant can
 * be told. A level's own value wins over the product's, that over the store's (which has no safety stock).
 */
import type { Settings } from '../stock/commands.ts';
import type { Entry } from '../stock/entry.ts';

export const SETTINGS_VERSION = 1;

export type SettingKind = 'store' | 'product' | 'level';

/** What a configure command set; `storeId` or `productId` is empty where the kind has none. */
export interface SettingChange {
  kind: SettingKind;
  storeId: string;
  productId: string;
  settings: Settings;
}

export function settingChangeOf({ command }: Entry): SettingChange | null {
  switch (command.type) {
    case 'configure-store':
      return { kind: 'store', storeId: command.storeId, productId: '', settings: command.settings };
    case 'configure-product':
      return { kind: 'product', storeId: '', productId: command.productId, settings: command.settings };
    case 'configure-level':
      return { kind: 'level', storeId: command.storeId, productId: command.productId, settings: command.settings };
    default:
      return null;
  }
}

export const UNSET: Settings = { safetyStock: null, lowThreshold: null };

export function effectiveSettings(
  own: Settings,
  product: Settings,
  store: Settings,
): { safetyStock: number; lowThreshold: number | null } {
  return {
    safetyStock: own.safetyStock ?? product.safetyStock ?? 0,
    lowThreshold: own.lowThreshold ?? product.lowThreshold ?? store.lowThreshold,
  };
}
