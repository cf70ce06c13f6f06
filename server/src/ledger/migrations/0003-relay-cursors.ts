import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createTable } from './dialect.ts';

/** How far the relay has published each partition. */
export const relayCursors: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'relay_cursors')
      .addColumn('partition_id', 'integer', (column) => column.primaryKey())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .execute();
  },
};
