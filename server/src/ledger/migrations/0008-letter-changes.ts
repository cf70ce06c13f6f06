import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addColumn, createIndex, longTextType } from './dialect.ts';

/** Who has seen to a dead letter last, and when (epoch milliseconds); both are null until somebody has. */
export const letterChanges: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await addColumn(db, 'dead_letters', 'changed_by', longTextType(db), { nullable: true });
    await addColumn(db, 'dead_letters', 'changed_at', sql`bigint`, { nullable: true });
    const line = ['key_hash', 'topic', 'changed_at'];
    await createIndex(db, { name: 'dead_letters_changed', table: 'dead_letters', columns: line });
  },
};
