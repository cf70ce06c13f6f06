import type { Connection } from 'mariadb';
import { transactOrRefuse } from '../../ledger/mariadb/mariadb-transaction.ts';
import type { MariadbConnections } from '../../ledger/mariadb/open-mariadb.ts';
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
import { type AuditRecord, auditRowOf, type MasterValue, pageOf } from '../master-rows.ts';
import { addRow, configure, pendingOf, putRows, readPage, readRow } from './master-statements.ts';
import { PRODUCTS, STORES } from './master-tables.ts';

const INSERT_HQ = 'insert into hqs (hq_id, created_at) values (?, ?) on duplicate key update hq_id = hq_id';

/** Master data beside the entries, in the ledger's database; what was acknowledged is seen by every process. */
export class MariadbCatalog implements Catalog {
  readonly #connections: MariadbConnections;

  constructor(connections: MariadbConnections) {
    this.#connections = connections;
  }

  putStores(change: MasterChange, stores: readonly Store[]): Promise<PutResult[]> {
    return this.#write(async (connection) => {
      await connection.query(INSERT_HQ, [change.hqId, change.at]);
      return putRows(connection, STORES, change, stores);
    });
  }

  /** The row of the HQ is locked by its insert, there or not: writers of one HQ's master data take turns. */
  putProducts(change: MasterChange, products: readonly Product[]): Promise<PutResult[]> {
    return this.#write(async (connection) => {
      await connection.query(INSERT_HQ, [change.hqId, change.at]);
      return putRows(connection, PRODUCTS, change, products);
    });
  }

  addProduct(change: MasterChange, product: Product): Promise<PutResult> {
    return this.#write(async (connection) => {
      await connection.query(INSERT_HQ, [change.hqId, change.at]);
      return addRow(connection, PRODUCTS, change, product);
    });
  }

  markConfigured(hqId: string, marks: readonly ConfiguredMark[]): Promise<Pending[]> {
    return this.#write(async (connection) => {
      const overtaken: Pending[] = [];
      for (const mark of marks) {
        const newer = await configure(connection, hqId, mark);
        if (newer !== null) overtaken.push(newer);
      }
      return overtaken;
    });
  }

  async ensureHq(hqId: string, at: number): Promise<void> {
    await this.#write((connection) => connection.query(INSERT_HQ, [hqId, at]));
  }

  async pending(limit: number): Promise<Pending[]> {
    const stores = await pendingOf(this.#connections.reader, STORES, limit);
    if (stores.length === limit) return stores;
    return [...stores, ...(await pendingOf(this.#connections.reader, PRODUCTS, limit - stores.length))];
  }

  store(hqId: string, storeId: string): Promise<Store | null> {
    return readRow(this.#connections.reader, STORES, hqId, storeId);
  }

  product(hqId: string, productId: string): Promise<Product | null> {
    return readRow(this.#connections.reader, PRODUCTS, hqId, productId);
  }

  async stores(hqId: string, { cursor, limit }: PageRequest): Promise<Page<Store>> {
    const [afterId] = decodePageCursor('stores', [''], cursor) ?? [''];
    const rows = await readPage(this.#connections.reader, STORES, hqId, afterId, limit + 1);
    return pageOf(rows, limit, (row) => encodePageCursor('stores', [row.storeId]));
  }

  async products(hqId: string, { cursor, limit }: PageRequest): Promise<Page<Product>> {
    const [afterId] = decodePageCursor('products', [''], cursor) ?? [''];
    const rows = await readPage(this.#connections.reader, PRODUCTS, hqId, afterId, limit + 1);
    return pageOf(rows, limit, (row) => encodePageCursor('products', [row.productId]));
  }

  async hqExists(hqId: string): Promise<boolean> {
    return (await this.#connections.reader.read('select 1 from hqs where hq_id = ?', [hqId])).length > 0;
  }

  async audit({ cursor, limit, hqId, actor, from, to }: MasterAuditQuery): Promise<Page<MasterAuditRow>> {
    const [beforeId] = decodePageCursor('master-audit', [0], cursor) ?? [Number.MAX_SAFE_INTEGER];
    const conditions = ['hq_id = ?', 'id < ?', 'at >= ?', 'at <= ?'];
    const values: MasterValue[] = [hqId, beforeId, from ?? 0, to ?? Number.MAX_SAFE_INTEGER];
    if (actor !== undefined) {
      conditions.push('actor_subject = ?');
      values.push(actor);
    }
    const rows = await this.#connections.reader.read<AuditRecord>(
      `select id, at, hq_id as hqId, kind, subject_id as subjectId, actor_subject as subject, actor_role as role,
         actor_address as address, origin, correlation_id as correlationId, \`before\`, \`after\`
       from master_audit where ${conditions.join(' and ')} order by id desc limit ?`,
      [...values, limit + 1],
    );
    return pageOf(rows.map(auditRowOf), limit, (row) => encodePageCursor('master-audit', [row.id]));
  }

  #write<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const refused = (reason: string) => new CatalogUnavailable(`master data cannot be written now: ${reason}`);
    return transactOrRefuse(this.#connections.writer, work, refused);
  }
}
