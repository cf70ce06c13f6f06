/**
 * Master data over one `node:sqlite` connection, that of the ledger. Synchronous: the ledger's threads call it,
 * the writing one for changes, the reading one for everything else.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isDefinite } from '../../ledger/sqlite/sqlite-errors.ts';
import {
  CatalogUnavailable,
  type ConfiguredMark,
  type MasterAuditQuery,
  type MasterAuditRow,
  type MasterChange,
  type MasterKind,
  type Pending,
  type Product,
  type PutResult,
  type Store,
} from '../catalog.ts';
import {
  AUDIT_PROVENANCE_COLUMNS,
  type AuditRecord,
  auditProvenance,
  auditRowOf,
  decidePut,
  type MasterRow,
  type MasterValue,
  PRODUCT_COLUMNS,
  type Revisions,
  STORE_COLUMNS,
} from '../master-rows.ts';

/** The statements of one kind of row. */
interface MasterTable<Row> {
  kind: MasterKind;
  idOf(row: Row): string;
  valuesOf(row: Row): MasterValue[];
  find: StatementSync;
  page: StatementSync;
  pending: StatementSync;
  upsert: StatementSync;
  mark: StatementSync;
}

export class SqliteCatalogStore {
  readonly #database: DatabaseSync;
  readonly #stores: MasterTable<Store>;
  readonly #products: MasterTable<Product>;
  readonly #insertAudit: StatementSync;
  readonly #insertHq: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#stores = {
      kind: 'store',
      idOf: (row) => row.storeId,
      valuesOf: (row) => STORE_COLUMNS.map(([, field]) => row[field]),
      ...statements(database, 'stores', STORE_COLUMNS),
    };
    this.#products = {
      kind: 'product',
      idOf: (row) => row.productId,
      valuesOf: (row) => PRODUCT_COLUMNS.map(([, field]) => row[field]),
      ...statements(database, 'products', PRODUCT_COLUMNS),
    };
    this.#insertHq = database.prepare('insert into hqs (hq_id, created_at) values (?, ?) on conflict do nothing');
    this.#insertAudit = database.prepare(
      `insert into master_audit (at, hq_id, kind, subject_id, ${AUDIT_PROVENANCE_COLUMNS.join(', ')}, "before", "after")
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
  }

  putStores(change: MasterChange, stores: readonly Store[]): PutResult[] {
    return this.#putAll(this.#stores, change, stores);
  }

  putProducts(change: MasterChange, products: readonly Product[]): PutResult[] {
    return this.#putAll(this.#products, change, products);
  }

  addProduct(change: MasterChange, product: Product): PutResult {
    return this.#inTransaction(() => {
      this.#insertHq.run(change.hqId, change.at);
      const there = this.#find(this.#products, change.hqId, product.productId);
      return this.#put(this.#products, change, there?.row ?? product);
    });
  }

  #putAll<Row extends Store | Product>(
    table: MasterTable<Row>,
    change: MasterChange,
    rows: readonly Row[],
  ): PutResult[] {
    return this.#inTransaction(() => {
      this.#insertHq.run(change.hqId, change.at);
      return rows.map((row) => this.#put(table, change, row));
    });
  }

  #put<Row extends Store | Product>(table: MasterTable<Row>, change: MasterChange, row: Row): PutResult {
    const id = table.idOf(row);
    const { result, write } = decidePut(this.#find(table, change.hqId, id), row);
    if (write === null) return result;
    const { revisions, before, after } = write;
    table.upsert.run(change.hqId, ...table.valuesOf(row), revisions.revision, revisions.configuredRevision);
    this.#insertAudit.run(change.at, change.hqId, table.kind, id, ...auditProvenance(change), before, after);
    return result;
  }

  #find<Row extends MasterRow>(
    table: MasterTable<Row>,
    hqId: string,
    id: string,
  ): { row: Row; revisions: Revisions } | null {
    const found = table.find.get(hqId, id) as (Row & Revisions) | undefined;
    if (found === undefined) return null;
    const { revision, configuredRevision, ...row } = found;
    return { row: row as unknown as Row, revisions: { revision, configuredRevision } };
  }

  markConfigured(hqId: string, marks: readonly ConfiguredMark[]): Pending[] {
    return this.#inTransaction(() => {
      const overtaken: Pending[] = [];
      for (const { kind, id, revision } of marks) {
        const { mark } = kind === 'store' ? this.#stores : this.#products;
        mark.run(revision, hqId, id, revision);
        const newer = this.#revised(kind, hqId, id);
        if (newer !== null && newer.revision > revision) overtaken.push(newer);
      }
      return overtaken;
    });
  }

  #revised(kind: MasterKind, hqId: string, id: string): Pending | null {
    const found = kind === 'store' ? this.#find(this.#stores, hqId, id) : this.#find(this.#products, hqId, id);
    return found === null ? null : ({ kind, hqId, revision: found.revisions.revision, row: found.row } as Pending);
  }

  pending(limit: number): Pending[] {
    const stores = pendingOf(this.#stores, limit).map((row) => ({ kind: 'store' as const, ...row }));
    const products = pendingOf(this.#products, limit - stores.length).map((row) => ({
      kind: 'product' as const,
      ...row,
    }));
    return [...stores, ...products];
  }

  store(hqId: string, storeId: string): Store | null {
    return this.#find(this.#stores, hqId, storeId)?.row ?? null;
  }

  product(hqId: string, productId: string): Product | null {
    return this.#find(this.#products, hqId, productId)?.row ?? null;
  }

  stores(hqId: string, afterId: string, limit: number): Store[] {
    return this.#stores.page.all(hqId, afterId, limit) as unknown as Store[];
  }

  products(hqId: string, afterId: string, limit: number): Product[] {
    return this.#products.page.all(hqId, afterId, limit) as unknown as Product[];
  }

  hqExists(hqId: string): boolean {
    return this.#database.prepare('select 1 from hqs where hq_id = ?').get(hqId) !== undefined;
  }

  ensureHq(hqId: string, at: number): void {
    this.#inTransaction(() => this.#insertHq.run(hqId, at));
  }

  audit(query: Omit<MasterAuditQuery, 'cursor'>, beforeId: number): MasterAuditRow[] {
    const rows = this.#database
      .prepare(
        `select id, at, hq_id as hqId, kind, subject_id as subjectId, actor_subject as subject, actor_role as role,
           actor_address as address, origin, correlation_id as correlationId, "before", "after"
         from master_audit
         where hq_id = ? and id < ? and at >= ? and at <= ? and (? is null or actor_subject = ?)
         order by id desc limit ?`,
      )
      .all(
        query.hqId,
        beforeId,
        query.from ?? 0,
        query.to ?? Number.MAX_SAFE_INTEGER,
        query.actor ?? null,
        query.actor ?? null,
        query.limit,
      );
    return (rows as unknown as AuditRecord[]).map(auditRowOf);
  }

  /** All of it durable, or none: a definite failure says so, any other one leaves the outcome open. */
  #inTransaction<T>(work: () => T): T {
    try {
      this.#database.exec('begin immediate');
      const result = work();
      this.#database.exec('commit');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw isDefinite(error)
        ? new CatalogUnavailable(`master data cannot be written now: ${(error as Error).message}`)
        : error;
    }
  }
}

function statements(database: DatabaseSync, table: string, columnsAndFields: readonly (readonly [string, string])[]) {
  const columns = columnsAndFields.map(([column]) => column);
  const [id] = columns as [string];
  const fields = columnsAndFields.map(([column, field]) => `${column} as ${field}`).join(', ');
  const updates = [...columns.slice(1), 'revision', 'configured_revision'].map((name) => `${name} = excluded.${name}`);
  return {
    find: database.prepare(
      `select ${fields}, revision, configured_revision as configuredRevision from ${table} where hq_id = ? and ${id} = ?`,
    ),
    page: database.prepare(`select ${fields} from ${table} where hq_id = ? and ${id} > ? order by ${id} limit ?`),
    pending: database.prepare(
      `select hq_id as hqId, revision, ${fields} from ${table} where configured_revision < revision limit ?`,
    ),
    upsert: database.prepare(
      `insert into ${table} (hq_id, ${columns.join(', ')}, revision, configured_revision)
       values (?, ${columns.map(() => '?').join(', ')}, ?, ?)
       on conflict (hq_id, ${id}) do update set ${updates.join(', ')}`,
    ),
    mark: database.prepare(
      `update ${table} set configured_revision = ? where hq_id = ? and ${id} = ? and configured_revision < ?`,
    ),
  };
}

function pendingOf<Row>(table: MasterTable<Row>, limit: number): { hqId: string; revision: number; row: Row }[] {
  const rows = table.pending.all(limit) as unknown as (Row & { hqId: string; revision: number })[];
  return rows.map(({ hqId, revision, ...row }) => ({ hqId, revision, row: row as unknown as Row }));
}
