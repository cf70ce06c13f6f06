/** The statements of the tables of master data. */
import type { Connection } from 'mariadb';
import type { MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import { type InsertTarget, insertRows, type SqlValue } from '../../ledger/mariadb/multi-row-insert.ts';
import type { ConfiguredMark, MasterChange, Pending, Product, PutResult, Store } from '../catalog.ts';
import {
  AUDIT_PROVENANCE_COLUMNS,
  auditProvenance,
  decidePut,
  type MasterRow,
  type Revisions,
} from '../master-rows.ts';
import { type MasterTable, PRODUCTS, STORES } from './master-tables.ts';

const IDS_PER_READ = 500;

const AUDIT: InsertTarget = {
  table: 'master_audit',
  columns: ['at', 'hq_id', 'kind', 'subject_id', ...AUDIT_PROVENANCE_COLUMNS, '`before`', '`after`'],
  longest: 10,
};

type Known<Row> = Map<string, { row: Row; revisions: Revisions }>;

/** Writes rows of one HQ, one after the other as far as anybody can tell. The HQ's own row must be locked. */
export async function putRows<Row extends MasterRow>(
  connection: Connection,
  table: MasterTable<Row>,
  change: MasterChange,
  rows: readonly Row[],
): Promise<PutResult[]> {
  const known = await lockRows(connection, table, change.hqId, rows.map(table.idOf));
  const written = new Set<string>();
  const audit: SqlValue[][] = [];
  const results = rows.map((row) => {
    const id = table.idOf(row);
    const { result, write } = decidePut(known.get(id) ?? null, row);
    if (write === null) return result;
    known.set(id, { row, revisions: write.revisions });
    written.add(id);
    audit.push([change.at, change.hqId, table.kind, id, ...auditProvenance(change), write.before, write.after]);
    return result;
  });
  await insertRows(connection, upsertOf(table), valuesOf(table, change.hqId, known, written));
  await insertRows(connection, AUDIT, audit);
  return results;
}

/** Writes a row unless there is one. The HQ's own row must be locked. */
export async function addRow<Row extends MasterRow>(
  connection: Connection,
  table: MasterTable<Row>,
  change: MasterChange,
  row: Row,
): Promise<PutResult> {
  const known = await lockRows(connection, table, change.hqId, [table.idOf(row)]);
  const there = known.get(table.idOf(row))?.row ?? row;
  const [result] = await putRows(connection, table, change, [there]);
  return result as PutResult;
}

async function lockRows<Row extends MasterRow>(
  connection: Connection,
  table: MasterTable<Row>,
  hqId: string,
  ids: readonly string[],
): Promise<Known<Row>> {
  const known: Known<Row> = new Map();
  for (let from = 0; from < ids.length; from += IDS_PER_READ) {
    const some = ids.slice(from, from + IDS_PER_READ);
    const found = await connection.query<(Row & Revisions)[]>(
      `select ${fieldsOf(table)}, revision, configured_revision as configuredRevision from ${table.name}
       where hq_id = ? and ${table.idColumn} in (${some.map(() => '?').join(', ')})
       order by ${table.idColumn} for update`,
      [hqId, ...some],
    );
    for (const { revision, configuredRevision, ...row } of found) {
      const plain = row as unknown as Row;
      known.set(table.idOf(plain), { row: plain, revisions: { revision, configuredRevision } });
    }
  }
  return known;
}

function upsertOf<Row>({ name, columns }: MasterTable<Row>): InsertTarget {
  const all = ['hq_id', ...columns.map(([column]) => column), 'revision', 'configured_revision'];
  const updates = all.slice(2).map((column) => `${column} = values(${column})`);
  return { table: name, columns: all, longest: 2, onDuplicate: ` on duplicate key update ${updates.join(', ')}` };
}

function valuesOf<Row extends MasterRow>(
  table: MasterTable<Row>,
  hqId: string,
  known: Known<Row>,
  written: ReadonlySet<string>,
): SqlValue[][] {
  return [...written].sort().map((id) => {
    const { row, revisions } = known.get(id) as { row: Row; revisions: Revisions };
    const fields = table.columns.map(([, field]) => row[field] as SqlValue);
    return [hqId, ...fields, revisions.revision, revisions.configuredRevision];
  });
}

/** Notes what the engine has heard of; returns the row if it was written again since. */
export async function configure(connection: Connection, hqId: string, mark: ConfiguredMark): Promise<Pending | null> {
  const { kind, id, revision } = mark;
  const { name, idColumn } = kind === 'store' ? STORES : PRODUCTS;
  await connection.query(
    `update ${name} set configured_revision = ? where hq_id = ? and ${idColumn} = ? and configured_revision < ?`,
    [revision, hqId, id, revision],
  );
  const newer =
    kind === 'store'
      ? (await lockRows(connection, STORES, hqId, [id])).get(id)
      : (await lockRows(connection, PRODUCTS, hqId, [id])).get(id);
  if (newer === undefined || newer.revisions.revision <= revision) return null;
  return { kind, hqId, revision: newer.revisions.revision, row: newer.row } as Pending;
}

/** Rows of every HQ that wait for the engine. */
export async function pendingOf<Row extends MasterRow>(
  reader: MariadbPool,
  table: MasterTable<Row>,
  limit: number,
): Promise<Pending[]> {
  const rows = await reader.read<Row & { hqId: string; revision: number }>(
    `select hq_id as hqId, revision, ${fieldsOf(table)} from ${table.name} where configured_revision < revision limit ?`,
    [limit],
  );
  return rows.map(({ hqId, revision, ...row }) => {
    return { kind: table.kind, hqId, revision, row: row as unknown as Store | Product } as Pending;
  });
}

export async function readRow<Row>(
  reader: MariadbPool,
  table: MasterTable<Row>,
  hqId: string,
  id: string,
): Promise<Row | null> {
  const [row] = await reader.read<Row>(
    `select ${fieldsOf(table)} from ${table.name} where hq_id = ? and ${table.idColumn} = ?`,
    [hqId, id],
  );
  return row ?? null;
}

/** By id, in the order of its bytes, after an id. */
export function readPage<Row>(
  reader: MariadbPool,
  table: MasterTable<Row>,
  hqId: string,
  afterId: string,
  limit: number,
): Promise<Row[]> {
  return reader.read<Row>(
    `select ${fieldsOf(table)} from ${table.name} where hq_id = ? and ${table.idColumn} > ?
     order by ${table.idColumn} limit ?`,
    [hqId, afterId, limit],
  );
}

function fieldsOf<Row>({ columns }: MasterTable<Row>): string {
  return columns.map(([column, field]) => `${column} as ${field}`).join(', ');
}
