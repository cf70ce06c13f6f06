/** Movements newest first: the tables tell which entries and lines, the entries what they say. */
import type { Connection } from 'mariadb';
import { partitionOf } from '../../stock/identifiers.ts';
import type { MovementRow } from '../history-reads.ts';
import { fitsQuery, isAfter, PlaceHeap, type SeqRange, seqNamedBy, startOf } from '../movement-merge.ts';
import { movementsOf } from '../movements.ts';
import type { MovementKey, MovementStoreQuery, Rows } from '../projection-store.ts';
import { readEntries } from './ledger-rows.ts';
import type { TableNames } from './projection-tables.ts';

const SEQS_PER_SCAN = 500;
/** Movements of one level that are read ahead. */
const PLACES_AHEAD = 16;
/** Entries that are read at once. */
const ENTRIES_AHEAD = 100;

/** An entry, or one line of it, that may hold what is asked for. */
type Place = readonly [seq: number, line: number | null];

interface Level {
  storeId: string;
  productId: string;
  /** Older places that are read already, newest first; null: none is. */
  ahead: MovementKey[];
  /** Whether there may be more than those. */
  more: boolean;
}

export class MovementReads {
  readonly #connection: Connection;
  readonly #tables: TableNames;

  constructor(connection: Connection, tables: TableNames) {
    this.#connection = connection;
    this.#tables = tables;
  }

  async page(query: MovementStoreQuery, range: SeqRange): Promise<Rows<MovementRow, MovementKey>> {
    const items: MovementRow[] = [];
    let last: MovementKey | null = null;
    for await (const { key, row } of this.#movements(query, range)) {
      if (items.length === query.limit) return { items, next: last };
      items.push(row);
      last = key;
    }
    return { items, next: null };
  }

  async *#movements(
    query: MovementStoreQuery,
    range: SeqRange,
  ): AsyncGenerator<{ key: MovementKey; row: MovementRow }> {
    const partition = partitionOf(query.hqId);
    for await (const places of chunks(this.#places(query, range), Math.min(ENTRIES_AHEAD, query.limit + 1))) {
      const seqs = [...new Set(places.map(([seq]) => seq))];
      const entries = await readEntries(this.#connection, partition, seqs);
      const rows = new Map([...entries].map(([seq, { entry }]) => [seq, movementsOf(entry)]));
      for (const [seq, line] of places) {
        const lines = rows.get(seq) ?? [];
        for (const index of line === null ? [...lines.keys()].reverse() : [line]) {
          const row = lines[index];
          if (row !== undefined && fitsQuery(row, query) && isAfter(seq, index, query.after)) {
            yield { key: [seq, index], row };
          }
        }
      }
    }
  }

  #places(query: MovementStoreQuery, range: SeqRange): AsyncGenerator<Place> {
    const { referenceId, storeId, productId, after, hqId } = query;
    if (referenceId === undefined && (storeId !== undefined || productId !== undefined)) {
      return this.#ofLevels(query, range);
    }
    const upTo = { from: range.from, to: after === null ? range.to : Math.min(range.to, after[0]) };
    if (referenceId !== undefined) return this.#referred(query, referenceId, upTo);
    const audit = this.#tables('audit');
    return asPlaces(
      this.#seqs(`${audit} where line_count > 0 and partition_id = ? and hq_id = ?`, [partitionOf(hqId), hqId], upTo),
    );
  }

  async *#seqs(from: string, keys: readonly (string | number)[], range: SeqRange): AsyncGenerator<number> {
    for (let { to } = range; ; ) {
      const rows = await this.#connection.query<{ seq: number }[]>(
        `select seq from ${from} and seq >= ? and seq <= ? order by seq desc limit ?`,
        [...keys, range.from, to, SEQS_PER_SCAN],
      );
      for (const { seq } of rows) yield seq;
      const last = rows.at(-1);
      if (last === undefined || rows.length < SEQS_PER_SCAN) return;
      to = last.seq - 1;
    }
  }

  /** References that are no operation id are projected; an operation id the ledger finds; an entry's id names it. */
  async *#referred(query: MovementStoreQuery, referenceId: string, range: SeqRange): AsyncGenerator<Place> {
    const partition = partitionOf(query.hqId);
    const waiting: number[] = [];
    for (const seq of new Set([query.operationSeq, seqNamedBy(referenceId, partition)])) {
      if (seq !== null && seq >= range.from && seq <= range.to && (await this.#isOf(query.hqId, seq)))
        waiting.push(seq);
    }
    waiting.sort((one, other) => other - one);
    const projected = this.#seqs(
      `${this.#tables('movement_references')} where partition_id = ? and hq_id = ? and reference = ?`,
      [partition, query.hqId, referenceId],
      range,
    );
    for await (const seq of projected) {
      while (waiting[0] !== undefined && waiting[0] > seq) yield [waiting.shift() as number, null];
      if (waiting[0] === seq) waiting.shift();
      yield [seq, null];
    }
    for (const seq of waiting) yield [seq, null];
  }

  async #isOf(hqId: string, seq: number): Promise<boolean> {
    const rows = await this.#connection.query<unknown[]>(
      `select 1 from ${this.#tables('audit')} where partition_id = ? and hq_id = ? and seq = ?`,
      [partitionOf(hqId), hqId, seq],
    );
    return rows.length > 0;
  }

  /** A merge of the levels' own orders; only those whose turn comes are looked up, some movements ahead. */
  async *#ofLevels(query: MovementStoreQuery, range: SeqRange): AsyncGenerator<Place> {
    const heap = new PlaceHeap<Level>();
    for (const { storeId, productId, seq } of await this.#levels(query)) {
      if (seq < range.from) continue;
      const level = { storeId, productId, ahead: [], more: true };
      heap.push({ level, ...startOf(seq, query.after, range), known: false });
    }
    for (let head = heap.pop(); head !== undefined; head = heap.pop()) {
      if (head.known) yield [head.seq, head.line];
      const older = await this.#older(query.hqId, head.level, [head.seq, head.line]);
      if (older === undefined || older[0] < range.from) continue;
      heap.push({ level: head.level, seq: older[0], line: older[1], known: true });
    }
  }

  async #levels({
    hqId,
    storeId,
    productId,
  }: MovementStoreQuery): Promise<{ storeId: string; productId: string; seq: number }[]> {
    const places = [
      ...(storeId === undefined ? [] : [['store_id', storeId]]),
      ...(productId === undefined ? [] : [['product_id', productId]]),
    ];
    return await this.#connection.query(
      `select store_id as storeId, product_id as productId, updated_seq as seq from ${this.#tables('levels')}
       where partition_id = ? and hq_id = ? ${places.map(([column]) => `and ${column} = ?`).join(' ')}`,
      [partitionOf(hqId), hqId, ...places.map(([, value]) => value)],
    );
  }

  async #older(hqId: string, level: Level, [seq, line]: MovementKey): Promise<MovementKey | undefined> {
    if (level.ahead.length === 0 && level.more) {
      const rows = await this.#connection.query<{ seq: number; line: number }[]>(
        `select seq, line from ${this.#tables('movements')}
         where partition_id = ? and hq_id = ? and store_id = ? and product_id = ?
           and seq <= ? and (seq < ? or line < ?) order by seq desc, line desc limit ?`,
        [partitionOf(hqId), hqId, level.storeId, level.productId, seq, seq, line, PLACES_AHEAD],
      );
      level.ahead = rows.map((row) => [row.seq, row.line]);
      level.more = rows.length === PLACES_AHEAD;
    }
    return level.ahead.shift();
  }
}

async function* asPlaces(seqs: AsyncIterable<number>): AsyncGenerator<Place> {
  for await (const seq of seqs) yield [seq, null];
}

async function* chunks<T>(values: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = [];
  for await (const value of values) {
    chunk.push(value);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
