/** The ledger's statements when the disk gives trouble. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLedgerDatabase } from '../../src/ledger/sqlite/open-database.ts';
import { SqliteLedgerStore } from '../../src/ledger/sqlite/sqlite-ledger-store.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('opens an epoch once there is room again, after it failed for want of it', async () => {
  const database = await openLedgerDatabase(join(folder, 'ledger.db'));
  const store = new SqliteLedgerStore(database);
  database.exec("create trigger full before update on cursors begin select raise(fail, 'disk full'); end");
  expect(() => store.openEpoch(store.heads())).toThrow('disk full');
  database.exec('drop trigger full');
  expect(store.openEpoch(store.heads())[0]?.epoch).toBe(1);
  store.close();
});
