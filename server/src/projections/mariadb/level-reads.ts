/** Levels in the order of store, then product; one statement for each page, whatever settings apply to it. */
import type { Connection } from 'mariadb';
import type { Settings } from '../../stock/commands.ts';
import { available } from '../../stock/entry.ts';
import { partitionOf } from '../../stock/identifiers.ts';
import type { LevelQuery, LevelRow, OnHandThen } from '../history-reads.ts';
import type { Keyed, LevelPageKey, Rows } from '../projection-store.ts';
import { effectiveSettings, type SettingKind, UNSET } from '../settings.ts';
import { seqAt } from './ledger-rows.ts';
import type { TableNames } from './projection-tables.ts';

/** Levels that are looked at in one statement. */
const SCAN_MAX = 2_000;

interface FoundLevel {
  storeId: string;
  productId: string;
  onHand: number;
  reserved: number;
  version: number;
  safetyStock: number | null;
  lowThreshold: number | null;
  updatedAt: number;
  storeSettings: string | null;
  productSettings: string | null;
  ownSettings: string | null;
  stateThen: string | null;
}

/** One step of a page: looks at no more than `SCAN_MAX` levels; `next` resumes after them. */
export async function readLevels(
  connection: Connection,
  tables: TableNames,
  query: Keyed<LevelQuery, LevelPageKey>,
): Promise<Rows<LevelRow, LevelPageKey>> {
  const seq = query.asOf === undefined ? null : await seqAt(connection, partitionOf(query.hqId), query.asOf);
  const scanned = query.lowStock === true || seq !== null ? SCAN_MAX : query.limit + 1;
  const found = await scan(connection, tables, query, { seq, limit: scanned });
  const items: LevelRow[] = [];
  for (const level of found) {
    const row = rowOf(query.hqId, level, seq !== null);
    if (row === null || (query.lowStock === true && !isLow(row))) continue;
    if (items.length === query.limit) return { items, next: keyOf(items.at(-1)) };
    items.push(row);
  }
  return { items, next: found.length < scanned ? null : keyOf(found.at(-1)) };
}

async function scan(
  connection: Connection,
  tables: TableNames,
  { hqId, storeId, productId, after }: Keyed<LevelQuery, LevelPageKey>,
  { seq, limit }: { seq: number | null; limit: number },
): Promise<FoundLevel[]> {
  const place = placeOf(storeId, productId, after ?? ['', '']);
  const upTo = seq ?? Number.MAX_SAFE_INTEGER;
  const then = seq === null ? 'null' : levelThen(tables, 'l', seq);
  const own = seq === null ? 'null' : settingThen(tables, 'level', ['l.store_id', 'l.product_id'], upTo);
  return await connection.query<FoundLevel[]>(
    `select l.store_id as storeId, l.product_id as productId, l.on_hand as onHand, l.reserved, l.version,
       l.safety_stock as safetyStock, l.low_threshold as lowThreshold, l.updated_at as updatedAt,
       ${settingThen(tables, 'store', ['l.store_id', "''"], upTo)} as storeSettings,
       ${settingThen(tables, 'product', ["''", 'l.product_id'], upTo)} as productSettings,
       ${own} as ownSettings, ${then} as stateThen
     from ${tables('levels')} l where l.partition_id = ? and l.hq_id = ? and ${place.condition}
     order by l.store_id, l.product_id limit ?`,
    [partitionOf(hqId), hqId, ...place.values, limit],
  );
}

/** The places that a query names, each a range of one index; a comparison of pairs would be none. */
function placeOf(
  storeId: string | undefined,
  productId: string | undefined,
  [afterStore, afterProduct]: LevelPageKey,
): { condition: string; values: string[] } {
  const beyond = '(l.store_id > ? or (l.store_id = ? and l.product_id > ?))';
  const after = [afterStore, afterStore, afterProduct];
  if (storeId !== undefined && productId !== undefined) {
    return { condition: `l.store_id = ? and l.product_id = ? and ${beyond}`, values: [storeId, productId, ...after] };
  }
  if (storeId !== undefined) {
    return { condition: 'l.store_id = ? and l.product_id > ?', values: [storeId, afterProduct] };
  }
  if (productId !== undefined) {
    return { condition: 'l.product_id = ? and l.store_id > ?', values: [productId, afterStore] };
  }
  return { condition: `l.store_id >= ? and ${beyond}`, values: [afterStore, ...after] };
}

/** The last setting at or before an entry, as `<safetyStock>/<lowThreshold>`, of the HQ of row `l`. */
function settingThen(tables: TableNames, kind: SettingKind, [store, product]: [string, string], seq: number): string {
  return `(select concat(coalesce(s.safety_stock, ''), '/', coalesce(s.low_threshold, '')) from ${tables('settings')} s
    where s.partition_id = l.partition_id and s.hq_id = l.hq_id and s.kind = '${kind}' and s.store_id = ${store}
      and s.product_id = ${product} and s.seq <= ${seq} order by s.seq desc limit 1)`;
}

/** A level's state right after an entry, as `<onHand>/<reserved>/<version>/<at>`. */
function levelThen(tables: TableNames, level: string, seq: number): string {
  return `(select concat(m.on_hand, '/', m.reserved, '/', m.version, '/', m.at) from ${tables('movements')} m
    where m.partition_id = ${level}.partition_id and m.hq_id = ${level}.hq_id and m.store_id = ${level}.store_id
      and m.product_id = ${level}.product_id and m.seq <= ${seq} order by m.seq desc, m.line desc limit 1)`;
}

function parseSettings(text: string | null): Settings {
  if (text === null) return UNSET;
  const [safetyStock = '', lowThreshold = ''] = text.split('/');
  return { safetyStock: numberOrNull(safetyStock), lowThreshold: numberOrNull(lowThreshold) };
}

function numberOrNull(text: string): number | null {
  return text === '' ? null : Number(text);
}

/** Null: the level did not exist then. */
function rowOf(hqId: string, level: FoundLevel, then: boolean): LevelRow | null {
  const { storeId, productId } = level;
  if (then && level.stateThen === null) return null;
  const own = then ? parseSettings(level.ownSettings) : level;
  const effective = effectiveSettings(own, parseSettings(level.productSettings), parseSettings(level.storeSettings));
  const [onHand = 0, reserved = 0, version = 0, updatedAt = 0] =
    level.stateThen === null
      ? [level.onHand, level.reserved, level.version, level.updatedAt]
      : level.stateThen.split('/').map(Number);
  return { hqId, storeId, productId, onHand, reserved, version, updatedAt, ...effective };
}

interface CountedLevel {
  storeId: string;
  productId: string;
  countedAt: number | null;
  countSeq: number | null;
  stateThen: string | null;
  difference: number;
}

/** On hand at an instant, counts booked later but taken before it included. */
export async function onHandAt(
  connection: Connection,
  tables: TableNames,
  { hqId, keys, at }: { hqId: string; keys: readonly { storeId: string; productId: string }[]; at: number },
): Promise<OnHandThen[]> {
  const partition = partitionOf(hqId);
  const seq = await seqAt(connection, partition, at);
  const rows = await connection.query<CountedLevel[]>(
    `select l.store_id as storeId, l.product_id as productId, l.counted_at as countedAt, l.count_seq as countSeq,
       ${levelThen(tables, 'l', seq)} as stateThen,
       (select cast(coalesce(sum(c.difference), 0) as signed) from ${tables('counts')} c
        where c.partition_id = l.partition_id and c.hq_id = l.hq_id and c.store_id = l.store_id
          and c.product_id = l.product_id and c.seq > ? and c.counted_at <= ?) as difference
     from ${KEYS_TABLE} straight_join ${tables('levels')} l
       on l.partition_id = ? and l.hq_id = ? and l.store_id = k.store_id and l.product_id = k.product_id`,
    [seq, at, keysJson(keys), partition, hqId],
  );
  const found = new Map(rows.map((row) => [`${row.storeId}/${row.productId}`, row]));
  return keys.map(({ storeId, productId }) => {
    const level = found.get(`${storeId}/${productId}`);
    if (level === undefined) return { storeId, productId, onHand: 0, lastCount: null };
    const { countedAt, countSeq, stateThen, difference } = level;
    const lastCount = countedAt === null || countSeq === null ? null : { countedAt, seq: countSeq };
    const then = stateThen === null ? 0 : Number(stateThen.split('/')[0]);
    return { storeId, productId, onHand: then + difference, lastCount };
  });
}

const ID_COLUMN = 'varchar(64) character set ascii collate ascii_bin';

/** Many keys in one parameter, each found by one look-up; as a list of pairs the server would scan past 1 000 of them. */
const KEYS_TABLE = `json_table(?, '$[*]' columns (
  store_id ${ID_COLUMN} path '$[0]', product_id ${ID_COLUMN} path '$[1]')) k`;

function keysJson(keys: readonly { storeId: string; productId: string }[]): string {
  return JSON.stringify(keys.map(({ storeId, productId }) => [storeId, productId]));
}

function isLow(level: LevelRow): boolean {
  return level.lowThreshold !== null && available(level) <= level.lowThreshold;
}

function keyOf(row: { storeId: string; productId: string } | undefined): LevelPageKey | null {
  return row === undefined ? null : [row.storeId, row.productId];
}
