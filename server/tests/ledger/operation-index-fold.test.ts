/** A fold that fails leaves nothing behind: the next one succeeds once the disk has room. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openLedgerDatabase } from '../../src/ledger/sqlite/open-database.ts';
import { OperationIndex } from '../../src/ledger/sqlite/operation-index.ts';
import { SqliteLedgerStore } from '../../src/ledger/sqlite/sqlite-ledger-store.ts';
import type { RecordedHead } from '../../src/stock/stock-engine.ts';

it('folds again after the disk was full', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fold-'));
  const database = await openLedgerDatabase(join(folder, 'ledger.db'));
  try {
    const store = new SqliteLedgerStore(database);
    const head = store.openEpoch(store.heads())[0] as RecordedHead;
    const entries = Array.from({ length: 5_000 }, (_, index) => ({
      seq: index + 1,
      at: 1,
      hqId: 'HQ001',
      operationId: `op-${index}`,
      fingerprint: 'f',
      duplicateOf: null,
      type: 'reserve',
      body: '{}',
    }));
    expect(store.record([{ head, entries }]).status).toBe('recorded');
    const index = new OperationIndex(database);
    const { page_count: pages } = database.prepare('pragma operations.page_count').get() as { page_count: number };
    database.exec(`pragma operations.max_page_count = ${pages + 2}`);
    expect(() => index.fold()).toThrow(/full/);
    expect(database.isTransaction).toBe(false);
    database.exec('pragma operations.max_page_count = 1000000');
    expect(index.fold()).toBe(5_000);
    expect(index.find('HQ001', 'op-4999')?.seq).toBe(5_000);
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
