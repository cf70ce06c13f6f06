import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { countOf, MOVEMENTS_VERSION, referencesOf } from '../movements.ts';
import type { ChangedLevel } from '../projection.ts';
import type { NumberedEntry, ProjectionTables, ProjectionWriter, Suffix } from './projection-tables.ts';

/**
 * One tree, in the order of the level: the newest movement before an instant is one seek, and a page of a level one
 * range. All of an HQ is paged by its entries (`audit`), a store or a product by merging its levels; an index for
 * each of those would double the work of projecting a line.
 */
export const movementTables: ProjectionTables = {
  name: 'movements',
  version: MOVEMENTS_VERSION,
  tables: ['movements', 'counts', 'movement_references'],
  create: (suffix) => `
    create table movements${suffix} (
      level_id integer not null,
      seq integer not null,
      line integer not null,
      at integer not null,
      on_hand_change integer not null,
      reserved_change integer not null,
      on_hand integer not null check (on_hand >= 0),
      reserved integer not null check (reserved >= 0),
      version integer not null,
      primary key (level_id, seq, line)
    ) strict, without rowid;
    create table counts${suffix} (
      level_id integer not null,
      seq integer not null,
      counted_at integer not null,
      difference integer not null,
      primary key (level_id, seq)
    ) strict, without rowid;
    create table movement_references${suffix} (
      hq_no integer not null,
      reference text not null,
      seq integer not null,
      primary key (hq_no, reference, seq)
    ) strict, without rowid;`,
  open: (database, _keys, suffix) => new MovementWriter(database, suffix),
};

class MovementWriter implements ProjectionWriter {
  readonly #insert: StatementSync;
  readonly #insertCount: StatementSync;
  readonly #insertReference: StatementSync;

  constructor(database: DatabaseSync, suffix: Suffix) {
    this.#insert = database.prepare(
      `insert into movements${suffix}
       (level_id, seq, line, at, on_hand_change, reserved_change, on_hand, reserved, version)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertCount = database.prepare(
      `insert into counts${suffix} (level_id, seq, counted_at, difference) values (?, ?, ?, ?)`,
    );
    this.#insertReference = database.prepare(
      `insert into movement_references${suffix} (hq_no, reference, seq) values (?, ?, ?)`,
    );
  }

  apply({ entry, changes, hqNo, levelIds }: NumberedEntry): void {
    for (let index = 0; index < changes.length; index += 1) {
      const change = changes[index] as ChangedLevel;
      const levelId = levelIds[index] as number;
      const { line, after } = change;
      this.#insert.run(
        levelId,
        entry.seq,
        index,
        entry.at,
        line.onHandChange,
        line.reservedChange,
        after.onHand,
        after.reserved,
        after.version,
      );
      const count = countOf(entry, change);
      if (count !== null) this.#insertCount.run(levelId, entry.seq, count.countedAt, count.difference);
    }
    for (const reference of referencesOf(entry, changes)) this.#insertReference.run(hqNo, reference, entry.seq);
  }

  flush(): void {}

  discard(): void {}
}
