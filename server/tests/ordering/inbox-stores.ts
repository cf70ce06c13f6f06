/** The inboxes that this run tests, each empty, beside a ledger of their own. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openMariadb } from '../../src/ledger/mariadb/open-mariadb.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { Inbox, type InboxStore, type NewInboxEvent } from '../../src/ordering/inbox/inbox.ts';
import { MariadbInboxStore } from '../../src/ordering/inbox/mariadb/mariadb-inbox-store.ts';
import { SqliteInboxStore } from '../../src/ordering/inbox/sqlite/sqlite-inbox-store.ts';
import { temporaryFolder } from '../catalog/pipeline.ts';
import { describeDatabases } from '../support/describe-databases.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import type { MariadbTestServer } from '../support/servers/mariadb.ts';

export interface OpenedStore {
  store: InboxStore;
  /** The ledger is closed; its data stays. */
  close(): Promise<void>;
}

export interface StoreFixture {
  /** Opens the same ledger each time. */
  open(): Promise<OpenedStore>;
  remove(): void;
}

/** Runs a suite once for each adapter. */
export function describeInboxStores(name: string, suite: (fresh: () => Promise<StoreFixture>) => void): void {
  describeDatabases(name, { sqlite: async () => sqliteStores(), mariadb: mariadbStores }, suite);
}

export function sqliteStores(): StoreFixture {
  const folder = temporaryFolder();
  return {
    async open() {
      const ledger = await SqliteLedger.open(join(folder, 'ledger.db'));
      return { store: new SqliteInboxStore(ledger.threads), close: () => ledger.close() };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export async function mariadbStores(server: MariadbTestServer): Promise<StoreFixture> {
  const access = await freshDatabase(server);
  return {
    async open() {
      const connections = await openMariadb(access);
      const close = async () => {
        await Promise.all([connections.reader.close(), connections.writer.close()]);
      };
      return { store: new MariadbInboxStore(connections), close };
    },
    remove: () => undefined,
  };
}

export interface InboxTold {
  inbox: Inbox;
  /** What an operator was told. */
  failed: Error[];
  refused: () => number;
}

export function inboxOver(store: InboxStore, waitingMax?: number, unstoredLengthMax?: number): InboxTold {
  const failed: Error[] = [];
  let refused = 0;
  const failures = {
    inc: (count: number) => {
      refused += count;
    },
  };
  const bound = {
    ...(waitingMax === undefined ? {} : { waitingMax }),
    ...(unstoredLengthMax === undefined ? {} : { unstoredLengthMax }),
  };
  const inbox = new Inbox({ store, onFailed: (error) => failed.push(error), failures, ...bound });
  return { inbox, failed, refused: () => refused };
}

export function handedIn(
  orderId: string,
  text = JSON.stringify({ orderId, name: '주문 ✓' }),
  topic: NewInboxEvent['topic'] = 'order.placed',
): NewInboxEvent {
  return { topic, key: orderId, text, at: 1_700_000_000_000 };
}
