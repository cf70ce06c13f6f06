/** What the ledger's threads do for the catalog: changes in the writing one, reads in the other. */
import type { ConfiguredMark, MasterAuditQuery, MasterChange, Product, Store } from '../catalog.ts';
import type { SqliteCatalogStore } from './sqlite-catalog-store.ts';

export function catalogWrites(store: () => SqliteCatalogStore) {
  return {
    putStores: (change: MasterChange, stores: Store[]) => store().putStores(change, stores),
    putProducts: (change: MasterChange, products: Product[]) => store().putProducts(change, products),
    addProduct: (change: MasterChange, product: Product) => store().addProduct(change, product),
    markConfigured: (hqId: string, marks: ConfiguredMark[]) => store().markConfigured(hqId, marks),
    ensureHq: (hqId: string, at: number) => store().ensureHq(hqId, at),
  };
}

export function catalogReads(store: () => SqliteCatalogStore) {
  return {
    pendingMasterData: (limit: number) => store().pending(limit),
    store: (hqId: string, storeId: string) => store().store(hqId, storeId),
    product: (hqId: string, productId: string) => store().product(hqId, productId),
    stores: (hqId: string, afterId: string, limit: number) => store().stores(hqId, afterId, limit),
    products: (hqId: string, afterId: string, limit: number) => store().products(hqId, afterId, limit),
    hqExists: (hqId: string) => store().hqExists(hqId),
    masterAudit: (query: Omit<MasterAuditQuery, 'cursor'>, beforeId: number) => store().audit(query, beforeId),
  };
}
