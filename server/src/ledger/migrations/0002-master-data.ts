import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * HQs, stores, products and their audit. `revision` counts the writes of a row, `configured_revision` the last one
 * that the engine has heard of: where it lags behind, a crash came between the two.
 */
export const masterData: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('hqs')
      .addColumn('hq_id', 'varchar(64)', (column) => column.primaryKey())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('stores')
      .addColumn('hq_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('store_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('type', 'text')
      .addColumn('city', 'text')
      .addColumn('opened_at', 'varchar(32)')
      .addColumn('low_threshold', 'bigint')
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('configured_revision', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('stores_pk', ['hq_id', 'store_id'])
      .execute();
    await db.schema
      .createTable('products')
      .addColumn('hq_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('product_id', 'varchar(64)', (column) => column.notNull())
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
  await db.schema
    .createTable('master_audit')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('hq_id', 'varchar(64)', (column) => column.notNull())
    .addColumn('kind', 'varchar(16)', (column) => column.notNull())
    .addColumn('subject_id', 'varchar(64)', (column) => column.notNull())
    .addColumn('actor_subject', 'varchar(255)', (column) => column.notNull())
    .addColumn('actor_role', 'varchar(32)', (column) => column.notNull())
    .addColumn('actor_address', 'varchar(64)')
    .addColumn('origin', 'varchar(64)', (column) => column.notNull())
    .addColumn('correlation_id', 'varchar(255)', (column) => column.notNull())
    .addColumn('before', 'text')
    .addColumn('after', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('master_audit_hq').on('master_audit').columns(['hq_id', 'id']).execute();
  for (const event of ['update', 'delete'] as const) {
    await sql`
      create trigger ${sql.raw(`master_audit_no_${event}`)} before ${sql.raw(event)} on master_audit
      begin select raise(abort, 'the audit is append-only'); end
    `.execute(db);
  }
}
