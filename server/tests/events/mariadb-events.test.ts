/** Events of a ledger that several processes share: derived alike, followed by nodes that recorded nothing themselves. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { StockEvent } from '../../src/events/event-feed.ts';
import { allOnTheWire, type EventPosition, type EventSource, WHOLE_ENTRY } from '../../src/events/event-source.ts';
import { SharedEventFeed } from '../../src/events/local/shared-event-feed.ts';
import { MariadbEventSource } from '../../src/events/mariadb/mariadb-event-source.ts';
import { MariadbRelayCursors } from '../../src/events/mariadb/mariadb-relay-cursors.ts';
import { SqliteEventSource } from '../../src/events/sqlite/sqlite-event-source.ts';
import { LedgerUnavailable } from '../../src/ledger/ledger.ts';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/stock/entry-codec.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { requestedEngines } from '../conformance/engine-adapters.ts';
import { Pipeline } from '../conformance/pipeline.ts';
import { HQ, reserveOf, unitsOf } from '../stock/requests.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';

const PARTITION = partitionOf(HQ);
const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const BEGINNING: EventPosition = { seq: 0, index: WHOLE_ENTRY };

describeWith(['mariadb'], 'events of a shared ledger', () => {
  let server: MariadbTestServer;
  let pipeline: Pipeline;
  let entries: Entry[];
  let access: MariadbAccess;
  let ledger: MariadbLedger;
  let source: MariadbEventSource;

  beforeAll(async () => {
    server = await startMariadb();
    const [adapter] = requestedEngines();
    if (adapter === undefined) throw new Error('this run has no engine');
    pipeline = new Pipeline(adapter);
    await pipeline.start();
    await sell();
    entries = (await pipeline.ledger.entries(PARTITION, 0, 1_000)).map(({ body }) => decodeEntry(body));
  });
  afterAll(async () => {
    await pipeline.dispose();
    await server.stop();
  });
  beforeEach(async () => {
    access = await freshDatabase(server);
    ledger = await MariadbLedger.open(access);
    source = new MariadbEventSource(access);
  });
  afterEach(async () => {
    await source.close();
    await ledger.close();
  });

  async function sell(): Promise<void> {
    const commands: Command[] = [
      { type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS },
      { type: 'configure-product', productId: 'P1', settings: { ...NO_SETTINGS, lowThreshold: 50 } },
      { type: 'receive', items: [unitsOf(100)] },
      ...Array.from({ length: 60 }, () => reserveOf(1)),
    ];
    for (const [index, command] of commands.entries()) {
      const operationId = `op-${index}`;
      await pipeline.execute({ hqId: HQ, operationId, fingerprint: operationId, command });
    }
  }

  /** Records some of the entries that the pipeline has made. */
  async function record(from: number, to: number): Promise<void> {
    const [head] = await ledger.headsOf([PARTITION]);
    if (head === undefined) throw new Error('no head');
    const rows = entries.slice(from, to).map((entry) => ({
      ...entry,
      type: entry.command.type,
      mark: `mark-${entry.seq}`,
      body: encodeEntry(entry),
    }));
    expect((await ledger.record([{ head, entries: rows }])).status).toBe('recorded');
  }

  async function all(from: EventSource, limit: number): Promise<unknown[]> {
    const batches: unknown[] = [];
    for (let position = BEGINNING; ; ) {
      const batch = await from.read(PARTITION, position, { hqId: HQ }, limit);
      batches.push(batch);
      if (batch.atEnd) return batches;
      position = batch.position;
    }
  }

  it('are those of the embedded ledger, batch by batch', async () => {
    await record(0, entries.length);
    const sqlite = new SqliteEventSource(pipeline.ledger.threads.reader);
    for (const limit of [1, 7, 500]) expect(await all(source, limit)).toEqual(await all(sqlite, limit));
  });

  it('are read for a relay as those of every source are put on the wire', async () => {
    await record(0, entries.length);
    const asRead = allOnTheWire(source);
    let position = BEGINNING;
    for (const limit of [1, 7, 500]) {
      const batch = await source.readWire(PARTITION, position, limit);
      expect(batch).toEqual(await asRead(PARTITION, position, limit));
      expect(batch.events).not.toHaveLength(0);
      position = batch.position;
    }
    expect(await source.readWire(PARTITION, position, 1)).toEqual({ events: [], position });
  });

  it('rule 18: a cursor moves forward and never back, whoever saves it', async () => {
    const [one, other] = [new MariadbRelayCursors(ledger.connections), new MariadbRelayCursors(ledger.connections)];
    await ledgerEndsAt(20);
    await one.save(new Map([[3, 7]]));
    await other.save(
      new Map([
        [9, 5],
        [3, 12],
      ]),
    );
    await one.save(
      new Map([
        [3, 8],
        [9, 6],
      ]),
    );
    expect(await other.load()).toEqual(
      new Map([
        [3, 12],
        [9, 6],
      ]),
    );
  });

  it('rule 17: a cursor is not saved beyond the end of a ledger that was put back to an older copy', async () => {
    const cursors = new MariadbRelayCursors(ledger.connections);
    await ledgerEndsAt(20);
    await cursors.save(new Map([[3, 30]]));
    expect(await cursors.load()).toEqual(new Map([[3, 20]]));
  });

  async function ledgerEndsAt(seq: number): Promise<void> {
    await ledger.connections.writer.use((connection) => connection.query('update cursors set seq = ?', [seq]));
    await ledger.connections.writer.use((connection) => connection.query('commit'));
  }

  it('reach the streams of a node that records nothing, announced or not', async () => {
    await record(0, 10);
    const feed = new SharedEventFeed({
      source,
      heads: () => ledger.heads(),
      onError: (error) => expect.fail(`${error}`),
    });
    await feed.start();
    const ending = new AbortController();
    const seen: StockEvent[] = [];
    const stream = (async () => {
      for await (const { event } of feed.follow({ hqId: HQ }, null, ending.signal)) seen.push(event);
    })();
    await expect.poll(() => feed.page({ hqId: HQ }, null, 1)).toMatchObject({ items: [{}] });
    await record(10, 20);
    feed.recorded(PARTITION, 20);
    await expect.poll(() => seen.length).toBeGreaterThanOrEqual(10);
    await record(20, entries.length);
    const { items } = await feed.page({ hqId: HQ }, null, 1_000);
    const fromTen = items.findIndex(({ id }) => id === `evt_${PARTITION}_11_0`);
    await expect.poll(() => seen.map(({ id }) => id)).toEqual(items.slice(fromTen).map(({ id }) => id));
    ending.abort();
    await stream;
    await feed.close();
  });

  it('cannot be read while the database is away, and can again when it is back', async () => {
    await record(0, 10);
    await server.kill();
    await expect(source.read(PARTITION, BEGINNING, { hqId: HQ }, 10)).rejects.toThrow(LedgerUnavailable);
    await server.start();
    expect((await source.read(PARTITION, BEGINNING, { hqId: HQ }, 10)).events.length).toBeGreaterThan(0);
  });
});
