import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  foldLevelChange,
  LEVELS_VERSION,
  type LevelChange,
  levelChangeOf,
  sameQuantities,
  showQuantities,
} from '../levels.ts';
import { ProjectionMismatch } from '../projection.ts';
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
  readonly #changes = new Map<number, LevelChange>();

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
      const change = levelChangeOf(entry, changes[index] as NumberedEntry['changes'][number]);
      if (change.after.onHand < 0 || change.after.reserved < 0)
        throw this.#mismatch(change, 'it drives the level below zero');
      const levelId = levelIds[index] as number;
      const earlier = this.#changes.get(levelId);
      if (earlier === undefined) this.#changes.set(levelId, change);
      else if (!foldLevelChange(earlier, change)) {
        throw this.#mismatch(change, `the entries before it left ${showQuantities(earlier.after)}`);
      }
    }
  }

  flush(): void {
    for (const [levelId, change] of this.#changes) {
      this.#write(levelId, change);
      const { own, lastCount } = change;
      if (own !== null) this.#own.run(own.safetyStock, own.lowThreshold, levelId);
      if (lastCount !== null) this.#counted.run(lastCount.countedAt, lastCount.seq, levelId);
    }
    this.#changes.clear();
  }

  #write(levelId: number, change: LevelChange): void {
    const { before, after, at, seq } = change;
    const fresh = before.version === 0 && sameQuantities(before, { onHand: 0, reserved: 0, version: 0 });
    const { changes } = fresh
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
    throw this.#mismatch(change, `the projection has ${row === undefined ? 'no such level' : showQuantities(row)}`);
  }

  #mismatch({ first, before }: LevelChange, found: string): ProjectionMismatch {
    const { storeId, productId } = before;
    return new ProjectionMismatch(
      first,
      `level ${storeId}/${productId} was read as ${showQuantities(before)}; ${found}`,
    );
  }

  discard(): void {
    this.#changes.clear();
  }
}
