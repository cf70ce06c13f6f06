/** What a start is held against: the rows that an engine is filled with, read by plain SQL and nothing made of them. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { serveCalls } from '../harness/child-process.ts';

const LEVELS = `
  select k.hq_no, k.store_id, k.product_id, l.on_hand, l.reserved, l.version, l.safety_stock, l.low_threshold,
    l.counted_at, l.count_seq
  from levels l join level_keys k on k.level_id = l.level_id`;
const OPEN_RESERVATIONS = 'select * from open_reservations';
const OPERATIONS = `
  select partition_id, seq, at, hq_id, operation_id, fingerprint from entries
  where at >= ? and operation_id is not null order by partition_id, seq`;
const WINDOW_MS = 3_600_000;

function count(database: DatabaseSync, sql: string, ...values: number[]): number {
  let rows = 0;
  for (const _row of database.prepare(sql).iterate(...values)) rows += 1;
  return rows;
}

serveCalls({
  read(folder: string): { levels: number; reservations: number; operations: number } {
    const projections = new DatabaseSync(join(folder, 'projections.db'), { readOnly: true });
    const ledger = new DatabaseSync(join(folder, 'ledger.db'), { readOnly: true });
    for (const database of [projections, ledger]) database.exec('pragma cache_size = -65536');
    const levels = count(projections, LEVELS);
    const reservations = count(projections, OPEN_RESERVATIONS);
    const operations = count(ledger, OPERATIONS, Date.now() - WINDOW_MS);
    projections.close();
    ledger.close();
    return { levels, reservations, operations };
  },
});
