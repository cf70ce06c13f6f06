import type { Connection } from 'mariadb';
import { type MariadbAccess, MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import { inSnapshot } from '../../projections/mariadb/history-reader.ts';
import { readPages } from '../../projections/mariadb/image-reader.ts';
import { readHeads, readInstallationId } from '../../projections/mariadb/ledger-rows.ts';
import type { TableNames } from '../../projections/mariadb/projection-tables.ts';
import { reservationKey } from '../../projections/reservations.ts';
import type { Entry } from '../../stock/entry.ts';
import { parseHold } from '../../stock/entry-codec.ts';
import { partitionOf, partitionOfReservation } from '../../stock/identifiers.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { LedgerRow } from '../entry-proof.ts';
import type {
  ChainPlace,
  CountedTable,
  EntryRows,
  HoldRow,
  LevelPlace,
  ProjectedLevelRow,
  WalkSource,
} from '../walk-source.ts';
import { readEntryRows } from './mariadb-entry-rows.ts';

/** Entries that one read returns at most, whatever was asked for: one may have 60 000 characters. */
const ENTRIES_MAX = 200;
/** A walk's steps are short; comparing all tables at its end is not. */
const SNAPSHOT_MS_MAX = 3_600_000;

type Reads = { connection: Connection; tables: TableNames };

/** The ledger and the projections in one database, so that a snapshot is of both. */
export class MariadbWalkSource implements WalkSource {
  readonly #pool: MariadbPool;
  /** The snapshot that is open. */
  #snapshot: Reads | null = null;

  constructor(access: MariadbAccess) {
    this.#pool = new MariadbPool(access, { connectionsMax: 1, autocommit: true });
  }

  /** Within the open snapshot, or one of its own. */
  async #read<T>(work: (reads: Reads) => Promise<T>): Promise<T> {
    if (this.#snapshot !== null) return await work(this.#snapshot);
    return await this.#pool.use((connection) => inSnapshot(connection, (_, tables) => work({ connection, tables })));
  }

  async inSnapshot(work: () => Promise<void>): Promise<void> {
    await this.#pool.use(
      (connection) =>
        inSnapshot(connection, async (_, tables) => {
          this.#snapshot = { connection, tables };
          try {
            await work();
          } finally {
            this.#snapshot = null;
          }
        }),
      SNAPSHOT_MS_MAX,
    );
  }

  installationId(): Promise<string> {
    return this.#read(({ connection }) => readInstallationId(connection));
  }

  heads(): Promise<ChainPlace[]> {
    return this.#read(({ connection }) => readHeads(connection));
  }

  lastEntries(): Promise<ChainPlace[]> {
    return this.#read(({ connection }) =>
      connection.query(
        `select e.partition_id as \`partition\`, e.seq, e.hash from entries e
         join (select partition_id, max(seq) as seq from entries group by partition_id) last
           on last.partition_id = e.partition_id and last.seq = e.seq`,
      ),
    );
  }

  entries(partition: number, afterSeq: number, upTo: number, limit: number): Promise<LedgerRow[]> {
    return this.#read(({ connection }) =>
      connection.query(
        `select partition_id as \`partition\`, seq, hash, at, hq_id as hqId, operation_id as operationId, fingerprint,
           duplicate_of as duplicateOf, type, body from entries
         where partition_id = ? and seq > ? and seq <= ? order by seq limit ?`,
        [partition, afterSeq, upTo, Math.min(limit, ENTRIES_MAX)],
      ),
    );
  }

  cursors(): Promise<ChainPlace[]> {
    return this.#read(({ connection }) =>
      connection.query(
        "select partition_id as `partition`, seq, hash from projection_cursors where state = 'serving' order by partition_id",
      ),
    );
  }

  rowsOf(entries: readonly Entry[]): Promise<EntryRows> {
    return this.#read(({ connection, tables }) => readEntryRows(connection, tables, entries));
  }

  /** To be read within a snapshot. */
  async *levels(): AsyncGenerator<ProjectedLevelRow[]> {
    const { connection, tables } = this.#open();
    for (const partition of PARTITIONS) {
      const pages = readPages<LevelColumns>(connection, {
        columns: `hq_id, store_id, product_id, on_hand, reserved, version, safety_stock, low_threshold, counted_at, count_seq`,
        table: tables('levels'),
        partition,
        key: ['hq_id', 'store_id', 'product_id'],
      });
      for await (const page of pages) yield page.map(levelOf);
    }
  }

  /** To be read within a snapshot. */
  async *openHolds(): AsyncGenerator<HoldRow[]> {
    const { connection, tables } = this.#open();
    for (const partition of PARTITIONS) {
      const pages = readPages<[reservationId: string, hqId: string, hold: string]>(connection, {
        columns: 'reservation_id, hq_id, hold',
        table: tables('open_reservations'),
        partition,
        key: ['reservation_id'],
      });
      for await (const page of pages) yield page.map(([, hqId, hold]) => ({ hqId, hold }));
    }
  }

  #open(): Reads {
    if (this.#snapshot === null) throw new Error('whole tables are read within a snapshot');
    return this.#snapshot;
  }

  countRows(table: CountedTable): Promise<number> {
    return this.#read(async ({ connection, tables }) => {
      const [row] = await connection.query<{ count: number }[]>(`select count(*) as count from ${tables(table)}`);
      return row?.count ?? 0;
    });
  }

  closedHold(reservationId: string): Promise<string | null> {
    return this.#read(async ({ connection, tables }) => {
      const rows = await connection.query<{ hold: string }[]>(
        `select hold from ${tables('closed_reservations')} where partition_id = ? and reservation_key = ?`,
        [partitionOfReservation(reservationId), reservationKey(reservationId)],
      );
      return rows.find(({ hold }) => parseHold(hold).reservationId === reservationId)?.hold ?? null;
    });
  }

  levelAtVersion(
    hqId: string,
    { storeId, productId }: LevelPlace,
    version: number,
  ): Promise<{ onHand: number; reserved: number } | null> {
    return this.#read(async ({ connection, tables }) => {
      const [row] = await connection.query<{ onHand: number; reserved: number }[]>(
        `select on_hand as onHand, reserved from ${tables('movements')} where partition_id = ? and hq_id = ?
         and store_id = ? and product_id = ? and version = ? order by seq desc, line desc limit 1`,
        [partitionOf(hqId), hqId, storeId, productId, version],
      );
      return row ?? null;
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

const PARTITIONS = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);

type LevelColumns = [
  hqId: string,
  storeId: string,
  productId: string,
  onHand: number,
  reserved: number,
  version: number,
  safetyStock: number | null,
  lowThreshold: number | null,
  countedAt: number | null,
  countSeq: number | null,
];

function levelOf(row: LevelColumns): ProjectedLevelRow {
  const [hqId, storeId, productId, onHand, reserved, version, safetyStock, lowThreshold, countedAt, countSeq] = row;
  return { hqId, storeId, productId, onHand, reserved, version, safetyStock, lowThreshold, countedAt, countSeq };
}
