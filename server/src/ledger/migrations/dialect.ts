/**
 * What the migrations say differently to SQLite and to MariaDB or MySQL. There, a statement of schema is not undone
 * with the rest of a migration: one that was interrupted runs again over what it has left, so each statement here
 * passes over what is already done.
 */
import { type CreateTableBuilder, type Kysely, MysqlAdapter, type RawBuilder, sql } from 'kysely';

type Database = Kysely<unknown>;

/** MySQL counts as well. */
export function isMariadb(db: Database): boolean {
  return db.getExecutor().adapter instanceof MysqlAdapter;
}

/** Ids are ASCII and compared byte by byte: the usual collation ignores case, and two ids would be one. */
export function idType(db: Database, length: number): RawBuilder<unknown> {
  return sql.raw(`varchar(${length})${isMariadb(db) ? ' character set ascii collate ascii_bin' : ''}`);
}

/** Text of any length: an entry of 500 lines has 60 KB, the expiry of 100 such holds some megabytes. */
export function longTextType(db: Database): RawBuilder<unknown> {
  return sql.raw(isMariadb(db) ? 'longtext' : 'text');
}

/** Bytes as they came, up to some megabytes. */
export function longBytesType(db: Database): RawBuilder<unknown> {
  return sql.raw(isMariadb(db) ? 'longblob' : 'blob');
}

/** A table whose text is kept and compared as it is. */
export function createTable(db: Database, name: string): CreateTableBuilder<string, string> {
  const table = db.schema.createTable(name) as CreateTableBuilder<string, string>;
  if (!isMariadb(db)) return table;
  return table
    .ifNotExists()
    .modifyEnd(sql.raw('engine = InnoDB row_format = dynamic default character set utf8mb4 collate utf8mb4_bin'));
}

export async function addColumn(
  db: Database,
  table: string,
  column: string,
  type: RawBuilder<unknown>,
  { nullable = false } = {},
): Promise<void> {
  const tables = await db.introspection.getTables();
  const there = tables.find(({ name }) => name === table)?.columns.some(({ name }) => name === column);
  if (!there)
    await db.schema
      .alterTable(table)
      .addColumn(column, type, (built) => (nullable ? built : built.notNull()))
      .execute();
}

export interface Index {
  name: string;
  table: string;
  columns: string[];
  unique?: boolean;
  /** Only rows where this column is set are looked for. MariaDB has no index of some rows: there it is put in front. */
  onlyWhereSet?: string;
}

export async function createIndex(db: Database, index: Index): Promise<void> {
  const { name, table, columns, unique = false, onlyWhereSet } = index;
  if (isMariadb(db)) {
    const found = await sql`
      select 1 from information_schema.statistics
      where table_schema = database() and table_name = ${table} and index_name = ${name}`.execute(db);
    if (found.rows.length > 0) return;
  }
  const sparse = onlyWhereSet !== undefined && !isMariadb(db);
  const keys = onlyWhereSet === undefined || sparse ? columns : [onlyWhereSet, ...columns];
  const condition = sparse ? ` where ${onlyWhereSet} is not null` : '';
  await sql
    .raw(`create ${unique ? 'unique ' : ''}index ${name} on ${table} (${keys.join(', ')})${condition}`)
    .execute(db);
}

/** Lets triggers refuse every update and delete of a table's rows. */
export async function makeAppendOnly(db: Database, table: string, refusal: string): Promise<void> {
  const body = isMariadb(db)
    ? `for each row signal sqlstate '45000' set message_text = '${refusal}'`
    : `begin select raise(abort, '${refusal}'); end`;
  for (const event of ['update', 'delete']) {
    const trigger = `${table}_no_${event}`;
    if (isMariadb(db)) await sql.raw(`drop trigger if exists ${trigger}`).execute(db);
    await sql.raw(`create trigger ${trigger} before ${event} on ${table} ${body}`).execute(db);
  }
}
