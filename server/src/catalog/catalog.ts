import type { Page, PageRequest } from '../projections/history-reads.ts';
import type { Provenance } from '../stock/entry.ts';

/** Master data of a store. Settings that change decisions (`lowThreshold`) are set by a journalled command too. */
export interface Store {
  storeId: string;
  name: string;
  type: string | null;
  city: string | null;
  /** ISO 8601 date. */
  openedAt: string | null;
  lowThreshold: number | null;
}

/** Money is an integer in the currency's minor unit. */
export interface Product {
  productId: string;
  name: string;
  category: string | null;
  price: number | null;
  cost: number | null;
  safetyStock: number | null;
  lowThreshold: number | null;
}

export interface MasterChange {
  hqId: string;
  provenance: Provenance;
  /** Epoch milliseconds. */
  at: number;
}

export interface MasterAuditRow {
  id: number;
  at: number;
  hqId: string;
  kind: 'store' | 'product';
  subjectId: string;
  actor: Provenance['actor'];
  origin: string;
  correlationId: string;
  before: Store | Product | null;
  after: Store | Product;
}

/** HQs, stores and products. Every write leaves an append-only audit row in the same transaction. */
export interface Catalog {
  /** Creates or replaces; answers for each whether it is new. One transaction. */
  putStores(change: MasterChange, stores: readonly Store[]): Promise<{ created: boolean }[]>;
  putProducts(change: MasterChange, products: readonly Product[]): Promise<{ created: boolean }[]>;
  store(hqId: string, storeId: string): Promise<Store | null>;
  product(hqId: string, productId: string): Promise<Product | null>;
  stores(hqId: string, page: PageRequest): Promise<Page<Store>>;
  products(hqId: string, page: PageRequest): Promise<Page<Product>>;
  /** Whether an HQ was ever written to; `ensureHq` makes it so. */
  hqExists(hqId: string): Promise<boolean>;
  ensureHq(hqId: string, at: number): Promise<void>;
  audit(
    query: { hqId: string; actor?: string; from?: number; to?: number } & PageRequest,
  ): Promise<Page<MasterAuditRow>>;
}
