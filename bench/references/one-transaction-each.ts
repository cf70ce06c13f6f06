/**
 * What Holdfast is held against: the same promise kept in the ordinary way. One SQLite transaction per reservation
 * reads, checks and writes all tables, and is on disk before the caller is answered. Written as well as that can be:
 * every statement prepared, `begin` and `commit` included, tables without a second tree where their key is the row,
 * only the indexes that the same questions need, one process of its own and nothing else on its thread. Copying the
 * write-ahead log back every 1 000, 10 000 or 50 000 pages, or keeping the operations in a table with row ids, made no
 * difference that could be told from the machine's noise.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { serveCalls } from '../harness/child-process.ts';
import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import type { LoadShape } from '../load/closed-loop.ts';

const SCHEMA = `
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma cache_size = -65536;
  pragma wal_autocheckpoint = 10000;
  create table levels (
    hq_id text not null, store_id text not null, product_id text not null,
    on_hand integer not null check (on_hand >= 0), reserved integer not null check (reserved >= 0),
    safety_stock integer not null, version integer not null, updated_at integer not null,
    primary key (hq_id, store_id, product_id)
  ) without rowid;
  create table reservations (
    reservation_id text primary key, hq_id text not null, store_id text not null, transaction_id text not null,
    status text not null, created_at integer not null, expires_at integer not null
  ) without rowid;
  create table reservation_lines (
    reservation_id text not null, line integer not null, store_id text not null, product_id text not null,
    reserved integer not null, confirmed integer not null, released integer not null,
    primary key (reservation_id, line)
  ) without rowid;
  create table movements (
    movement_id integer primary key, hq_id text not null, store_id text not null, product_id text not null,
    on_hand_change integer not null, reserved_change integer not null, on_hand integer not null, reserved integer not null,
    reservation_id text, actor text not null, at integer not null
  );
  create index movements_of_level on movements (hq_id, store_id, product_id, movement_id);
  create table operations (
    hq_id text not null, operation_id text not null, fingerprint text not null, result text not null, at integer not null,
    primary key (hq_id, operation_id)
  ) without rowid;
`;

const HQ = 'HQ001';
const STORE = 'STORE0001';
const PRODUCT = 'PRD000001';
const TTL_MS = 3_600_000;

interface LevelRow {
  on_hand: number;
  reserved: number;
  safety_stock: number;
  version: number;
}

/** One reservation of one unit: true when it was granted. */
function reservationsOn(database: DatabaseSync): () => boolean {
  const begin = database.prepare('begin immediate');
  const commit = database.prepare('commit');
  const rollback = database.prepare('rollback');
  const operation = database.prepare('select fingerprint, result from operations where hq_id = ? and operation_id = ?');
  const level = database.prepare(
    'select on_hand, reserved, safety_stock, version from levels where hq_id = ? and store_id = ? and product_id = ?',
  );
  const update = database.prepare(
    'update levels set reserved = ?, version = ?, updated_at = ? where hq_id = ? and store_id = ? and product_id = ?',
  );
  const reservation = database.prepare('insert into reservations values (?, ?, ?, ?, ?, ?, ?)');
  const line = database.prepare('insert into reservation_lines values (?, ?, ?, ?, ?, ?, ?)');
  const movement = database.prepare('insert into movements values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const remember = database.prepare('insert into operations values (?, ?, ?, ?, ?)');
  return () => {
    const operationId = randomUUID();
    const reservationId = `rsv_12_${randomUUID().slice(0, 24)}`;
    const at = Date.now();
    begin.run();
    const found = level.get(HQ, STORE, PRODUCT) as unknown as LevelRow | undefined;
    const known = operation.get(HQ, operationId);
    if (known !== undefined || found === undefined || found.on_hand - found.reserved - found.safety_stock < 1) {
      rollback.run();
      return false;
    }
    update.run(found.reserved + 1, found.version + 1, at, HQ, STORE, PRODUCT);
    reservation.run(reservationId, HQ, STORE, operationId, 'active', at, at + TTL_MS);
    line.run(reservationId, 0, STORE, PRODUCT, 1, 0, 0);
    movement.run(HQ, STORE, PRODUCT, 0, 1, found.on_hand, found.reserved + 1, reservationId, 'till-0001', at);
    remember.run(
      HQ,
      operationId,
      operationId.slice(0, 22),
      JSON.stringify({ reservationId, expiresAt: at + TTL_MS }),
      at,
    );
    commit.run();
    return true;
  };
}

/** Callers wait in line, each asking again once it is answered: with one writer, that is what `inFlight` means. */
function measure(database: DatabaseSync, { inFlight, warmUpMs, measureMs }: LoadShape): Sample {
  const reserve = reservationsOn(database);
  const histogram = new LatencyHistogram();
  const watch = new ProcessWatch();
  const askedAt = new Float64Array(inFlight).fill(performance.now());
  const from = performance.now() + warmUpMs;
  const until = from + measureMs;
  let units = 0;
  let watching = false;
  for (let turn = 0; ; turn = (turn + 1) % inFlight) {
    if (!reserve()) throw new Error('the reference refused a reservation');
    const now = performance.now();
    if (now >= until) break;
    if (now >= from) {
      if (!watching) watch.start();
      watching = true;
      histogram.record(now - (askedAt[turn] as number));
      units += 1;
    }
    askedAt[turn] = now;
  }
  const seconds = measureMs / 1_000;
  return {
    ...watch.stop(),
    pauses: null,
    units,
    seconds,
    perSecond: units / seconds,
    latencyCounts: histogram.counts,
    notes: {},
  };
}

serveCalls({
  measure(folder: string, shape: LoadShape): Sample {
    const database = new DatabaseSync(join(folder, 'reference.db'));
    database.exec(SCHEMA);
    database
      .prepare('insert into levels values (?, ?, ?, ?, 0, 0, 1, ?)')
      .run(HQ, STORE, PRODUCT, 1_000_000_000, Date.now());
    const sample = measure(database, shape);
    database.close();
    return sample;
  },
});
