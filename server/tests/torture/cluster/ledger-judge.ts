/** Reads the ledger itself, past all that Holdfast says of it. */

import { catalogue } from '../../../src/events/catalogue/catalogue.ts';
import { eventsOf } from '../../../src/events/events-of.ts';
import type { Entry } from '../../../src/stock/entry.ts';
import { decodeEntry } from '../../../src/stock/entry-codec.ts';
import { readTopics, untilAll } from '../../events/kafka/topic-reader.ts';
import { asAdmin } from '../../support/mariadb-database.ts';
import type { KafkaTestServer } from '../../support/servers/kafka.ts';
import type { MariadbTestServer } from '../../support/servers/mariadb.ts';
import { FINDINGS_MAX } from '../judge.ts';
import type { Till } from '../tills.ts';

const STOCK_TOPICS = Object.keys(catalogue);
const PUBLISHED_MS_MAX = 60_000;
const PAGE = 2_000;
const ASKED_AT_ONCE = 500;

/** Answers that stick to their operation id are entries; others are none. */
const STICKS = new Set([200, 201, 409]);

/** Every entry follows the one before, and each partition's cursor stands on its last one. */
export async function checkChain(mariadb: MariadbTestServer): Promise<string[]> {
  const rows = await asAdmin<{ partition_id: number; entries: number; last: number; cursor_seq: number }>(mariadb, [
    `select c.partition_id, count(e.seq) entries, coalesce(max(e.seq), 0) last, max(c.seq) cursor_seq
     from cursors c left join entries e on e.partition_id = c.partition_id group by c.partition_id`,
  ]);
  return rows
    .map((row) => ({
      partition: row.partition_id,
      entries: Number(row.entries),
      last: Number(row.last),
      cursor: Number(row.cursor_seq),
    }))
    .filter(({ entries, last, cursor }) => entries !== last || cursor !== last)
    .map(
      ({ partition, entries, last, cursor }) =>
        `partition ${partition} has ${entries} entries, the last is ${last}, its cursor is at ${cursor}`,
    );
}

/** What a till was told of since `from` (an index of what it was told) is in the ledger. */
export async function checkRecorded(
  mariadb: MariadbTestServer,
  hqId: string,
  { acknowledged }: Till,
  from = 0,
): Promise<string[]> {
  const findings: string[] = [];
  for (let at = from; at < acknowledged.length; at += ASKED_AT_ONCE) {
    const told = acknowledged.slice(at, at + ASKED_AT_ONCE);
    const ids = told.map(({ operationId }) => `'${operationId}'`).join(',');
    const rows = await asAdmin<{ operation_id: string }>(mariadb, [
      `select operation_id from entries where hq_id = '${hqId}' and operation_id in (${ids})`,
    ]);
    const found = new Set(rows.map(({ operation_id }) => operation_id));
    for (const { operationId, answer } of told) {
      if (found.has(operationId) && STICKS.has(answer.status)) continue;
      findings.push(`${hqId}: ${operationId} was answered ${answer.status} and is not in the ledger: ${answer.text}`);
    }
  }
  return findings.slice(0, FINDINGS_MAX);
}

/** No entry leaves less than nothing anywhere, and what was decided twice was undone. */
export async function checkQuantities(mariadb: MariadbTestServer): Promise<string[]> {
  const levels = new Map<string, { onHand: number; reserved: number }>();
  const findings: string[] = [];
  const duplicates = new Set<string>();
  for await (const entry of entriesOf(mariadb)) {
    const place = `${entry.partition}/${entry.seq}`;
    if (entry.duplicateOf !== null) duplicates.add(place);
    if (entry.operationId?.startsWith('undo/')) duplicates.delete(entry.operationId.slice('undo/'.length));
    for (const { level, onHandChange, reservedChange } of entry.lines) {
      const read = entry.read.levels[level];
      if (read === undefined) continue;
      const key = `${entry.hqId}/${read.storeId}/${read.productId}`;
      const before = levels.get(key) ?? { onHand: 0, reserved: 0 };
      const after = { onHand: before.onHand + onHandChange, reserved: before.reserved + reservedChange };
      levels.set(key, after);
      if (after.onHand < 0 || after.reserved < 0 || (reservedChange > 0 && after.reserved > after.onHand)) {
        findings.push(`entry ${place} leaves ${after.onHand} on hand and ${after.reserved} reserved at ${key}`);
      }
    }
  }
  for (const place of duplicates) findings.push(`entry ${place} was decided a second time and is not undone`);
  return findings.slice(0, FINDINGS_MAX);
}

/** Every event of every entry is in its topic. */
export async function checkPublished(mariadb: MariadbTestServer, kafka: KafkaTestServer): Promise<string[]> {
  const ids: string[] = [];
  for await (const entry of entriesOf(mariadb)) ids.push(...eventsOf(entry).map(({ id }) => id));
  try {
    await readTopics(kafka.bootstrapServers, STOCK_TOPICS, untilAll(ids), PUBLISHED_MS_MAX);
    return [];
  } catch (error) {
    return [`of ${ids.length} events some are not published: ${(error as Error).message}`];
  }
}

/** Partition by partition, in order. */
export async function* entriesOf(mariadb: MariadbTestServer): AsyncGenerator<Entry> {
  const partitions = await asAdmin<{ partition_id: number }>(mariadb, ['select distinct partition_id from entries']);
  for (const { partition_id } of partitions) {
    for (let seq = 0; ; ) {
      const rows = await asAdmin<{ body: string }>(mariadb, [
        `select body from entries where partition_id = ${partition_id} and seq > ${seq} order by seq limit ${PAGE}`,
      ]);
      if (rows.length === 0) break;
      for (const { body } of rows) {
        const entry = decodeEntry(body);
        seq = entry.seq;
        yield entry;
      }
    }
  }
}
