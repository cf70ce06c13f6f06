import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { AUDIT_VERSION } from '../audit.ts';
import type { KeyTables } from './key-tables.ts';
import type { NumberedEntry, ProjectionTables, ProjectionWriter, Suffix } from './projection-tables.ts';

/** `lines` tells which entries moved stock, so that paging the movements of an HQ passes over refusals unread. */
export const auditTables: ProjectionTables = {
  name: 'audit',
  version: AUDIT_VERSION,
  tables: ['audit'],
  create: (suffix, generation) => `
    create table audit${suffix} (
      hq_no integer not null,
      seq integer not null,
      actor_no integer not null,
      lines integer not null,
      primary key (hq_no, seq)
    ) strict, without rowid;
    create index audit_by_actor_${generation} on audit${suffix} (actor_no, seq);`,
  open: (database, keys, suffix) => new AuditWriter(database, keys, suffix),
};

class AuditWriter implements ProjectionWriter {
  readonly #insert: StatementSync;
  readonly #keys: KeyTables;

  constructor(database: DatabaseSync, keys: KeyTables, suffix: Suffix) {
    this.#keys = keys;
    this.#insert = database.prepare(`insert into audit${suffix} (hq_no, seq, actor_no, lines) values (?, ?, ?, ?)`);
  }

  apply({ entry, hqNo }: NumberedEntry): void {
    this.#insert.run(hqNo, entry.seq, this.#keys.actorNo(hqNo, entry.actor.subject), entry.lines.length);
  }

  flush(): void {}

  discard(): void {}
}
