import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SETTINGS_VERSION, settingChangeOf } from '../settings.ts';
import type { NumberedEntry, ProjectionTables, ProjectionWriter, Suffix } from './projection-tables.ts';

export const settingsTables: ProjectionTables = {
  name: 'settings',
  version: SETTINGS_VERSION,
  tables: ['settings'],
  create: (suffix) => `
    create table settings${suffix} (
      hq_no integer not null,
      kind text not null check (kind in ('store', 'product', 'level')),
      store_id text not null,
      product_id text not null,
      seq integer not null,
      safety_stock integer,
      low_threshold integer,
      primary key (hq_no, kind, store_id, product_id, seq)
    ) strict, without rowid;`,
  open: (database, _keys, suffix) => new SettingsWriter(database, suffix),
};

class SettingsWriter implements ProjectionWriter {
  readonly #insert: StatementSync;

  constructor(database: DatabaseSync, suffix: Suffix) {
    this.#insert = database.prepare(
      `insert into settings${suffix} (hq_no, kind, store_id, product_id, seq, safety_stock, low_threshold)
       values (?, ?, ?, ?, ?, ?, ?)`,
    );
  }

  apply({ entry, hqNo }: NumberedEntry): void {
    const change = settingChangeOf(entry);
    if (change === null) return;
    const { kind, storeId, productId, settings } = change;
    this.#insert.run(hqNo, kind, storeId, productId, entry.seq, settings.safetyStock, settings.lowThreshold);
  }

  flush(): void {}

  discard(): void {}
}
