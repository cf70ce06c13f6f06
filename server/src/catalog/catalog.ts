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

export type MasterKind = 'store' | 'product';

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
  kind: MasterKind;
  subjectId: string;
  actor: Provenance['actor'];
  origin: string;
  correlationId: string;
  before: Store | Product | null;
  after: Store | Product;
}

export interface PutResult {
  /** New, or written before but never made known to the engine. */
  created: boolean;
  /** Counts the writes of this row. */
  revision: number;
  /** The engine has not heard of this row's settings: `MasterData` configures it, then marks it. */
  pending: boolean;
}

/** A row whose settings the engine has not heard of. */
export type Pending = { hqId: string; revision: number } & (
  | { kind: 'store'; row: Store }
  | { kind: 'product'; row: Product }
);

export interface ConfiguredMark {
  kind: MasterKind;
  id: string;
  revision: number;
}

/** Nothing was written, for certain: the disk is full, or the database is locked. Worth trying again. */
export class CatalogUnavailable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'CatalogUnavailable';
  }
}

/**
 * HQs, stores and products. Every change leaves an append-only audit row in the same transaction; a write that
 * changes nothing leaves none. Writers go through `MasterData`, which tells the engine too.
 */
export interface Catalog {
  /**
   * Creates or replaces, in one transaction; the HQ exists from now on.
   * @throws CatalogUnavailable
   */
  putStores(change: MasterChange, stores: readonly Store[]): Promise<PutResult[]>;
  putProducts(change: MasterChange, products: readonly Product[]): Promise<PutResult[]>;
  /**
   * Creates a product; one that is there stays as it is, whoever writes it meanwhile.
   * @throws CatalogUnavailable
   */
  addProduct(change: MasterChange, product: Product): Promise<PutResult>;
  /**
   * The engine has heard of these revisions. Returns the rows that were written again since: another node may have told
   * the engine of the later revision before this one told it of the earlier, so it must hear of the later once more.
   */
  markConfigured(hqId: string, marks: readonly ConfiguredMark[]): Promise<Pending[]>;
  /** Rows that wait for the engine, of every HQ, at most `limit`. */
  pending(limit: number): Promise<Pending[]>;
  store(hqId: string, storeId: string): Promise<Store | null>;
  product(hqId: string, productId: string): Promise<Product | null>;
  /** By id, in the order of its bytes. */
  stores(hqId: string, page: PageRequest): Promise<Page<Store>>;
  products(hqId: string, page: PageRequest): Promise<Page<Product>>;
  /** Whether an HQ was ever written to; `ensureHq` makes it so. */
  hqExists(hqId: string): Promise<boolean>;
  ensureHq(hqId: string, at: number): Promise<void>;
  /** Newest first; `from` and `to` are epoch milliseconds, inclusive. */
  audit(query: MasterAuditQuery): Promise<Page<MasterAuditRow>>;
}

export interface MasterAuditQuery extends PageRequest {
  hqId: string;
  actor?: string;
  from?: number;
  to?: number;
}
