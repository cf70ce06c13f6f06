import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createTable, idType, longTextType } from './dialect.ts';

/** Partitions that wait for an operator (`wait` is set), and the epochs under which an operator has let them go on. */
export const partitionStates: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'partition_states')
      .addColumn('partition_id', 'integer', (column) => column.primaryKey())
      .addColumn('wait', idType(db, 32))
      .addColumn('reason', longTextType(db))
      .addColumn('since', sql`bigint`)
      .addColumn('seen_epoch', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('resumed', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('accepted_epoch', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
  },
};
