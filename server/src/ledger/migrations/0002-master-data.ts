import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createIndex, createTable, idType, makeAppendOnly } from './dialect.ts';

/**
 * HQs, stores, products and their audit. `revision` counts the writes of a row, `configured_revision` the last one
 * that the engine has heard of: where it lags behind, a crash came between the two.
 */
export const masterData: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'hqs')
      .addColumn('hq_id', idType(db, 64), (column) => column.primaryKey())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await createTable(db, 'stores')
      .addColumn('hq_id', idType(db, 64), (column) => column.notNull())
      .addColumn('store_id', idType(db, 64), (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('type', 'text')
      .addColumn('city', 'text')
      .addColumn('opened_at', 'varchar(32)')
      .addColumn('low_threshold', 'bigint')
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('configured_revision', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('stores_pk', ['hq_id', 'store_id'])
      .execute();
    await createTable(db, 'products')
      .addColumn('hq_id', idType(db, 64), (column) => column.notNull())
      .addColumn('product_id', idType(db, 64), (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('category', 'text')
      .addColumn('price', 'bigint')
      .addColumn('cost', 'bigint')
      .addColumn('safety_stock', 'bigint')
      .addColumn('low_threshold', 'bigint')
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('configured_revision', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('products_pk', ['hq_id', 'product_id'])
      .execute();
    await createAudit(db);
  },
};

async function createAudit(db: Kysely<unknown>): Promise<void> {
  await createTable(db, 'master_audit')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('hq_id', idType(db, 64), (column) => column.notNull())
    .addColumn('kind', idType(db, 16), (column) => column.notNull())
    .addColumn('subject_id', idType(db, 64), (column) => column.notNull())
    .addColumn('actor_subject', 'text', (column) => column.notNull())
    .addColumn('actor_role', 'varchar(32)', (column) => column.notNull())
    .addColumn('actor_address', 'varchar(64)')
    .addColumn('origin', 'varchar(64)', (column) => column.notNull())
    .addColumn('correlation_id', 'varchar(255)', (column) => column.notNull())
    .addColumn('before', 'text')
    .addColumn('after', 'text', (column) => column.notNull())
    .execute();
  await createIndex(db, { name: 'master_audit_hq', table: 'master_audit', columns: ['hq_id', 'id'] });
  await makeAppendOnly(db, 'master_audit', 'the audit is append-only');
}
