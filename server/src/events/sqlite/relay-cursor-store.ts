import type { DatabaseSync } from 'node:sqlite';

export function loadRelayCursors(database: DatabaseSync): [number, number][] {
  const rows = database.prepare('select partition_id, seq from relay_cursors').all();
  return (rows as { partition_id: number; seq: number }[]).map((row) => [row.partition_id, row.seq]);
}

export function saveRelayCursors(database: DatabaseSync, cursors: readonly [number, number][]): void {
  const save = database.prepare(
    `insert into relay_cursors (partition_id, seq) values (?, ?)
     on conflict (partition_id) do update set seq = excluded.seq where excluded.seq > relay_cursors.seq`,
  );
  database.exec('begin immediate');
  for (const [partition, seq] of cursors) save.run(partition, seq);
  database.exec('commit');
}
