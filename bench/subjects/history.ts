/**
 * A process that fills a data folder with a past: sales of the last thirty days, decided by the real engine under a
 * clock of its own, recorded by the real ledger in large batches without waiting for the disk, and projected. What
 * comes out is what a shop's installation would hold after a month.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { openLedgerDatabase } from '../../server/src/ledger/sqlite/open-database.ts';
import { OperationIndex } from '../../server/src/ledger/sqlite/operation-index.ts';
import { SqliteLedger } from '../../server/src/ledger/sqlite/sqlite-ledger.ts';
import { SqliteLedgerStore } from '../../server/src/ledger/sqlite/sqlite-ledger-store.ts';
import { openSqliteProjections } from '../../server/src/projections/sqlite/sqlite-projections.ts';
import type { Command } from '../../server/src/stock/commands.ts';
import type { Entry } from '../../server/src/stock/entry.ts';
import { encodeEntry } from '../../server/src/stock/entry-codec.ts';
import { newReservationId, partitionOf } from '../../server/src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../server/src/stock/memory/memory-stock-engine.ts';
import type { RecordedHead } from '../../server/src/stock/stock-engine.ts';
import { serveCalls } from '../harness/child-process.ts';
import { PROVENANCE } from './installation.ts';
import { HQ, productId, type Stock, storeId } from './stock.ts';

const DAY_MS = 86_400_000;
const HISTORY_MS = 30 * DAY_MS;
/** Past the window in which an engine remembers operations and closed holds: it starts as if from an idle night. */
const QUIET_MS = 2 * 3_600_000;
const BATCH = 4_000;
const ENTRIES_PER_FOLD = 200_000;
const LINES_PER_RECEIPT = 500;
const POLL_MS = 100;
const UNSET = { safetyStock: null, lowThreshold: null };

const partition = partitionOf(HQ);

class Past {
  readonly #database: DatabaseSync;
  readonly #store: SqliteLedgerStore;
  readonly #engine: MemoryStockEngine;
  readonly #stepMs: number;
  #head: RecordedHead;
  #clockMs: number;
  #folded = 0;

  private constructor(database: DatabaseSync, entries: number) {
    this.#database = database;
    this.#store = new SqliteLedgerStore(database);
    this.#stepMs = Math.max(1, Math.floor(HISTORY_MS / entries));
    this.#clockMs = Date.now() - QUIET_MS - entries * this.#stepMs;
    this.#engine = new MemoryStockEngine(() => this.#clockMs);
    const heads = this.#store.openEpoch(this.#store.heads());
    this.#engine.open(heads);
    this.#head = heads[partition] as RecordedHead;
  }

  static async open(folder: string, entries: number): Promise<Past> {
    const database = await openLedgerDatabase(join(folder, 'ledger.db'), { synchronous: 'OFF' });
    return new Past(database, entries);
  }

  stockUp({ stores, products, quantity }: Stock): void {
    for (let store = 0; store < stores; store += 1) {
      this.#decide({ type: 'configure-store', storeId: storeId(store), settings: UNSET }, null);
    }
    for (let product = 0; product < products; product += 1) {
      this.#decide({ type: 'configure-product', productId: productId(product), settings: UNSET }, null);
    }
    const levels = stores * products;
    for (let first = 0; first < levels; first += LINES_PER_RECEIPT) {
      const items = Array.from({ length: Math.min(LINES_PER_RECEIPT, levels - first) }, (_, offset) => ({
        storeId: storeId((first + offset) % stores),
        productId: productId(Math.floor((first + offset) / stores)),
        quantity,
      }));
      this.#decide({ type: 'receive', items }, randomUUID());
    }
    this.#record();
  }

  /** Reservations, each confirmed at once, until the ledger holds this many entries. */
  sellUntil(entries: number, { stores, products }: Stock): void {
    for (let count = this.#head.seq; count < entries; count += 2) {
      this.#clockMs += 2 * this.#stepMs;
      const store = storeId(Math.floor(Math.random() * stores));
      const items = [{ storeId: store, productId: productId(Math.floor(Math.random() * products)), quantity: 1 }];
      const transactionId = randomUUID();
      const reservationId = newReservationId(partition);
      this.#decide(
        { type: 'reserve', reservationId, storeId: store, transactionId, ttlMs: 300_000, items },
        transactionId,
      );
      const orderId = `ORD-${reservationId.slice(-12)}`;
      this.#decide({ type: 'confirm', reservationId, orderId, keepRest: false }, randomUUID());
      if (count % BATCH < 2) this.#record();
    }
    this.#record();
  }

  #decide(command: Command, operationId: string | null): void {
    const fingerprint = operationId?.slice(0, 22) ?? null;
    // A new id of a new past: there is nothing to look up.
    const lookedUpAt = Number.MAX_SAFE_INTEGER;
    const { kind } = this.#engine.decide({ ...PROVENANCE, hqId: HQ, operationId, fingerprint, command, lookedUpAt });
    if (kind !== 'decided') throw new Error(`${command.type} of the past was answered with ${kind}`);
  }

  #record(): void {
    for (;;) {
      const batches = this.#engine.nextBatches(BATCH);
      if (batches instanceof Promise) return;
      const entries = batches.flatMap((batch) => batch.entries.map(({ entry }) => rowOf(entry)));
      const result = this.#store.record([{ head: this.#head, entries }]);
      if (result.status !== 'recorded') throw new Error(`the past was answered with ${JSON.stringify(result)}`);
      this.#head = result.heads[0] as RecordedHead;
      this.#engine.recorded(this.#head);
      if (this.#head.seq - this.#folded > ENTRIES_PER_FOLD) this.#fold();
    }
  }

  #fold(): void {
    new OperationIndex(this.#database).fold();
    this.#store.operationIds.reviewIndex();
    this.#folded = this.#head.seq;
  }

  close(): void {
    this.#fold();
    this.#store.close();
  }
}

function rowOf(entry: Entry) {
  const { seq, at, hqId, operationId, fingerprint, duplicateOf, command } = entry;
  return { seq, at, hqId, operationId, fingerprint, duplicateOf, type: command.type, body: encodeEntry(entry) };
}

let past: Past | null = null;

function opened(): Past {
  if (past === null) throw new Error('no past is being written');
  return past;
}

serveCalls({
  async begin(folder: string, entries: number, stock: Stock): Promise<void> {
    mkdirSync(folder, { recursive: true });
    past = await Past.open(folder, entries);
    past.stockUp(stock);
  },
  sellUntil(entries: number, stock: Stock): void {
    opened().sellUntil(entries, stock);
  },
  end(): void {
    opened().close();
    past = null;
  },
  /** Projects all of it, as an installation would after an upgrade. */
  async project(folder: string, entries: number): Promise<void> {
    const ledger = await SqliteLedger.open(join(folder, 'ledger.db'));
    const projections = await openSqliteProjections({
      ledger,
      file: join(folder, 'projections.db'),
      ledgerFile: join(folder, 'ledger.db'),
      recordedSeq: (asked) => (asked === partition ? entries : 0),
      log: { info: () => undefined, error: (message) => console.error(message) },
    });
    projections.wake(partition, entries);
    while (projections.lag() > 0) await delay(POLL_MS);
    await projections.close();
    await ledger.close();
  },
});
