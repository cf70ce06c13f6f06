/** The ledger's statements when the disk gives trouble. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EntryRow } from '../../src/ledger/ledger.ts';
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

function row(seq: number, operationId: string): EntryRow {
  const text = { fingerprint: 'f', type: 'reserve', body: '{}' };
  return { seq, at: seq, hqId: 'HQ001', operationId, duplicateOf: null, ...text };
}

it('records nothing of a batch that holds an operation id twice', async () => {
  const store = new SqliteLedgerStore(await openLedgerDatabase(join(folder, 'ledger.db')));
  const [head] = store.heads();
  if (head === undefined) throw new Error('no head');
  expect(store.record([{ head, entries: [row(1, 'a'), row(2, 'a')] }]).status).toBe('unknown');
  expect(store.heads()[0]).toEqual(head);
  store.close();
});

it('builds the index of operation ids anew beside a ledger that went back', async () => {
  const file = join(folder, 'ledger.db');
  const store = new SqliteLedgerStore(await openLedgerDatabase(file));
  const [head] = store.heads();
  if (head === undefined) throw new Error('no head');
  store.record([{ head, entries: [row(1, 'a')] }]);
  store.close();
  const database = await openLedgerDatabase(file);
  database.exec('update operations.indexed set seq = 7');
  database.close();
  const reopened = new SqliteLedgerStore(await openLedgerDatabase(file));
  expect(reopened.findOperations('HQ001', ['a'])).toMatchObject([{ seq: 1 }]);
  reopened.close();
});
