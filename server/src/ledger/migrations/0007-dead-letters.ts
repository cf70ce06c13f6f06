import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createIndex, createTable, idType, longBytesType, longTextType } from './dialect.ts';

/**
 * Messages that could not be handled, and those that wait behind them. A message is known by its place and by when the
 * broker took it: a topic that was made anew counts from zero again. Keys may be of any length and hold anything, so
 * they are found by their hash. `dead_letter_lines` has a row for every key that ever had a letter: whoever changes
 * what waits for a key locks it first.
 */
export const deadLetters: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'dead_letters')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('topic', idType(db, 32), (column) => column.notNull())
      .addColumn('partition_id', 'integer', (column) => column.notNull())
      .addColumn('message_offset', idType(db, 20), (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('message_key', longTextType(db))
      .addColumn('headers', longTextType(db), (column) => column.notNull())
      .addColumn('value', longBytesType(db))
      .addColumn('letter_key', longTextType(db))
      .addColumn('key_hash', idType(db, 64))
      .addColumn('in_line', 'integer', (column) => column.notNull())
      .addColumn('hq_id', idType(db, 64))
      .addColumn('order_id', longTextType(db))
      .addColumn('event_id', longTextType(db))
      .addColumn('code', idType(db, 32), (column) => column.notNull())
      .addColumn('reason', longTextType(db), (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('status', idType(db, 16), (column) => column.notNull())
      .addColumn('corrected', 'integer', (column) => column.notNull())
      .addColumn('received_at', 'bigint', (column) => column.notNull())
      .addColumn('claim', idType(db, 64))
      .addColumn('claimed_until', 'bigint', (column) => column.notNull())
      .addColumn('unsent', sql`integer`)
      .execute();
    const place = ['topic', 'partition_id', 'message_offset', 'at'];
    await createIndex(db, { name: 'dead_letters_place', table: 'dead_letters', columns: place, unique: true });
    const line = ['key_hash', 'topic', 'status', 'id'];
    await createIndex(db, { name: 'dead_letters_line', table: 'dead_letters', columns: line });
    await createIndex(db, { name: 'dead_letters_status', table: 'dead_letters', columns: ['status', 'id'] });
    const unsent = { name: 'dead_letters_unsent', table: 'dead_letters', columns: ['id'], onlyWhereSet: 'unsent' };
    await createIndex(db, unsent);
    await createTable(db, 'dead_letter_lines')
      .addColumn('topic', idType(db, 32), (column) => column.notNull())
      .addColumn('key_hash', idType(db, 64), (column) => column.notNull())
      .addPrimaryKeyConstraint('dead_letter_lines_pk', ['topic', 'key_hash'])
      .execute();
  },
};
