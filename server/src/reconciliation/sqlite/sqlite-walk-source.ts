import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SqliteLedgerStore } from '../../ledger/sqlite/sqlite-ledger-store.ts';
import { reservationKey } from '../../projections/reservations.ts';
import type { SettingChange } from '../../projections/settings.ts';
import type { Entry } from '../../stock/entry.ts';
import { parseHold } from '../../stock/entry-codec.ts';
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

const ROWS_PER_PAGE = 2_000;
/** Numbers that are remembered. */
const NUMBERS_MAX = 100_000;

/** `ledger.db` and `projections.db`, over connections that only read. */
export class SqliteWalkSource implements WalkSource {
  readonly #ledger: DatabaseSync;
  readonly #projections: DatabaseSync;
  readonly #store: SqliteLedgerStore;
  readonly #rows: EntryRows;
  readonly #entries: StatementSync;
  readonly #cursors: StatementSync;
  readonly #closed: StatementSync;
  readonly #version: StatementSync;

  constructor(ledger: DatabaseSync, projections: DatabaseSync) {
    this.#ledger = ledger;
    this.#projections = projections;
    this.#store = new SqliteLedgerStore(ledger);
    this.#rows = new SqliteEntryRows(projections);
    this.#entries = ledger.prepare(
      `select partition_id as "partition", seq, hash, at, hq_id as hqId, operation_id as operationId, fingerprint,
         duplicate_of as duplicateOf, type, body from entries where partition_id = ? and seq > ? and seq <= ?
       order by seq limit ?`,
    );
    this.#cursors = projections.prepare(
      `select partition_id as "partition", seq, hash from cursors where name = 'levels' and state = 'serving'`,
    );
    this.#closed = projections.prepare('select hold from closed_reservations where reservation_key = ?');
    this.#version = projections.prepare(
      `select m.on_hand as onHand, m.reserved from hqs h
       join level_keys k on k.hq_no = h.hq_no and k.store_id = ? and k.product_id = ?
       join movements m on m.level_id = k.level_id
       where h.hq_id = ? and m.version = ? order by m.seq desc, m.line desc limit 1`,
    );
  }

  installationId(): string {
    return this.#store.identity().installationId;
  }

  heads(): ChainPlace[] {
    return this.#store.heads();
  }

  lastEntries(): ChainPlace[] {
    const last = this.#ledger.prepare(
      'select partition_id as "partition", seq, hash from entries where partition_id = ? order by seq desc limit 1',
    );
    return this.heads().flatMap(({ partition }) => {
      const entry = last.get(partition) as ChainPlace | undefined;
      return entry === undefined ? [] : [entry];
    });
  }

  entries(partition: number, afterSeq: number, upTo: number, limit: number): LedgerRow[] {
    return this.#entries.all(partition, afterSeq, upTo, limit) as unknown as LedgerRow[];
  }

  cursors(): ChainPlace[] {
    return this.#cursors.all() as unknown as ChainPlace[];
  }

  rowsOf(): EntryRows {
    return this.#rows;
  }

  levels(): Iterable<ProjectedLevelRow[]> {
    return this.#pages(
      `select h.hq_id as hqId, k.store_id as storeId, k.product_id as productId, l.on_hand as onHand, l.reserved,
         l.version, l.safety_stock as safetyStock, l.low_threshold as lowThreshold,
         l.counted_at as countedAt, l.count_seq as countSeq
       from levels l left join level_keys k on k.level_id = l.level_id left join hqs h on h.hq_no = k.hq_no`,
    );
  }

  openHolds(): Iterable<HoldRow[]> {
    return this.#pages('select h.hq_id as hqId, r.hold from open_reservations r join hqs h on h.hq_no = r.hq_no');
  }

  *#pages<Row>(sql: string): Generator<Row[]> {
    let page: Row[] = [];
    for (const row of this.#projections.prepare(sql).iterate() as Iterable<unknown> as Iterable<Row>) {
      page.push(row);
      if (page.length < ROWS_PER_PAGE) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  countRows(table: CountedTable): number {
    const { rows } = this.#projections.prepare(`select count(*) as "rows" from ${table}`).get() as { rows: number };
    return rows;
  }

  closedHold(reservationId: string): string | null {
    const rows = this.#closed.all(reservationKey(reservationId)) as { hold: string }[];
    return rows.find(({ hold }) => parseHold(hold).reservationId === reservationId)?.hold ?? null;
  }

  levelAtVersion(
    hqId: string,
    { storeId, productId }: LevelPlace,
    version: number,
  ): { onHand: number; reserved: number } | null {
    const row = this.#version.get(storeId, productId, hqId, version);
    return (row as { onHand: number; reserved: number } | undefined) ?? null;
  }

  async inSnapshot(work: () => Promise<void>): Promise<void> {
    this.#projections.exec('begin');
    try {
      await work();
    } finally {
      this.#projections.exec('commit');
    }
  }

  close(): void {
    this.#ledger.close();
    this.#projections.close();
  }
}

/** Looked up one by one: in the process of its own that SQLite is, a look-up costs no way. */
class SqliteEntryRows implements EntryRows {
  readonly #hq: StatementSync;
  readonly #level: StatementSync;
  readonly #audit: StatementSync;
  readonly #movement: StatementSync;
  readonly #count: StatementSync;
  readonly #reference: StatementSync;
  readonly #setting: StatementSync;
  readonly #closed: StatementSync;
  readonly #hqs = new Map<string, number>();
  readonly #levels = new Map<string, number>();

  constructor(database: DatabaseSync) {
    const prepare = (sql: string) => database.prepare(sql);
    this.#hq = prepare('select hq_no as "number" from hqs where hq_id = ?');
    this.#level = prepare(
      'select level_id as "number" from level_keys where hq_no = ? and store_id = ? and product_id = ?',
    );
    this.#audit = prepare(
      `select a.lines, k.subject from audit a left join actors k on k.actor_no = a.actor_no and k.hq_no = a.hq_no
       where a.hq_no = ? and a.seq = ?`,
    );
    this.#movement = prepare(
      `select at, on_hand_change as onHandChange, reserved_change as reservedChange, on_hand as onHand, reserved, version
       from movements where level_id = ? and seq = ? and line = ?`,
    );
    this.#count = prepare('select counted_at as countedAt, difference from counts where level_id = ? and seq = ?');
    this.#reference = prepare('select 1 from movement_references where hq_no = ? and reference = ? and seq = ?');
    this.#setting = prepare(
      `select safety_stock as safetyStock, low_threshold as lowThreshold from settings
       where hq_no = ? and kind = ? and store_id = ? and product_id = ? and seq = ?`,
    );
    this.#closed = prepare(
      'select hold, closed_at as closedAt from closed_reservations where partition_id = ? and seq = ? and n = ?',
    );
  }

  knowsHq(hqId: string): boolean {
    return this.#hqNo(hqId) !== undefined;
  }

  knowsLevel(hqId: string, level: LevelPlace): boolean {
    return this.#levelId(hqId, level) !== undefined;
  }

  audit({ hqId, seq }: Entry): { lines: number; subject: string | null } | undefined {
    return this.#audit.get(this.#hqNo(hqId) ?? -1, seq) as { lines: number; subject: string | null } | undefined;
  }

  movement({ hqId, seq }: Entry, level: LevelPlace, line: number): object | undefined {
    return this.#movement.get(this.#levelId(hqId, level) ?? -1, seq, line);
  }

  count({ hqId, seq }: Entry, level: LevelPlace): object | undefined {
    return this.#count.get(this.#levelId(hqId, level) ?? -1, seq);
  }

  hasReference({ hqId, seq }: Entry, reference: string): boolean {
    return this.#reference.get(this.#hqNo(hqId) ?? -1, reference, seq) !== undefined;
  }

  setting({ hqId, seq }: Entry, { kind, storeId, productId }: SettingChange): object | undefined {
    return this.#setting.get(this.#hqNo(hqId) ?? -1, kind, storeId, productId, seq);
  }

  closed({ partition, seq }: Entry, n: number): { hold: string; closedAt: number } | undefined {
    return this.#closed.get(partition, seq, n) as { hold: string; closedAt: number } | undefined;
  }

  #hqNo(hqId: string): number | undefined {
    return numberOf(this.#hqs, hqId, this.#hq, [hqId]);
  }

  #levelId(hqId: string, { storeId, productId }: LevelPlace): number | undefined {
    const hqNo = this.#hqNo(hqId) ?? -1;
    return numberOf(this.#levels, `${hqNo}/${storeId}/${productId}`, this.#level, [hqNo, storeId, productId]);
  }
}

function numberOf(
  known: Map<string, number>,
  key: string,
  find: StatementSync,
  values: (string | number)[],
): number | undefined {
  const remembered = known.get(key);
  if (remembered !== undefined) return remembered;
  const row = find.get(...values) as { number: number } | undefined;
  if (known.size > NUMBERS_MAX) known.clear();
  if (row !== undefined) known.set(key, row.number);
  return row?.number;
}
