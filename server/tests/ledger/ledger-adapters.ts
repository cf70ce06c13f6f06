/** The ledgers that this run tests, each empty. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createConnection } from 'mariadb';
import type { Ledger, PartitionRecord } from '../../src/ledger/ledger.ts';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import type { SharedRecord, SharedRow } from '../../src/ledger/shared-ledger.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import type { SharedHead } from '../../src/stock/shared-engine.ts';
import type { RecordedHead } from '../../src/stock/stock-engine.ts';
import { describeDatabases } from '../support/describe-databases.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import type { MariadbTestServer } from '../support/servers/mariadb.ts';

/** An installation's ledger, which may be opened any number of times. */
export interface LedgerFixture {
  open(): Promise<Ledger>;
  /** A statement past the ledger, as somebody with the database's password would do it. */
  sql(statement: string): Promise<void>;
  remove(): Promise<void>;
}

/** Runs a suite once for each adapter. */
export function describeLedgers(name: string, suite: (fresh: () => Promise<LedgerFixture>) => void): void {
  describeDatabases(name, { sqlite: sqliteFixture, mariadb: mariadbFixture }, suite);
}

async function sqliteFixture(): Promise<LedgerFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'));
  const file = join(folder, 'ledger.db');
  return {
    open: () => SqliteLedger.open(file),
    async sql(statement) {
      const database = new DatabaseSync(file);
      try {
        database.exec(statement);
      } finally {
        database.close();
      }
    },
    async remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function mariadbFixture(server: MariadbTestServer): Promise<LedgerFixture> {
  const access = await freshDatabase(server);
  return {
    open: () => MariadbLedger.open(access),
    async sql(statement) {
      const connection = await createConnection({ ...access });
      try {
        await connection.query(statement);
      } finally {
        await connection.end();
      }
    },
    async remove() {},
  };
}

/** A row that any ledger takes: one of a cluster asks for its name in the journal too. */
export function rowOf(seq: number, fields: Partial<SharedRow> = {}): SharedRow {
  return {
    seq,
    at: seq,
    hqId: 'HQ001',
    operationId: `operation-${seq}`,
    fingerprint: `fingerprint-${seq}`,
    duplicateOf: null,
    type: 'reserve',
    body: `{"seq":${seq}}`,
    mark: `mark-${seq}`,
    ...fields,
  };
}

/** Rows after a head, which must have come from the ledger that records them. */
export function recordOf(head: RecordedHead, ...fields: Partial<SharedRow>[]): PartitionRecord & SharedRecord {
  const entries = fields.map((each, index) => rowOf(head.seq + 1 + index, each));
  return { head: head as SharedHead, entries };
}
