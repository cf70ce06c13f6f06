/** The stock that a load works on: every product at every store. */
export interface Stock {
  stores: number;
  products: number;
  /** Each with all of it; one when left out. */
  hqs?: number;
  quantity: number;
}

export const ONE_HOT_PRODUCT: Stock = { stores: 1, products: 1, quantity: 1_000_000_000 };

export const HQ = 'HQ001';

export function hqId(index: number): string {
  return `HQ${String(index + 1).padStart(3, '0')}`;
}

export function storeId(index: number): string {
  return `STORE${String(index + 1).padStart(4, '0')}`;
}

export function productId(index: number): string {
  return `PRD${String(index + 1).padStart(6, '0')}`;
}
