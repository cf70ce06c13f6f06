/**
 * What is done with the rows of dead letters, as statements that an adapter carries out one after the other and
 * answers: one text for both databases. A change is one transaction, and locks the line of its key first, so that what
 * comes to the end of a line never misses what ends it.
 */
import type { ConsumedTopic } from '../../events/topics.ts';
import type {
  BlockedKeys,
  Correction,
  GroupVersions,
  LetterQuery,
  LetterStatus,
  NewLetter,
  OpenKey,
} from './dead-letters.ts';
import {
  changerText,
  correctedColumns,
  groupOfHash,
  hashesOf,
  KEY_GROUPS,
  keyHash,
  LETTER_FIELDS,
  type LetterRecord,
  type LetterValue,
  newRow,
  reasonText,
} from './letter-rows.ts';

/** A page of letters holds at most so many bytes of values, but always one letter. */
const PAGE_BYTES_MAX = 4_194_304;
/** Groups of keys that are read by themselves; of more, all are. */
const GROUPS_READ_MAX = 16;

export interface LetterStatement {
  sql: string;
  values: LetterValue[];
  /** Answered by rows; otherwise by how many it changed. */
  reads: boolean;
}

export interface LetterAnswer {
  rows: unknown[];
  changed: number;
}

export type LetterWork<T> = Generator<LetterStatement, T, LetterAnswer>;

/** What the two databases say differently. */
export interface LetterDialect {
  /** Epoch milliseconds by the database's own clock. */
  now: string;
  /** Behind an `insert` of a row that may be there: it is left as it is. */
  unlessThere: (column: string) => string;
}

interface Line {
  topic: ConsumedTopic;
  keyHash: string;
  hqId: string | null;
}

const OPEN = "status in ('parked', 'waiting')";
/** The same, where few keys are asked for: SQLite takes the index of states otherwise (50 to 83 ms instead of 1.2). */
const NOT_ENDED = "status not in ('redriven', 'dropped')";
const IN_LINE = "topic = ? and key_hash = ? and coalesce(hq_id, '') = ? and in_line = 1";

export class LetterStatements {
  readonly #dialect: LetterDialect;

  constructor(dialect: LetterDialect) {
    this.#dialect = dialect;
  }

  *park(letter: NewLetter, receivedAt: number): LetterWork<void> {
    const line = letter.key === null ? null : lineOf(letter.message.topic, letter.key, letter.hqId);
    if (line !== null) yield* this.#lock(line);
    yield this.#insert('dead_letters', newRow(letter, 'parked', receivedAt), 'id');
    yield* this.#keyChanged(line);
  }

  *queueBehind(letter: NewLetter, receivedAt: number): LetterWork<boolean> {
    if (letter.key === null) return false;
    const line = lineOf(letter.message.topic, letter.key, letter.hqId);
    yield* this.#lock(line);
    const { topic, partition, offset, at } = letter.message;
    const there = yield read(
      'select id from dead_letters where topic = ? and partition_id = ? and message_offset = ? and at = ?',
      [topic, partition, String(offset), at],
    );
    if (there.rows.length > 0) return true;
    // Offsets of a topic that was made anew begin again; then its messages are the later ones.
    const before = yield read(
      `select id from dead_letters where ${IN_LINE} and ${OPEN}
       and not (partition_id = ? and at >= ? and cast(message_offset as decimal(20)) > cast(? as decimal(20))) limit 1`,
      [...valuesOf(line), partition, at, String(offset)],
    );
    if (before.rows.length === 0) return false;
    yield this.#insert('dead_letters', newRow(letter, 'waiting', receivedAt), 'id');
    return true;
  }

  *claim(id: number, claim: string, leaseMs: number): LetterWork<LetterRecord | null> {
    yield* this.#lockLineOf(id);
    return yield* this.#claim(id, 'parked', claim, leaseMs);
  }

  *claimNext({ topic, key, hqId }: OpenKey, claim: string, leaseMs: number): LetterWork<FollowingLetter | null> {
    const line = lineOf(topic, key, hqId);
    yield* this.#lock(line);
    const first = yield read(
      `select id from dead_letters where ${IN_LINE} and status = 'waiting'
       and not exists (select 1 from dead_letters parked where parked.topic = ? and parked.key_hash = ?
         and coalesce(parked.hq_id, '') = ? and parked.in_line = 1 and parked.status = 'parked')
       order by id limit 1`,
      [...valuesOf(line), ...valuesOf(line)],
    );
    const [row] = first.rows as { id: number }[];
    const claimed = row === undefined ? null : yield* this.#claim(row.id, 'waiting', claim, leaseMs);
    if (claimed === null) return null;
    const last = yield read(
      `select changed_by as changedBy from dead_letters where ${IN_LINE} and changed_at is not null
       order by changed_at desc, id desc limit 1`,
      valuesOf(line),
    );
    const [changed] = last.rows as { changedBy: string | null }[];
    return { row: claimed, by: changed?.changedBy ?? null };
  }

  *#claim(id: number, status: LetterStatus, claim: string, leaseMs: number): LetterWork<LetterRecord | null> {
    const { now } = this.#dialect;
    const { changed } = yield change(
      `update dead_letters set claim = ?, claimed_until = ${now} + ?
       where id = ? and status = ? and claimed_until <= ${now}`,
      [claim, leaseMs, id, status],
    );
    return changed === 0 ? null : yield* this.get(id);
  }

  /** Only whoever still has the claim. */
  *done(id: number, { claim, by }: Claim): LetterWork<void> {
    const line = yield* this.#lockLineOf(id);
    const { changed } = yield change(
      `update dead_letters set status = 'redriven', attempts = attempts + 1, claim = null, claimed_until = 0,
         ${this.#changed} where id = ? and claim = ?`,
      [changerText(by), id, claim],
    );
    if (changed > 0) yield* this.#keyChanged(line);
  }

  *parkAgain(id: number, { claim, by }: Claim, code: string, reason: string): LetterWork<void> {
    yield* this.#lockLineOf(id);
    yield change(
      `update dead_letters set unsent = case when status = 'waiting' then 1 else unsent end, status = 'parked',
         code = ?, reason = ?, attempts = attempts + 1, claim = null, claimed_until = 0, ${this.#changed}
       where id = ? and claim = ?`,
      [code, reasonText(reason), changerText(by), id, claim],
    );
  }

  *release(id: number, claim: string): LetterWork<void> {
    yield change('update dead_letters set claim = null, claimed_until = 0 where id = ? and claim = ?', [id, claim]);
  }

  *correct(id: number, correction: Correction, by: string): LetterWork<boolean> {
    const columns = correctedColumns(correction);
    const line = yield* this.#lockLineOf(id);
    const { changed } = yield change(
      `update dead_letters set ${Object.keys(columns)
        .map((name) => `${name} = ?`)
        .join(', ')}, ${this.#changed}
       where id = ? and status = 'parked' and claimed_until <= ${this.#dialect.now}`,
      [...Object.values(columns), changerText(by), id],
    );
    // It may speak of another HQ than before.
    if (changed > 0) yield* this.#keyChanged(line);
    return changed > 0;
  }

  *drop(id: number, by: string): LetterWork<boolean> {
    const line = yield* this.#lockLineOf(id);
    const { changed } = yield change(
      `update dead_letters set status = 'dropped', claim = null, ${this.#changed}
       where id = ? and status = 'parked' and claimed_until <= ${this.#dialect.now}`,
      [changerText(by), id],
    );
    if (changed > 0) yield* this.#keyChanged(line);
    return changed > 0;
  }

  *sent(ids: readonly number[]): LetterWork<void> {
    if (ids.length === 0) return;
    yield change(`update dead_letters set unsent = null where id in (${ids.map(() => '?').join(', ')})`, [...ids]);
  }

  *get(id: number): LetterWork<LetterRecord | null> {
    const { rows } = yield read(`select ${LETTER_FIELDS} from dead_letters where id = ?`, [id]);
    return (rows as LetterRecord[])[0] ?? null;
  }

  /** Newest first, at most `limit`; fewer when their values are large. `more`: there are others behind them. */
  *list({ hqId, topic, key, status, from, limit }: LetterQuery, beforeId: number): LetterWork<LetterPage> {
    const conditions = ['id < ?'];
    const values: LetterValue[] = [beforeId];
    const only = (condition: string, value: LetterValue | undefined) => {
      if (value === undefined || value === null) return;
      conditions.push(condition);
      values.push(value);
    };
    only('(hq_id = ? or hq_id is null)', hqId);
    only('topic = ?', topic);
    only('key_hash = ?', key === undefined ? undefined : keyHash(key));
    only('status = ?', status);
    only('received_at >= ?', from);
    return yield* this.#page(`where ${conditions.join(' and ')} order by id desc`, values, limit);
  }

  *unsent(limit: number): LetterWork<LetterRecord[]> {
    return (yield* this.#page('where unsent is not null order by id', [], limit)).rows;
  }

  /** The values are read once it is known how large they are. */
  *#page(which: string, values: LetterValue[], limit: number): LetterWork<LetterPage> {
    const sized = yield read(`select id, coalesce(length(value), 0) as bytes from dead_letters ${which} limit ?`, [
      ...values,
      limit + 1,
    ]);
    const ids: number[] = [];
    let bytes = 0;
    for (const row of (sized.rows as { id: number; bytes: number }[]).slice(0, limit)) {
      bytes += row.bytes;
      if (ids.length > 0 && bytes > PAGE_BYTES_MAX) break;
      ids.push(row.id);
    }
    if (ids.length === 0) return { rows: [], more: false };
    const { rows } = yield read(
      `select ${LETTER_FIELDS} from dead_letters where id in (${ids.map(() => '?').join(', ')})`,
      ids,
    );
    const byId = new Map((rows as LetterRecord[]).map((row) => [row.id, row]));
    return { rows: ids.map((id) => byId.get(id) as LetterRecord), more: sized.rows.length > ids.length };
  }

  /**
   * With 100 000 open keys a look took 0.8 s (SQLite) and 2.8 s (MariaDB) when it read all of them, changed or not; by
   * groups it takes 1 ms when nothing has changed, and 23 and 35 ms after one letter. (On two cores that others used too.)
   */
  *blockedKeys(seen: GroupVersions): LetterWork<BlockedKeys> {
    // Before the keys: what changes in between is read again the next time.
    const counted = yield read('select key_group as keyGroup, version from dead_letter_key_groups', []);
    const versions = new Map(
      (counted.rows as { keyGroup: number; version: number }[]).map(({ keyGroup, version }) => [keyGroup, version]),
    );
    if (versions.size !== KEY_GROUPS) throw new Error(`there are ${versions.size} groups of keys, not ${KEY_GROUPS}`);
    const all = [...versions.keys()];
    const changed = all.filter((group) => versions.get(group) !== seen.get(group));
    if (changed.length === 0) return { versions, groups: new Set(), keys: [] };
    const groups = changed.length > GROUPS_READ_MAX ? all : changed;
    const within = groups.map(() => '(key_hash > ? and key_hash < ?)').join(' or ');
    const { rows } = yield read(
      `select topic, min(letter_key) as letterKey, hq_id as hqId, key_hash as keyHash from dead_letters
       where in_line = 1 and ${groups === all ? OPEN : `${NOT_ENDED} and (${within})`}
       group by topic, key_hash, hq_id`,
      groups === all ? [] : groups.flatMap(hashesOf),
    );
    const keys = (rows as KeyRow[]).map((row) => ({ ...keyOf(row), group: groupOfHash(row.keyHash) }));
    return { versions, groups: new Set(groups), keys };
  }

  *stranded(limit: number): LetterWork<OpenKey[]> {
    const { now } = this.#dialect;
    const { rows } = yield read(
      `select topic, min(letter_key) as letterKey, hq_id as hqId, key_hash as keyHash from dead_letters waiting
       where status = 'waiting' and not exists (
         select 1 from dead_letters other
         where other.topic = waiting.topic and other.key_hash = waiting.key_hash
           and coalesce(other.hq_id, '') = coalesce(waiting.hq_id, '') and other.in_line = 1
           and (other.status = 'parked' or (other.status = 'waiting' and other.claimed_until > ${now})))
       group by topic, key_hash, hq_id limit ?`,
      [limit],
    );
    return (rows as KeyRow[]).map(keyOf);
  }

  *counts(): LetterWork<{ parked: number; waiting: number }> {
    const { rows } = yield read(
      `select status, count(*) as letters from dead_letters where ${OPEN} group by status`,
      [],
    );
    const counted = new Map((rows as { status: string; letters: number }[]).map((row) => [row.status, row.letters]));
    return { parked: counted.get('parked') ?? 0, waiting: counted.get('waiting') ?? 0 };
  }

  /** Assigns who changed it, a value, and when, by the clock of the database, so that the last of a line is known. */
  get #changed(): string {
    return `changed_by = ?, changed_at = ${this.#dialect.now}`;
  }

  /** @returns null: nothing waits behind this letter, or there is none, and nothing is locked */
  *#lockLineOf(id: number): LetterWork<Line | null> {
    const { rows } = yield read(
      'select topic, key_hash as keyHash, hq_id as hqId, in_line as inLine from dead_letters where id = ?',
      [id],
    );
    const [row] = rows as (Line & { inLine: number })[];
    if (row === undefined || row.inLine === 0) return null;
    yield* this.#lock(row);
    return row;
  }

  /** Last in its transaction: keys of one group wait for each other from here to the commit. */
  *#keyChanged(line: Line | null): LetterWork<void> {
    if (line === null) return;
    yield change('update dead_letter_key_groups set version = version + 1 where key_group = ?', [
      groupOfHash(line.keyHash),
    ]);
  }

  *#lock(line: Line): LetterWork<void> {
    yield this.#insert('dead_letter_lines', { topic: line.topic, key_hash: line.keyHash }, 'topic');
  }

  #insert(table: string, row: Record<string, LetterValue>, column: string): LetterStatement {
    const columns = Object.keys(row);
    return change(
      `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})
       ${this.#dialect.unlessThere(column)}`,
      Object.values(row),
    );
  }
}

/** By whom a letter is handled: their claim, and their name for people (null: it is not known any more). */
export interface Claim {
  claim: string;
  by: string | null;
}

export interface FollowingLetter {
  row: LetterRecord;
  /** Who has seen to a letter of its line last. */
  by: string | null;
}

export interface LetterPage {
  rows: LetterRecord[];
  more: boolean;
}

interface KeyRow extends Line {
  letterKey: string;
}

function keyOf({ topic, letterKey, hqId }: KeyRow): OpenKey {
  return { topic, key: letterKey, hqId };
}

function lineOf(topic: ConsumedTopic, key: string, hqId: string | null): Line {
  return { topic, keyHash: keyHash(key), hqId };
}

function valuesOf({ topic, keyHash: hash, hqId }: Line): LetterValue[] {
  return [topic, hash, hqId ?? ''];
}

function read(sql: string, values: LetterValue[]): LetterStatement {
  return { sql, values, reads: true };
}

function change(sql: string, values: LetterValue[]): LetterStatement {
  return { sql, values, reads: false };
}
