import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createTable } from './dialect.ts';

/** As many as two hexadecimal digits tell apart, with which the hash of a key begins. */
const GROUPS = 256;

/**
 * Keys of dead letters by the beginning of their hash. Whoever opens or ends a letter that others wait behind counts its
 * group up in the same transaction, so that whoever has read a group need not read it again before that.
 */
export const letterKeyGroups: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createTable(db, 'dead_letter_key_groups')
      .addColumn('key_group', 'integer', (column) => column.primaryKey())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .execute();
    const groups = db as Kysely<{ dead_letter_key_groups: { key_group: number; version: number } }>;
    // One that was interrupted has left some.
    await groups.deleteFrom('dead_letter_key_groups').execute();
    const rows = Array.from({ length: GROUPS }, (_, key_group) => ({ key_group, version: 0 }));
    await groups.insertInto('dead_letter_key_groups').values(rows).execute();
  },
};
