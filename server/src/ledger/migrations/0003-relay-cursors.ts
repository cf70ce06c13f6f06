import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** How far the relay has published each partition. */
export const relayCursors: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('relay_cursors')
      .addColumn('partition_id', 'integer', (column) => column.primaryKey())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .execute();
  },
};
