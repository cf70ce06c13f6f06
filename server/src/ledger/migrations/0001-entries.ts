import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createIndex, createTable, idType, isMariadb, longTextType, makeAppendOnly } from './dialect.ts';

/**
 * The entries and the cursor of each partition. An operation id is unique per HQ: in MariaDB by a key of the table, in
 * SQLite through the index beside the ledger (`operation-index.ts`).
 */
export const entries: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'installation')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('installation_id', idType(db, 64), (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await createTable(db, 'entries')
      .addColumn('partition_id', 'integer', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('hash', idType(db, 64), (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('hq_id', idType(db, 64), (column) => column.notNull())
      .addColumn('operation_id', idType(db, 128))
      .addColumn('fingerprint', idType(db, 64))
      .addColumn('duplicate_of', 'bigint')
      .addColumn('type', idType(db, 32), (column) => column.notNull())
      .addColumn('body', longTextType(db), (column) => column.notNull())
      .addPrimaryKeyConstraint('entries_pk', ['partition_id', 'seq'])
      .execute();
    await createIndex(db, {
      name: 'entries_duplicates',
      table: 'entries',
      columns: ['partition_id', 'seq'],
      onlyWhereSet: 'duplicate_of',
    });
    if (isMariadb(db)) {
      const columns = ['hq_id', 'operation_id'];
      await createIndex(db, { name: 'entries_operation', table: 'entries', columns, unique: true });
    }
    await createTable(db, 'cursors')
      .addColumn('partition_id', 'integer', (column) => column.primaryKey())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('hash', idType(db, 64), (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
    await makeAppendOnly(db, 'entries', 'entries are append-only');
  },
};
