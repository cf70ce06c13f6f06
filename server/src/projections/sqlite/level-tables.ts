import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isFresh, LevelMerge, rowMismatch } from '../level-merge.ts';
import { LEVELS_VERSION, type LevelChange, type showQuantities } from '../levels.ts';
import type { NumberedEntry, ProjectionTables, ProjectionWriter, Suffix } from './projection-tables.ts';

export const levelTables: ProjectionTables = {
  name: 'levels',
  version: LEVELS_VERSION,
  tables: ['levels'],
  create: (suffix) => `
    create table levels${suffix} (
      level_id integer primary key,
      on_hand integer not null check (on_hand >= 0),
      reserved integer not null check (reserved >= 0),
      version integer not null check (version > 0),
      safety_stock integer,
      low_threshold integer,
      counted_at integer,
      count_seq integer,
      updated_at integer not null,
      updated_seq integer not null
    ) strict;`,
  open: (database, _keys, suffix) => new LevelWriter(database, suffix),
};

/**
 * Changes of one level within a batch become one guarded update: it finds the row as the first of them found it, or
 * changes nothing. So the check with state costs no read.
 */
class LevelWriter implements ProjectionWriter {
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #own: StatementSync;
  readonly #counted: StatementSync;
  readonly #find: StatementSync;
  #merge = new LevelMerge<number>();

  constructor(database: DatabaseSync, suffix: Suffix) {
    const table = `levels${suffix}`;
    this.#insert = database.prepare(
      `insert into ${table} (level_id, on_hand, reserved, version, updated_at, updated_seq) values (?, ?, ?, ?, ?, ?)
       on conflict do nothing`,
    );
    this.#update = database.prepare(
      `update ${table} set on_hand = ?, reserved = ?, version = ?, updated_at = ?, updated_seq = ?
       where level_id = ? and on_hand = ? and reserved = ? and version = ?`,
    );
    this.#own = database.prepare(`update ${table} set safety_stock = ?, low_threshold = ? where level_id = ?`);
    this.#counted = database.prepare(`update ${table} set counted_at = ?, count_seq = ? where level_id = ?`);
    this.#find = database.prepare(`select on_hand as onHand, reserved, version from ${table} where level_id = ?`);
  }

  apply({ entry, changes, levelIds }: NumberedEntry): void {
    for (let index = 0; index < changes.length; index += 1) {
      this.#merge.add(levelIds[index] as number, entry, changes[index] as NumberedEntry['changes'][number]);
    }
  }

  flush(): void {
    for (const [levelId, change] of this.#merge.changes) {
      this.#write(levelId, change);
      const { own, lastCount } = change;
      if (own !== null) this.#own.run(own.safetyStock, own.lowThreshold, levelId);
      if (lastCount !== null) this.#counted.run(lastCount.countedAt, lastCount.seq, levelId);
    }
    this.discard();
  }

  #write(levelId: number, change: LevelChange): void {
    const { before, after, at, seq } = change;
    const { changes } = isFresh(change)
      ? this.#insert.run(levelId, after.onHand, after.reserved, after.version, at, seq)
      : this.#update.run(
          after.onHand,
          after.reserved,
          after.version,
          at,
          seq,
          levelId,
          before.onHand,
          before.reserved,
          before.version,
        );
    if (changes === 1) return;
    const row = this.#find.get(levelId) as unknown as Parameters<typeof showQuantities>[0] | undefined;
    throw rowMismatch(change, row);
  }

  discard(): void {
    this.#merge = new LevelMerge();
  }
}
