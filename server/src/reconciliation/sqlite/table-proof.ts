/** Holds the tables of `projections.db` against what the entries make of them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { countOf, referencesOf } from '../../projections/movements.ts';
import { holdChangesOf, reservationKey, wasOpen } from '../../projections/reservations.ts';
import { settingChangeOf } from '../../projections/settings.ts';
import { changesOf, type Entry, type Hold, isOpen } from '../../stock/entry.ts';
import { encodeHold, parseHold } from '../../stock/entry-codec.ts';
import { partitionOf } from '../../stock/identifiers.ts';
import type { Findings } from '../findings.ts';
import type { ReplayedState } from '../replayed-state.ts';

const COUNTED_TABLES = [
  'movements',
  'counts',
  'movement_references',
  'audit',
  'settings',
  'closed_reservations',
] as const;
type CountedTable = (typeof COUNTED_TABLES)[number];

export class TableProof {
  readonly #database: DatabaseSync;
  readonly #findings: Findings;
  readonly #rows: Record<CountedTable, number> = {
    movements: 0,
    counts: 0,
    movement_references: 0,
    audit: 0,
    settings: 0,
    closed_reservations: 0,
  };
  /** Closed holds without a row where they were closed: a late confirmation, still to come, has moved it. */
  readonly #moved = new Map<string, { seq: number; text: string }>();
  readonly #hq: StatementSync;
  readonly #level: StatementSync;
  readonly #audit: StatementSync;
  readonly #movement: StatementSync;
  readonly #count: StatementSync;
  readonly #reference: StatementSync;
  readonly #setting: StatementSync;
  readonly #closed: StatementSync;
  readonly #cursors: StatementSync;
  readonly #hqs = new Map<string, number>();
  readonly #levels = new Map<string, number>();

  constructor(database: DatabaseSync, findings: Findings) {
    this.#database = database;
    this.#findings = findings;
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
    this.#cursors = prepare(
      `select partition_id as "partition", seq, hash from cursors where name = 'levels' and state = 'serving'`,
    );
  }

  cursors(): { partition: number; seq: number; hash: string }[] {
    return this.#cursors.all() as unknown as { partition: number; seq: number; hash: string }[];
  }

  /** The rows of one entry that is projected already. */
  prove(entry: Entry): void {
    const say = (what: string) =>
      this.#findings.add(`the projection of entry ${entry.seq} of partition ${entry.partition}: ${what}`);
    const hqNo = this.#numberOf(this.#hqs, entry.hqId, this.#hq, [entry.hqId]);
    if (hqNo === undefined) {
      say(`HQ ${entry.hqId} is not known`);
      return;
    }
    this.#rows.audit += 1;
    const audit = this.#audit.get(hqNo, entry.seq) as { lines: number; subject: string } | undefined;
    if (audit?.subject !== entry.actor.subject || audit.lines !== entry.lines.length)
      say('its audit is missing or differs');
    this.#proveMovements(entry, hqNo, say);
    const setting = settingChangeOf(entry);
    if (setting !== null) {
      this.#rows.settings += 1;
      const { kind, storeId, productId, settings } = setting;
      expectRow(this.#setting.get(hqNo, kind, storeId, productId, entry.seq), { ...settings }, say, 'its setting');
    }
    this.#proveClosed(entry, say);
  }

  #numberOf(
    known: Map<string, number>,
    key: string,
    find: StatementSync,
    values: (string | number)[],
  ): number | undefined {
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const row = find.get(...values) as { number: number } | undefined;
    if (known.size > 100_000) known.clear();
    if (row !== undefined) known.set(key, row.number);
    return row?.number;
  }

  #proveMovements(entry: Entry, hqNo: number, say: (what: string) => void): void {
    const changes = changesOf(entry);
    for (const [index, change] of changes.entries()) {
      const { storeId, productId, onHand, reserved, version } = change.after;
      const key = `${hqNo}/${storeId}/${productId}`;
      const levelId = this.#numberOf(this.#levels, key, this.#level, [hqNo, storeId, productId]);
      if (levelId === undefined) {
        say(`level ${storeId}/${productId} is not known`);
        continue;
      }
      this.#rows.movements += 1;
      const { onHandChange, reservedChange } = change.line;
      const movement = { at: entry.at, onHandChange, reservedChange, onHand, reserved, version };
      expectRow(this.#movement.get(levelId, entry.seq, index), movement, say, `movement ${index}`);
      const count = countOf(entry, change);
      if (count === null) continue;
      this.#rows.counts += 1;
      expectRow(this.#count.get(levelId, entry.seq), { ...count }, say, `the count of ${storeId}/${productId}`);
    }
    for (const reference of referencesOf(entry, changes)) {
      this.#rows.movement_references += 1;
      if (this.#reference.get(hqNo, reference, entry.seq) === undefined) say(`reference ${reference} is missing`);
    }
  }

  #proveClosed(entry: Entry, say: (what: string) => void): void {
    for (const [n, change] of holdChangesOf(entry).entries()) {
      if (change.before !== null && !wasOpen(change)) this.#proveMoved(change.before, say);
      if (isOpen(change.after)) continue;
      const text = encodeHold(change.after);
      const row = this.#closed.get(entry.partition, entry.seq, n) as { hold: string; closedAt: number } | undefined;
      if (row === undefined) this.#moved.set(change.after.reservationId, { seq: entry.seq, text });
      else if (row.hold !== text || row.closedAt !== entry.at) say(`reservation ${row.hold} should be ${text}`);
      this.#rows.closed_reservations += 1;
    }
  }

  /** A closed hold is confirmed late: the row where it was closed has gone, or will go. */
  #proveMoved(before: Hold, say: (what: string) => void): void {
    this.#rows.closed_reservations -= 1;
    const moved = this.#moved.get(before.reservationId);
    if (moved === undefined) return;
    this.#moved.delete(before.reservationId);
    if (moved.text !== encodeHold(before))
      say(`it read reservation ${encodeHold(before)}, entry ${moved.seq} left ${moved.text}`);
  }

  /** In one snapshot, at the place where `state` stands; `apart`: partitions that are not projected that far. */
  proveTotals(state: ReplayedState, apart: ReadonlySet<number>): void {
    this.#proveLevels(state, apart);
    this.#proveOpenHolds(state, apart);
    for (const [reservationId, { seq }] of this.#moved) {
      if (apart.has(Number(reservationId.split('_')[1]))) continue;
      this.#findings.add(`reservation ${reservationId}, closed by entry ${seq}, is missing in the projection`);
    }
    if (apart.size > 0) return;
    for (const table of COUNTED_TABLES) {
      const { rows } = this.#database.prepare(`select count(*) as "rows" from ${table}`).get() as { rows: number };
      if (rows === this.#rows[table]) continue;
      this.#findings.add(`the projection's table ${table} has ${rows} rows; the entries make ${this.#rows[table]}`);
    }
  }

  #proveLevels(state: ReplayedState, apart: ReadonlySet<number>): void {
    const rows = this.#database
      .prepare(
        `select h.hq_id as hqId, k.store_id as storeId, k.product_id as productId, l.on_hand as onHand, l.reserved,
           l.version, l.safety_stock as safetyStock, l.low_threshold as lowThreshold,
           l.counted_at as countedAt, l.count_seq as countSeq
         from levels l left join level_keys k on k.level_id = l.level_id left join hqs h on h.hq_no = k.hq_no`,
      )
      .iterate();
    let seen = 0;
    for (const row of rows as Iterable<unknown> as Iterable<LevelColumns>) {
      seen += 1;
      if (row.hqId !== null && apart.has(partitionOf(row.hqId))) continue;
      const level = row.hqId === null ? undefined : state.hqs.get(row.hqId)?.level(row.storeId, row.productId);
      const where = `level ${row.hqId}/${row.storeId}/${row.productId}`;
      if (level === undefined) {
        this.#findings.add(`${where} is in the projection, but no entry made it`);
        continue;
      }
      const made = {
        onHand: level.onHand,
        reserved: level.reserved,
        version: level.version,
        safetyStock: level.own.safetyStock,
        lowThreshold: level.own.lowThreshold,
        countedAt: level.lastCount?.countedAt ?? null,
        countSeq: level.lastCount?.seq ?? null,
      };
      expectRow(row, made, (what) => this.#findings.add(`${where} of the projection: ${what}`), 'it');
    }
    if (apart.size === 0 && seen !== state.levels) {
      this.#findings.add(`the projection has ${seen} levels; the entries make ${state.levels}`);
    }
  }

  #proveOpenHolds(state: ReplayedState, apart: ReadonlySet<number>): void {
    let seen = 0;
    const rows = this.#database.prepare(
      'select h.hq_id as hqId, r.hold from open_reservations r join hqs h on h.hq_no = r.hq_no',
    );
    for (const { hqId, hold: text } of rows.iterate() as Iterable<unknown> as Iterable<{
      hqId: string;
      hold: string;
    }>) {
      seen += 1;
      if (apart.has(partitionOf(hqId))) continue;
      const { reservationId } = parseHold(text);
      const made = state.openHolds.get(reservationId);
      if (made?.hqId === hqId && encodeHold(made.hold) === text) continue;
      const should = made === undefined ? 'is not open' : `should be ${encodeHold(made.hold)}`;
      this.#findings.add(`reservation ${text} of the projection ${should}`);
    }
    if (apart.size === 0 && seen !== state.openHolds.size) {
      this.#findings.add(
        `the projection has ${seen} open reservations; the entries leave ${state.openHolds.size} open`,
      );
    }
  }

  /** The text of a hold that is closed in the projection. */
  closedHold(reservationId: string): string | null {
    const rows = this.#database
      .prepare('select hold from closed_reservations where reservation_key = ?')
      .all(reservationKey(reservationId)) as { hold: string }[];
    return rows.find(({ hold }) => parseHold(hold).reservationId === reservationId)?.hold ?? null;
  }

  /** A level's quantities right after it reached a version; null: it never did. */
  levelAtVersion(
    hqId: string,
    storeId: string,
    productId: string,
    version: number,
  ): { onHand: number; reserved: number } | null {
    const row = this.#database
      .prepare(
        `select m.on_hand as onHand, m.reserved from hqs h
         join level_keys k on k.hq_no = h.hq_no and k.store_id = ? and k.product_id = ?
         join movements m on m.level_id = k.level_id
         where h.hq_id = ? and m.version = ? order by m.seq desc, m.line desc limit 1`,
      )
      .get(storeId, productId, hqId, version);
    return (row as { onHand: number; reserved: number } | undefined) ?? null;
  }
}

interface LevelColumns {
  hqId: string | null;
  storeId: string;
  productId: string;
}

function expectRow(row: unknown, made: Record<string, unknown>, say: (what: string) => void, name: string): void {
  if (row === undefined) {
    say(`${name} is missing`);
    return;
  }
  const stored = row as Record<string, unknown>;
  const wrong = Object.keys(made).filter((column) => stored[column] !== made[column]);
  if (wrong.length === 0) return;
  const list = wrong.map((column) => `${column} ${String(stored[column])} instead of ${String(made[column])}`);
  say(`${name} has ${list.join(', ')}`);
}
