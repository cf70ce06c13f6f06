import type { MasterKind, Product, Store } from '../catalog.ts';
import { PRODUCT_COLUMNS, STORE_COLUMNS } from '../master-rows.ts';

/** One kind of row, its table and how the two correspond; the first column is the row's id. */
export interface MasterTable<Row> {
  kind: MasterKind;
  name: string;
  columns: readonly (readonly [column: string, field: keyof Row & string])[];
  idColumn: string;
  idOf(row: Row): string;
}

export const STORES: MasterTable<Store> = {
  kind: 'store',
  name: 'stores',
  columns: STORE_COLUMNS,
  idColumn: 'store_id',
  idOf: (row) => row.storeId,
};

export const PRODUCTS: MasterTable<Product> = {
  kind: 'product',
  name: 'products',
  columns: PRODUCT_COLUMNS,
  idColumn: 'product_id',
  idOf: (row) => row.productId,
};
