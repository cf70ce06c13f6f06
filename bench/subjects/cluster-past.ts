/** Copies the past of a data folder into a database, entry by entry, so that both ledgers hold the same. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Connection, createConnection } from 'mariadb';
import { MariadbLedger } from '../../server/src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../server/src/ledger/mariadb/mariadb-pool.ts';
import { partitionOf } from '../../server/src/stock/identifiers.ts';
import { serveCalls } from '../harness/child-process.ts';
import { HQ } from './stock.ts';

const ROWS_PER_COMMIT = 2_000;
const COLUMNS = 'partition_id, seq, hash, at, hq_id, operation_id, fingerprint, duplicate_of, type, body';

serveCalls({
  /** Answers the last `seq` of the one partition that is written. */
  async copy(folder: string, access: MariadbAccess): Promise<number> {
    const ledger = await MariadbLedger.open(access);
    await ledger.close();
    const database = new DatabaseSync(join(folder, 'ledger.db'), { readOnly: true });
    const connection = await createConnection({ ...access });
    const select = database.prepare(
      `select ${COLUMNS} from entries where partition_id = ? and seq > ? order by seq limit ?`,
    );
    const partition = partitionOf(HQ);
    let last = 0;
    for (;;) {
      const rows = select.all(partition, last, ROWS_PER_COMMIT).map((row) => Object.values(row));
      if (rows.length === 0) break;
      await insert(connection, rows);
      last = Number(rows.at(-1)?.[1]);
    }
    await connection.end();
    database.close();
    return last;
  },
});

async function insert(connection: Connection, rows: unknown[][]): Promise<void> {
  await connection.beginTransaction();
  await connection.batch(
    `insert into entries (${COLUMNS}, mark, epoch) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 1)`,
    rows,
  );
  await connection.commit();
}
