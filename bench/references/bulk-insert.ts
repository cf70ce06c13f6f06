/** What an import is held against: SQLite's own bulk insert of the same rows, durable at its end. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { serveCalls } from '../harness/child-process.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import { stockRows } from '../subjects/csv-file.ts';
import { HQ, type Stock } from '../subjects/stock.ts';

const SCHEMA = `
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma cache_size = -65536;
  create table levels (
    hq_id text not null, store_id text not null, product_id text not null, on_hand integer not null check (on_hand >= 0),
    primary key (hq_id, store_id, product_id)
  ) without rowid;
`;

serveCalls({
  insert(folder: string, stock: Stock): Sample {
    const database = new DatabaseSync(join(folder, 'bulk.db'));
    database.exec(SCHEMA);
    const insert = database.prepare('insert into levels values (?, ?, ?, ?)');
    const watch = new ProcessWatch();
    watch.start();
    let rows = 0;
    database.exec('begin immediate');
    for (const [storeId, productId, quantity] of stockRows(stock)) {
      insert.run(HQ, storeId, productId, quantity);
      rows += 1;
    }
    database.exec('commit');
    const seen = watch.stop();
    database.close();
    return { ...seen, pauses: null, units: rows, perSecond: rows / seen.seconds, latencyCounts: null, notes: {} };
  },
});
