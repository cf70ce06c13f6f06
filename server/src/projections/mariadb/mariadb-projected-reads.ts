/** Projected rows for a recorder that does not remember what an entry says was read. */
import type { Connection } from 'mariadb';
import type { MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import type {
  ProjectedKeys,
  ProjectedLevel,
  ProjectedProduct,
  ProjectedReads,
  ProjectedRows,
} from '../../recording/cluster/projected-rows.ts';
import type { Settings } from '../../stock/commands.ts';
import { inSnapshot, readHolds } from './history-reader.ts';
import type { TableNames } from './projection-tables.ts';

interface LevelRow {
  n: number;
  onHand: number;
  reserved: number;
  version: number;
  safetyStock: number | null;
  lowThreshold: number | null;
  countedAt: number | null;
  countSeq: number | null;
}

interface SumRow {
  n: number;
  onHand: number;
  reserved: number;
  ownSafetyStock: number;
  followers: number;
}

export class MariadbProjectedReads implements ProjectedReads {
  readonly #pool: MariadbPool;

  /** `pool`: with autocommit. */
  constructor(pool: MariadbPool) {
    this.#pool = pool;
  }

  /** @throws LedgerUnavailable; HistoryBehind while tables of this version are built for the first time */
  read(keys: readonly ProjectedKeys[]): Promise<ProjectedRows[]> {
    return this.#pool.use((connection) =>
      inSnapshot(connection, (_, tables) => Promise.all(keys.map((each) => readPartition(connection, tables, each)))),
    );
  }
}

async function readPartition(connection: Connection, tables: TableNames, keys: ProjectedKeys): Promise<ProjectedRows> {
  const { partition } = keys;
  const [cursors, levels, sums, products, stores, holds] = await Promise.all([
    connection.query<{ seq: number }[]>(
      "select seq from projection_cursors where state = 'serving' and partition_id = ?",
      [partition],
    ),
    readLevels(connection, tables, keys),
    readSums(connection, tables, keys),
    readSettings(
      connection,
      tables,
      partition,
      'product',
      keys.products.map(({ hqId, productId }) => [hqId, '', productId]),
    ),
    readSettings(
      connection,
      tables,
      partition,
      'store',
      keys.stores.map(({ hqId, storeId }) => [hqId, storeId, '']),
    ),
    readHolds(connection, tables, partition, keys.reservationIds),
  ]);
  return {
    partition,
    seq: cursors[0]?.seq ?? 0,
    levels: keys.levels.map((_, n) => levels.get(n) ?? null),
    products: keys.products.map((_, n) => productOf(products.get(n) ?? null, sums.get(n))),
    stores: keys.stores.map((_, n) => stores.get(n) ?? null),
    holds: keys.reservationIds.map((reservationId) => holds.get(reservationId) ?? null),
  };
}

async function readLevels(
  connection: Connection,
  tables: TableNames,
  { partition, levels }: ProjectedKeys,
): Promise<Map<number, ProjectedLevel>> {
  if (levels.length === 0) return new Map();
  const rows = await connection.query<LevelRow[]>(
    `select k.n, l.on_hand as onHand, l.reserved, l.version, l.safety_stock as safetyStock,
       l.low_threshold as lowThreshold, l.counted_at as countedAt, l.count_seq as countSeq
     from ${NUMBERED_KEYS} straight_join ${tables('levels')} l on l.partition_id = ?
       and l.hq_id = k.hq_id and l.store_id = k.store_id and l.product_id = k.product_id`,
    [keysOf(levels.map(({ hqId, storeId, productId }) => [hqId, storeId, productId])), partition],
  );
  return new Map(
    rows.map(({ n, onHand, reserved, version, safetyStock, lowThreshold, countedAt, countSeq }) => {
      const lastCount = countedAt === null || countSeq === null ? null : { countedAt, seq: countSeq };
      return [n - 1, { onHand, reserved, version, own: { safetyStock, lowThreshold }, lastCount }];
    }),
  );
}

/** Sums over a product's levels, by the index that has them together. */
async function readSums(
  connection: Connection,
  tables: TableNames,
  { partition, products }: ProjectedKeys,
): Promise<Map<number, SumRow>> {
  if (products.length === 0) return new Map();
  const rows = await connection.query<SumRow[]>(
    `select k.n, cast(sum(l.on_hand) as signed) as onHand, cast(sum(l.reserved) as signed) as reserved,
       cast(coalesce(sum(l.safety_stock), 0) as signed) as ownSafetyStock,
       cast(sum(l.safety_stock is null) as signed) as followers
     from ${NUMBERED_KEYS} straight_join ${tables('levels')} l
       on l.partition_id = ? and l.hq_id = k.hq_id and l.product_id = k.product_id group by k.n`,
    [keysOf(products.map(({ hqId, productId }) => [hqId, '', productId])), partition],
  );
  return new Map(rows.map((row) => [row.n - 1, row]));
}

async function readSettings(
  connection: Connection,
  tables: TableNames,
  partition: number,
  kind: 'store' | 'product',
  keys: [hqId: string, storeId: string, productId: string][],
): Promise<Map<number, Settings>> {
  if (keys.length === 0) return new Map();
  const rows = await connection.query<(Settings & { n: number })[]>(
    `select k.n, s.safety_stock as safetyStock, s.low_threshold as lowThreshold
     from ${NUMBERED_KEYS} straight_join ${tables('settings')} s on s.partition_id = ? and s.hq_id = k.hq_id
       and s.kind = ? and s.store_id = k.store_id and s.product_id = k.product_id
     order by s.seq`,
    [keysOf(keys), partition, kind],
  );
  return new Map(rows.map(({ n, safetyStock, lowThreshold }) => [n - 1, { safetyStock, lowThreshold }]));
}

/** Null: neither was it configured, nor has it a level. */
function productOf(settings: Settings | null, sums: SumRow | undefined): ProjectedProduct | null {
  if (sums === undefined) return settings === null ? null : { settings, onHand: 0, reserved: 0, safetyStock: 0 };
  const { onHand, reserved, ownSafetyStock, followers } = sums;
  return { settings, onHand, reserved, safetyStock: ownSafetyStock + followers * (settings?.safetyStock ?? 0) };
}

const ID_COLUMN = 'varchar(64) character set ascii collate ascii_bin';
const NUMBERED_KEYS = `json_table(?, '$[*]' columns (n for ordinality, hq_id ${ID_COLUMN} path '$[0]',
  store_id ${ID_COLUMN} path '$[1]', product_id ${ID_COLUMN} path '$[2]')) k`;

function keysOf(keys: readonly (readonly [hqId: string, storeId: string, productId: string])[]): string {
  return JSON.stringify(keys);
}
