/** The dead letters that this run tests, each empty, in a ledger of their own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MariadbConnections, openMariadb } from '../../src/ledger/mariadb/open-mariadb.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import type { DeadLetters, NewLetter } from '../../src/ordering/letters/dead-letters.ts';
import { mariadbLetterStore } from '../../src/ordering/letters/mariadb/mariadb-letter-store.ts';
import { sqliteLetterStore } from '../../src/ordering/letters/sqlite/sqlite-letter-store.ts';
import { type LetterStore, StoredDeadLetters } from '../../src/ordering/letters/stored-dead-letters.ts';
import { describeDatabases } from '../support/describe-databases.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import type { MariadbTestServer } from '../support/servers/mariadb.ts';

export interface LetterFixture {
  letters: DeadLetters;
  /** The same rows, with claims that end after `leaseMs`. */
  withLease(leaseMs: number): DeadLetters;
  /** The same rows as another process has them; in embedded mode there is one. */
  elsewhere(): Promise<DeadLetters>;
  close(): Promise<void>;
}

/** Runs a suite once for each adapter. */
export function describeLetters(name: string, suite: (fresh: () => Promise<LetterFixture>) => void): void {
  describeDatabases(name, { sqlite: sqliteFixture, mariadb: mariadbFixture }, suite);
}

async function sqliteFixture(): Promise<LetterFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-letters-'));
  const ledger = await SqliteLedger.open(join(folder, 'ledger.db'));
  const store = () => sqliteLetterStore(ledger.threads);
  const close = async () => {
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return fixtureOn(store(), { elsewhere: async () => store(), close });
}

async function mariadbFixture(server: MariadbTestServer): Promise<LetterFixture> {
  const access = await freshDatabase(server);
  const opened: MariadbConnections[] = [];
  const open = async () => {
    const connections = await openMariadb(access);
    opened.push(connections);
    return mariadbLetterStore(connections);
  };
  const close = async () => {
    await Promise.all(opened.flatMap(({ reader, writer }) => [reader.close(), writer.close()]));
  };
  return fixtureOn(await open(), { elsewhere: open, close });
}

interface Opened {
  elsewhere: () => Promise<LetterStore>;
  close: () => Promise<void>;
}

function fixtureOn(store: LetterStore, { elsewhere, close }: Opened): LetterFixture {
  return {
    letters: new StoredDeadLetters({ store, now: Date.now }),
    withLease: (leaseMs) => new StoredDeadLetters({ store, now: Date.now, leaseMs }),
    elsewhere: async () => new StoredDeadLetters({ store: await elsewhere(), now: Date.now }),
    close,
  };
}

/** A message of `order.completed` that was parked, or is to wait. */
export function letter(offset: number, fields: Partial<NewLetter> = {}, text = `{"n":${offset}}`): NewLetter {
  const key = fields.key === undefined ? 'ORD1' : fields.key;
  return {
    message: {
      topic: 'order.completed',
      partition: 3,
      offset: BigInt(offset),
      key,
      headers: new Map([['ce_id', `evt-${offset}`]]),
      value: new TextEncoder().encode(text),
      at: 1_700_000_000_000 + offset,
    },
    key,
    hqId: 'HQ001',
    orderId: 'ORD1',
    eventId: `evt-${offset}`,
    code: 'UNKNOWN_PRODUCT',
    reason: 'There is no product PRD9.',
    attempts: 3,
    ...fields,
  };
}
