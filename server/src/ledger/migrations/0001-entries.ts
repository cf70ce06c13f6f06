import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * The entries and the cursor of each partition. An operation id is unique per HQ: in SQLite through the index beside
 * the ledger (`operation-index.ts`).
 */
export const entries: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('installation')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('installation_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('entries')
      .addColumn('partition_id', 'integer', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'varchar(64)', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('hq_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('operation_id', 'varchar(128)')
      .addColumn('fingerprint', 'varchar(64)')
      .addColumn('duplicate_of', 'bigint')
      .addColumn('type', 'varchar(32)', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('entries_pk', ['partition_id', 'seq'])
      .execute();
    await sql`create index entries_duplicates on entries (partition_id, seq) where duplicate_of is not null`.execute(
      db,
    );
    await db.schema
      .createTable('cursors')
      .addColumn('partition_id', 'integer', (column) => column.primaryKey())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'varchar(64)', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
    for (const event of ['update', 'delete'] as const) {
      await sql`
        create trigger ${sql.raw(`entries_no_${event}`)} before ${sql.raw(event)} on entries
        begin select raise(abort, 'entries are append-only'); end
      `.execute(db);
    }
  },
};
