/**
 * Recording: one transaction for entries of several partitions, all or none. The order of its statements is the
 * guarantee. First each cursor is compared and moved, in ascending order; then the entries are inserted; these go to
 * the server in one piece, but the commit is sent only after every answer was looked at. So a recorder that was
 * overtaken changes nothing, and finds itself overtaken rather than its entries duplicated.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mariadb';
import type { SharedHead } from '../../stock/shared-engine.ts';
import { chainHash } from '../chain.ts';
import type { FoundOperation } from '../ledger.ts';
import type { SharedRecord, SharedRecordResult, SharedRow } from '../shared-ledger.ts';
import { isConnectionLost, isContention, isDuplicateKey, reasonOf } from './mariadb-errors.ts';
import type { MariadbPool } from './mariadb-pool.ts';
import { CommitUnknown, commit } from './mariadb-transaction.ts';
import { insertRows, type SqlValue } from './multi-row-insert.ts';

/** How long a batch is tried again that met other transactions or lost its connection before the commit. */
const RECORD_MS_MAX = 5_000;
/** How long the outcome of a commit is asked for; longer than the server takes to end a connection that is silent. */
const OUTCOME_MS_MAX = 8_000;
const RETRY_MS = 100;
/** Shorter ones fit any server that is accepted (`server-settings.ts`). */
const LONG_ENTRY_CHARACTERS = 4_000_000;
/** For what surrounds the text in its packet. */
const LONG_ENTRY_MARGIN_BYTES = 65_536;

const ENTRIES = {
  table: 'entries',
  columns: [
    'partition_id',
    'seq',
    'epoch',
    'hash',
    'mark',
    'at',
    'hq_id',
    'operation_id',
    'fingerprint',
    'duplicate_of',
    'type',
    'body',
  ],
  longest: 11,
};

/** The entries of one partition with the hashes that they will have, and the head after them. */
interface Chained {
  from: SharedHead;
  to: SharedHead;
  entries: readonly SharedRow[];
  hashes: string[];
}

type Attempt = SharedRecordResult | { status: 'taken'; reason: string };

export class EntryRecording {
  readonly #writer: MariadbPool;
  readonly #find: (hqId: string, operationIds: readonly string[]) => Promise<FoundOperation[]>;

  constructor(writer: MariadbPool, find: (hqId: string, operationIds: readonly string[]) => Promise<FoundOperation[]>) {
    this.#writer = writer;
    this.#find = find;
  }

  async record(records: readonly SharedRecord[]): Promise<SharedRecordResult> {
    const twice = repeatedOperation(records);
    if (twice !== null) return { status: 'rolled-back', reason: `operation id ${twice} is in one batch twice` };
    const batch = records.map(chained).sort((one, other) => one.from.partition - other.from.partition);
    const result = await this.#recordChained(batch);
    if (result.status !== 'recorded') return result;
    const heads = new Map(result.heads.map((head) => [head.partition, head]));
    return { status: 'recorded', heads: records.map(({ head }) => heads.get(head.partition) as SharedHead) };
  }

  async #recordChained(batch: readonly Chained[]): Promise<SharedRecordResult> {
    const until = performance.now() + RECORD_MS_MAX;
    for (;;) {
      let reason: string;
      try {
        const result = await this.#writer.use((connection) => attempt(connection, batch));
        if (result.status !== 'taken') return result;
        const found = await this.#takenOperations(batch);
        if (found.length > 0) return { status: 'duplicate', found };
        reason = result.reason;
      } catch (error) {
        if (error instanceof CommitUnknown) return this.#outcome(batch, error);
        if (!isContention(error) && !isConnectionLost(error)) return { status: 'rolled-back', reason: reasonOf(error) };
        reason = reasonOf(error);
      }
      if (performance.now() > until) return { status: 'rolled-back', reason };
      await delay(RETRY_MS);
    }
  }

  /** The error names one id at most; the caller needs all of the batch. */
  async #takenOperations(batch: readonly Chained[]): Promise<FoundOperation[]> {
    const byHq = new Map<string, string[]>();
    for (const { hqId, operationId } of batch.flatMap(({ entries }) => entries)) {
      if (operationId === null) continue;
      const ids = byHq.get(hqId);
      if (ids === undefined) byHq.set(hqId, [operationId]);
      else ids.push(operationId);
    }
    const found = await Promise.all([...byHq].map(([hqId, ids]) => this.#find(hqId, ids)));
    return found.flat();
  }

  /**
   * The commit was sent and not answered. Its transaction holds the cursors until it has ended one way or the other,
   * so a read that locks them waits for that end, and what it then sees is final.
   */
  async #outcome(batch: readonly Chained[], unknown: CommitUnknown): Promise<SharedRecordResult> {
    const until = performance.now() + OUTCOME_MS_MAX;
    for (;;) {
      try {
        const recorded = await this.#writer.use((connection) => isRecorded(connection, batch));
        return recorded
          ? { status: 'recorded', heads: batch.map(({ to }) => to) }
          : { status: 'rolled-back', reason: unknown.message };
      } catch (error) {
        if (performance.now() > until) {
          return { status: 'unknown', reason: `${unknown.message}; then ${reasonOf(error)}` };
        }
      }
      await delay(RETRY_MS);
    }
  }
}

/** Statements first, their answers next, the commit last. */
async function attempt(connection: Connection, batch: readonly Chained[]): Promise<Attempt> {
  await checkSizes(connection, batch);
  const moving = moveCursors(
    connection,
    batch.map(({ from, to }) => ({ from, to })),
  );
  const inserting = insertEntries(connection, batch);
  const [moved, inserted] = await Promise.allSettled([moving, inserting]);
  if (moved.status === 'rejected') throw moved.reason;
  if (moved.value.length > 0) {
    await connection.query('rollback');
    return { status: 'conflict', partitions: moved.value };
  }
  if (inserted.status === 'rejected') {
    if (!isDuplicateKey(inserted.reason)) throw inserted.reason;
    await connection.query('rollback');
    return { status: 'taken', reason: reasonOf(inserted.reason) };
  }
  await commit(connection);
  return { status: 'recorded', heads: batch.map(({ to }) => to) };
}

/** The server closes the connection on what is too long for it, without a word about which entry it was. */
async function checkSizes(connection: Connection, batch: readonly Chained[]): Promise<void> {
  for (const { to, entries } of batch) {
    for (const { seq, body } of entries) {
      if (body.length < LONG_ENTRY_CHARACTERS) continue;
      const bytes = Buffer.byteLength(body);
      const [row] = await connection.query<{ most: number }[]>('select @@max_allowed_packet as most');
      if (row === undefined || bytes + LONG_ENTRY_MARGIN_BYTES <= row.most) continue;
      throw new Error(
        `entry ${seq} of partition ${to.partition} has ${bytes} bytes, and the database server takes ${row.most} at once. Say "set global max_allowed_packet = ${2 * bytes}", and put it into the server's configuration.`,
      );
    }
  }
}

/** Compares each cursor and moves it; returns the partitions where it stood elsewhere. Heads must ascend. */
export async function moveCursors(
  connection: Connection,
  moves: readonly { from: { partition: number; epoch: number; seq: number; hash: string }; to: SharedHead }[],
): Promise<number[]> {
  const results = await Promise.allSettled(
    moves.map(({ from, to }) =>
      connection.query<{ affectedRows: number }>(
        `update cursors set epoch = ?, seq = ?, hash = ?, mark = ?, at = ?
         where partition_id = ? and epoch = ? and seq = ? and hash = ?`,
        [to.epoch, to.seq, to.hash, to.mark, to.at, from.partition, from.epoch, from.seq, from.hash],
      ),
    ),
  );
  const elsewhere: number[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === 'rejected') throw result.reason;
    if (result.value.affectedRows !== 1) elsewhere.push((moves[index] as { to: SharedHead }).to.partition);
  }
  return elsewhere;
}

async function insertEntries(connection: Connection, batch: readonly Chained[]): Promise<void> {
  const rows: SqlValue[][] = [];
  for (const { to, entries, hashes } of batch) {
    for (const [index, entry] of entries.entries()) {
      rows.push([
        to.partition,
        entry.seq,
        to.epoch,
        hashes[index] as string,
        entry.mark,
        entry.at,
        entry.hqId,
        entry.operationId,
        entry.fingerprint,
        entry.duplicateOf,
        entry.type,
        entry.body,
      ]);
    }
  }
  await insertRows(connection, ENTRIES, rows);
}

/** @throws Error when the ledger holds a part of the batch, which no transaction leaves behind */
async function isRecorded(connection: Connection, batch: readonly Chained[]): Promise<boolean> {
  const partitions = batch.map(({ to }) => to.partition);
  const places = batch.map(() => '(?, ?)').join(', ');
  await connection.query(
    `select partition_id from cursors where partition_id in (${partitions.map(() => '?').join(', ')})
     order by partition_id for update`,
    partitions,
  );
  const rows = await connection.query<{ partition_id: number; hash: string }[]>(
    `select partition_id, hash from entries where (partition_id, seq) in (${places})`,
    batch.flatMap(({ to }) => [to.partition, to.seq]),
  );
  await connection.query('rollback');
  const hashes = new Map(rows.map(({ partition_id, hash }) => [partition_id, hash]));
  const recorded = batch.filter(({ to }) => hashes.get(to.partition) === to.hash);
  if (recorded.length === 0) return false;
  if (recorded.length === batch.length) return true;
  throw new Error(`the ledger holds a part of one transaction: partition ${recorded[0]?.to.partition}, but not all`);
}

function chained({ head, entries }: SharedRecord): Chained {
  const hashes: string[] = [];
  let { hash } = head;
  for (const row of entries) {
    hash = chainHash(hash, row.body);
    hashes.push(hash);
  }
  const last = entries.at(-1);
  if (last === undefined) throw new Error(`a batch without entries for partition ${head.partition}`);
  return { from: head, to: { ...head, hash, seq: last.seq, at: last.at, mark: last.mark }, entries, hashes };
}

/** An engine that decides an id twice before it is recorded breaks its promise; nothing of its batch is recorded. */
function repeatedOperation(records: readonly SharedRecord[]): string | null {
  const seen = new Set<string>();
  for (const { hqId, operationId } of records.flatMap(({ entries }) => entries)) {
    if (operationId === null) continue;
    const key = `${hqId}/${operationId}`;
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return null;
}
