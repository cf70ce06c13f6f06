import type { LedgerThreads } from '../../ledger/sqlite/sqlite-ledger.ts';
import type { Page, PageRequest } from '../../projections/history-reads.ts';
import { decodePageCursor, encodePageCursor } from '../../projections/page-cursor.ts';
import {
  type Catalog,
  CatalogUnavailable,
  type ConfiguredMark,
  type MasterAuditQuery,
  type MasterAuditRow,
  type MasterChange,
  type Pending,
  type Product,
  type PutResult,
  type Store,
} from '../catalog.ts';
import { pageOf } from '../master-rows.ts';

/**
 * Master data beside the entries, in the ledger's file. The reading connection begins a new snapshot with every
 * statement, so whatever was acknowledged is seen.
 */
export class SqliteCatalog implements Catalog {
  readonly #threads: LedgerThreads;

  constructor(threads: LedgerThreads) {
    this.#threads = threads;
  }

  putStores(change: MasterChange, stores: readonly Store[]): Promise<PutResult[]> {
    return this.#write('putStores', change, stores);
  }

  putProducts(change: MasterChange, products: readonly Product[]): Promise<PutResult[]> {
    return this.#write('putProducts', change, products);
  }

  addProduct(change: MasterChange, product: Product): Promise<PutResult> {
    return this.#write('addProduct', change, product);
  }

  markConfigured(hqId: string, marks: readonly ConfiguredMark[]): Promise<Pending[]> {
    return this.#write('markConfigured', hqId, marks);
  }

  ensureHq(hqId: string, at: number): Promise<void> {
    return this.#write('ensureHq', hqId, at);
  }

  pending(limit: number): Promise<Pending[]> {
    return this.#threads.reader.call('pendingMasterData', limit);
  }

  store(hqId: string, storeId: string): Promise<Store | null> {
    return this.#threads.reader.call('store', hqId, storeId);
  }

  product(hqId: string, productId: string): Promise<Product | null> {
    return this.#threads.reader.call('product', hqId, productId);
  }

  async stores(hqId: string, { cursor, limit }: PageRequest): Promise<Page<Store>> {
    const [afterId] = decodePageCursor('stores', [''], cursor) ?? [''];
    const rows = await this.#threads.reader.call<Store[]>('stores', hqId, afterId, limit + 1);
    return pageOf(rows, limit, (row) => encodePageCursor('stores', [row.storeId]));
  }

  async products(hqId: string, { cursor, limit }: PageRequest): Promise<Page<Product>> {
    const [afterId] = decodePageCursor('products', [''], cursor) ?? [''];
    const rows = await this.#threads.reader.call<Product[]>('products', hqId, afterId, limit + 1);
    return pageOf(rows, limit, (row) => encodePageCursor('products', [row.productId]));
  }

  hqExists(hqId: string): Promise<boolean> {
    return this.#threads.reader.call('hqExists', hqId);
  }

  async audit({ cursor, limit, ...filter }: MasterAuditQuery): Promise<Page<MasterAuditRow>> {
    const [beforeId] = decodePageCursor('master-audit', [0], cursor) ?? [Number.MAX_SAFE_INTEGER];
    const query = { ...filter, limit: limit + 1 };
    const rows = await this.#threads.reader.call<MasterAuditRow[]>('masterAudit', query, beforeId);
    return pageOf(rows, limit, (row) => encodePageCursor('master-audit', [row.id]));
  }

  async #write<T>(method: string, ...args: unknown[]): Promise<T> {
    try {
      return await this.#threads.writer.call<T>(method, ...args);
    } catch (error) {
      // An error crosses the thread without its class.
      const { name, message } = error as Error;
      throw name === 'CatalogUnavailable' ? new CatalogUnavailable(message) : error;
    }
  }
}
