import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createIndex, createTable, idType, longTextType } from './dialect.ts';

/** Events that were handed in over HTTP and are not handled, or not forwarded to Kafka, yet. */
export const inbox: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'inbox')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('topic', idType(db, 32), (column) => column.notNull())
      .addColumn('message_key', 'varchar(255)', (column) => column.notNull())
      .addColumn('body', longTextType(db), (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
    await createIndex(db, { name: 'inbox_topic', table: 'inbox', columns: ['topic', 'id'] });
  },
};
