/** Reads of history over two connections that only read: `projections.db` tells which entries, `ledger.db` what they say. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Hold } from '../../stock/entry.ts';
import { parseHold } from '../../stock/entry-codec.ts';
import { partitionOf } from '../../stock/identifiers.ts';
import { auditOf } from '../audit.ts';
import {
  type AuditQuery,
  type AuditRow,
  HistoryBehind,
  type LevelQuery,
  type LevelRow,
  type MovementRow,
  type OnHandThen,
} from '../history-reads.ts';
import { fitsQuery, isAfter, type SeqRange, seqNamedBy } from '../movement-merge.ts';
import { movementsOf } from '../movements.ts';
import { PROJECTION_NAMES } from '../projection.ts';
import type { Keyed, LevelPageKey, MovementKey, MovementStoreQuery, Rows } from '../projection-store.ts';
import { reservationKey, soldForOrder } from '../reservations.ts';
import { LevelReads } from './level-reads.ts';
import { MovementPlaces } from './movement-places.ts';
import { EntryReads } from './read-tables.ts';

const SEQS_PER_SCAN = 500;

export class HistoryReader {
  readonly #database: DatabaseSync;
  readonly #entries: EntryReads;
  readonly #served: StatementSync;
  #statements: Statements | null = null;

  constructor(database: DatabaseSync, ledger: DatabaseSync) {
    this.#database = database;
    this.#entries = new EntryReads(ledger);
    this.#served = database.prepare("select count(*) as served from projections where state = 'serving'");
  }

  /** @throws HistoryBehind while tables of a new version are built for the first time. */
  #read<T>(work: (statements: Statements) => T): T {
    this.#database.exec('begin');
    try {
      const { served } = this.#served.get() as { served: number };
      if (served < PROJECTION_NAMES.length) throw new HistoryBehind();
      this.#statements ??= new Statements(this.#database, this.#entries);
      return work(this.#statements);
    } finally {
      this.#database.exec('commit');
    }
  }

  levels(query: Keyed<LevelQuery, LevelPageKey>): Rows<LevelRow, LevelPageKey> {
    return this.#read((statements) => {
      const hqNo = statements.hqNo(query.hqId);
      return hqNo === null ? { items: [], next: null } : statements.levels.page(query, hqNo);
    });
  }

  movements(query: MovementStoreQuery): Rows<MovementRow, MovementKey> {
    return this.#read((statements) => {
      const hqNo = statements.hqNo(query.hqId);
      if (hqNo === null) return { items: [], next: null };
      const range = this.#range(query);
      const items: MovementRow[] = [];
      let last: MovementKey | null = null;
      for (const { key, row } of this.#movements(statements, query, hqNo, range)) {
        if (items.length === query.limit) return { items, next: last };
        items.push(row);
        last = key;
      }
      return { items, next: null };
    });
  }

  *#movements(
    statements: Statements,
    query: MovementStoreQuery,
    hqNo: number,
    range: SeqRange,
  ): Generator<{ key: MovementKey; row: MovementRow }> {
    const partition = partitionOf(query.hqId);
    let read: { seq: number; rows: MovementRow[] } = { seq: 0, rows: [] };
    for (const [seq, line] of statements.places(query, hqNo, range)) {
      if (read.seq !== seq) read = { seq, rows: movementsOf(this.#entries.entry(partition, seq).entry) };
      const lines = line === null ? [...read.rows.keys()].reverse() : [line];
      for (const index of lines) {
        const row = read.rows[index];
        if (row !== undefined && fitsQuery(row, query) && isAfter(seq, index, query.after))
          yield { key: [seq, index], row };
      }
    }
  }

  audit(query: Keyed<AuditQuery, [seq: number]>): Rows<AuditRow, [seq: number]> {
    return this.#read((statements) => {
      const hqNo = statements.hqNo(query.hqId);
      if (hqNo === null) return { items: [], next: null };
      const range = this.#range(query);
      const to = query.after === null ? range.to : Math.min(range.to, query.after[0] - 1);
      const seqs = statements.auditSeqs(hqNo, query.actor, { from: range.from, to }, query.limit + 1);
      const shown = seqs.slice(0, query.limit);
      const partition = partitionOf(query.hqId);
      const items = shown.map((seq) => {
        const { entry, hash } = this.#entries.entry(partition, seq);
        return auditOf(entry, hash);
      });
      const last = shown.at(-1);
      return { items, next: seqs.length > shown.length && last !== undefined ? [last] : null };
    });
  }

  /** Instants become places of the partition: nothing needs an index over time. */
  #range({ hqId, from, to }: { hqId: string; from?: number; to?: number }): SeqRange {
    const partition = partitionOf(hqId);
    return {
      from: from === undefined ? 0 : this.#entries.seqAt(partition, from - 1) + 1,
      to: to === undefined ? Number.MAX_SAFE_INTEGER - 1 : this.#entries.seqAt(partition, to),
    };
  }

  reservation(reservationId: string): { hqId: string; hold: Hold } | null {
    return this.#read((statements) => statements.reservation(reservationId));
  }

  reservationsOfOrders(hqId: string, orderIds: readonly string[]): (Hold | null)[] {
    return this.#read((statements) => {
      const hqNo = statements.hqNo(hqId);
      if (hqNo === null) return orderIds.map(() => null);
      return orderIds.map((orderId) => this.#soldFor(statements, { hqId, hqNo, orderId }));
    });
  }

  #soldFor(statements: Statements, { hqId, hqNo, orderId }: { hqId: string; hqNo: number; orderId: string }) {
    for (const seq of statements.referring(hqNo, orderId)) {
      const reservationId = soldForOrder(this.#entries.entry(partitionOf(hqId), seq).entry, orderId);
      if (reservationId !== null) return statements.reservation(reservationId)?.hold ?? null;
    }
    return null;
  }

  onHandAt(hqId: string, keys: readonly { storeId: string; productId: string }[], at: number): OnHandThen[] {
    return this.#read((statements) => statements.levels.onHandAt(hqId, statements.hqNo(hqId), keys, at));
  }
}

/** Statements over tables that may be replaced by a rebuild: SQLite prepares them again by itself when they are. */
class Statements {
  readonly levels: LevelReads;
  readonly #places: MovementPlaces;
  readonly #hq: StatementSync;
  readonly #auditOfHq: StatementSync;
  readonly #auditOfActor: StatementSync;
  readonly #moving: StatementSync;
  readonly #references: StatementSync;
  readonly #open: StatementSync;
  readonly #closed: StatementSync;

  constructor(database: DatabaseSync, entries: EntryReads) {
    this.levels = new LevelReads(database, entries);
    this.#places = new MovementPlaces(database);
    this.#hq = database.prepare('select hq_no as hqNo from hqs where hq_id = ?');
    const range = 'seq >= ? and seq <= ? order by seq desc limit ?';
    this.#auditOfHq = database.prepare(`select seq from audit where hq_no = ? and ${range}`);
    this.#auditOfActor = database.prepare(
      `select seq from audit where actor_no = (select actor_no from actors where hq_no = ? and subject = ?) and ${range}`,
    );
    this.#moving = database.prepare(`select seq from audit where hq_no = ? and lines > 0 and ${range}`);
    this.#references = database.prepare(
      `select seq from movement_references where hq_no = ? and reference = ? and ${range}`,
    );
    this.#open = database.prepare(
      'select h.hq_id as hqId, r.hold from open_reservations r join hqs h on h.hq_no = r.hq_no where r.reservation_key = ?',
    );
    this.#closed = database.prepare(
      'select h.hq_id as hqId, r.hold from closed_reservations r join hqs h on h.hq_no = r.hq_no where r.reservation_key = ?',
    );
  }

  hqNo(hqId: string): number | null {
    const row = this.#hq.get(hqId) as { hqNo: number } | undefined;
    return row?.hqNo ?? null;
  }

  /** Entries, or lines of them, that may hold what is asked for, newest first. */
  *places(
    query: MovementStoreQuery,
    hqNo: number,
    range: SeqRange,
  ): Generator<readonly [seq: number, line: number | null]> {
    const { referenceId, storeId, productId, after } = query;
    if (referenceId === undefined && (storeId !== undefined || productId !== undefined)) {
      yield* this.#places.newestFirst(hqNo, query, after, range);
      return;
    }
    const upTo = { from: range.from, to: after === null ? range.to : Math.min(range.to, after[0]) };
    const seqs =
      referenceId === undefined
        ? this.#seqs(this.#moving, [hqNo], upTo)
        : this.#referred(query, hqNo, referenceId, upTo);
    for (const seq of seqs) yield [seq, null];
  }

  *#seqs(statement: StatementSync, keys: readonly (string | number)[], range: SeqRange): Generator<number> {
    for (let { to } = range; ; ) {
      const rows = statement.all(...keys, range.from, to, SEQS_PER_SCAN) as { seq: number }[];
      for (const { seq } of rows) yield seq;
      const last = rows.at(-1);
      if (last === undefined || rows.length < SEQS_PER_SCAN) return;
      to = last.seq - 1;
    }
  }

  /** References that are no operation id are projected; an operation id the ledger finds; an entry's id names it. */
  *#referred(query: MovementStoreQuery, hqNo: number, referenceId: string, range: SeqRange): Generator<number> {
    const partition = partitionOf(query.hqId);
    const single = [query.operationSeq, seqNamedBy(referenceId, partition)].filter(
      (seq): seq is number => seq !== null && seq >= range.from && seq <= range.to && this.#isOf(hqNo, seq),
    );
    const waiting = [...new Set(single)].sort((one, other) => other - one);
    for (const seq of this.#seqs(this.#references, [hqNo, referenceId], range)) {
      while (waiting[0] !== undefined && waiting[0] > seq) yield waiting.shift() as number;
      if (waiting[0] === seq) waiting.shift();
      yield seq;
    }
    yield* waiting;
  }

  /** Entries with lines under this reference, newest first. */
  referring(hqNo: number, reference: string): Generator<number> {
    return this.#seqs(this.#references, [hqNo, reference], { from: 0, to: Number.MAX_SAFE_INTEGER - 1 });
  }

  #isOf(hqNo: number, seq: number): boolean {
    return this.#auditOfHq.get(hqNo, seq, seq, 1) !== undefined;
  }

  auditSeqs(hqNo: number, actor: string | undefined, { from, to }: SeqRange, limit: number): number[] {
    const rows =
      actor === undefined
        ? this.#auditOfHq.all(hqNo, from, to, limit)
        : this.#auditOfActor.all(hqNo, actor, from, to, limit);
    return (rows as { seq: number }[]).map(({ seq }) => seq);
  }

  reservation(reservationId: string): { hqId: string; hold: Hold } | null {
    const key = reservationKey(reservationId);
    const rows = [...this.#open.all(key), ...this.#closed.all(key)] as unknown as {
      hqId: string;
      hold: string;
    }[];
    for (const { hqId, hold: text } of rows) {
      const hold = parseHold(text);
      if (hold.reservationId === reservationId) return { hqId, hold };
    }
    return null;
  }
}
