import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addColumn, createIndex, createTable, idType, longTextType } from './dialect.ts';

/**
 * What a ledger needs that several processes record into: the names of entries in the engine's journal, the recorders
 * that live and the partitions that each of them has, and, one row each, entries that were refused. A recorder's lease is in the
 * database's own time.
 */
export const sharedRecording: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await addColumn(db, 'installation', 'partitioning', idType(db, 32));
    await addColumn(db, 'entries', 'mark', idType(db, 64));
    await addColumn(db, 'entries', 'epoch', sql`bigint`);
    await addColumn(db, 'cursors', 'mark', idType(db, 64));
    await createTable(db, 'recorders')
      .addColumn('node_id', idType(db, 64), (column) => column.primaryKey())
      .addColumn('lease_until', 'bigint', (column) => column.notNull())
      .execute();
    await createTable(db, 'owners')
      .addColumn('partition_id', 'integer', (column) => column.primaryKey())
      .addColumn('node_id', idType(db, 64))
      .execute();
    await createTable(db, 'evidence')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('partition_id', 'integer', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('reason', longTextType(db), (column) => column.notNull())
      .addColumn('body', longTextType(db), (column) => column.notNull())
      .execute();
    await createIndex(db, { name: 'evidence_partition', table: 'evidence', columns: ['partition_id', 'id'] });
  },
};
