/** Holds the tables of the projections against what the entries make of them. */
import { countOf, referencesOf } from '../projections/movements.ts';
import { holdChangesOf, wasOpen } from '../projections/reservations.ts';
import { settingChangeOf } from '../projections/settings.ts';
import { changesOf, type Entry, type Hold, isOpen } from '../stock/entry.ts';
import { encodeHold, parseHold } from '../stock/entry-codec.ts';
import { partitionOf } from '../stock/identifiers.ts';
import type { Findings } from './findings.ts';
import type { ReplayedState } from './replayed-state.ts';
import {
  COUNTED_TABLES,
  type CountedTable,
  type EntryRows,
  type ProjectedLevelRow,
  type WalkSource,
} from './walk-source.ts';

export class TableProof {
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

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The rows of one entry that is projected already. */
  prove(entry: Entry, rows: EntryRows): void {
    const say = (what: string) =>
      this.#findings.add(`the projection of entry ${entry.seq} of partition ${entry.partition}: ${what}`);
    if (!rows.knowsHq(entry.hqId)) {
      say(`HQ ${entry.hqId} is not known`);
      return;
    }
    this.#rows.audit += 1;
    const audit = rows.audit(entry);
    if (audit?.subject !== entry.actor.subject || audit.lines !== entry.lines.length)
      say('its audit is missing or differs');
    this.#proveMovements(entry, rows, say);
    const setting = settingChangeOf(entry);
    if (setting !== null) {
      this.#rows.settings += 1;
      expectRow(rows.setting(entry, setting), { ...setting.settings }, say, 'its setting');
    }
    this.#proveClosed(entry, rows, say);
  }

  #proveMovements(entry: Entry, rows: EntryRows, say: (what: string) => void): void {
    const changes = changesOf(entry);
    for (const [index, change] of changes.entries()) {
      const { storeId, productId, onHand, reserved, version } = change.after;
      if (!rows.knowsLevel(entry.hqId, change.after)) {
        say(`level ${storeId}/${productId} is not known`);
        continue;
      }
      this.#rows.movements += 1;
      const { onHandChange, reservedChange } = change.line;
      const movement = { at: entry.at, onHandChange, reservedChange, onHand, reserved, version };
      expectRow(rows.movement(entry, change.after, index), movement, say, `movement ${index}`);
      const count = countOf(entry, change);
      if (count === null) continue;
      this.#rows.counts += 1;
      expectRow(rows.count(entry, change.after), { ...count }, say, `the count of ${storeId}/${productId}`);
    }
    for (const reference of referencesOf(entry, changes)) {
      this.#rows.movement_references += 1;
      if (!rows.hasReference(entry, reference)) say(`reference ${reference} is missing`);
    }
  }

  #proveClosed(entry: Entry, rows: EntryRows, say: (what: string) => void): void {
    for (const [n, change] of holdChangesOf(entry).entries()) {
      if (change.before !== null && !wasOpen(change)) this.#proveMoved(change.before, say);
      if (isOpen(change.after)) continue;
      const text = encodeHold(change.after);
      const row = rows.closed(entry, n);
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
  async proveTotals(source: WalkSource, state: ReplayedState, apart: ReadonlySet<number>): Promise<void> {
    await this.#proveLevels(source, state, apart);
    await this.#proveOpenHolds(source, state, apart);
    for (const [reservationId, { seq }] of this.#moved) {
      if (apart.has(Number(reservationId.split('_')[1]))) continue;
      this.#findings.add(`reservation ${reservationId}, closed by entry ${seq}, is missing in the projection`);
    }
    if (apart.size > 0) return;
    for (const table of COUNTED_TABLES) {
      const rows = await source.countRows(table);
      if (rows === this.#rows[table]) continue;
      this.#findings.add(`the projection's table ${table} has ${rows} rows; the entries make ${this.#rows[table]}`);
    }
  }

  async #proveLevels(source: WalkSource, state: ReplayedState, apart: ReadonlySet<number>): Promise<void> {
    let seen = 0;
    for await (const page of source.levels()) {
      seen += page.length;
      for (const row of page) if (row.hqId === null || !apart.has(partitionOf(row.hqId))) this.#proveLevel(row, state);
    }
    if (apart.size === 0 && seen !== state.levels) {
      this.#findings.add(`the projection has ${seen} levels; the entries make ${state.levels}`);
    }
  }

  #proveLevel(row: ProjectedLevelRow, state: ReplayedState): void {
    const { hqId, storeId, productId } = row;
    const hq = hqId === null ? undefined : state.hqs.get(hqId);
    const level = storeId === null || productId === null ? undefined : hq?.level(storeId, productId);
    const where = `level ${hqId}/${storeId}/${productId}`;
    if (level === undefined) {
      this.#findings.add(`${where} is in the projection, but no entry made it`);
      return;
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

  async #proveOpenHolds(source: WalkSource, state: ReplayedState, apart: ReadonlySet<number>): Promise<void> {
    let seen = 0;
    for await (const page of source.openHolds()) {
      seen += page.length;
      for (const { hqId, hold: text } of page) {
        if (apart.has(partitionOf(hqId))) continue;
        const { reservationId } = parseHold(text);
        const made = state.openHolds.get(reservationId);
        if (made?.hqId === hqId && encodeHold(made.hold) === text) continue;
        const should = made === undefined ? 'is not open' : `should be ${encodeHold(made.hold)}`;
        this.#findings.add(`reservation ${text} of the projection ${should}`);
      }
    }
    if (apart.size === 0 && seen !== state.openHolds.size) {
      this.#findings.add(
        `the projection has ${seen} open reservations; the entries leave ${state.openHolds.size} open`,
      );
    }
  }
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
