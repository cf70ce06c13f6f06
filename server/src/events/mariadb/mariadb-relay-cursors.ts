import { transact } from '../../ledger/mariadb/mariadb-transaction.ts';
import { insertRows } from '../../ledger/mariadb/multi-row-insert.ts';
import type { MariadbConnections } from '../../ledger/mariadb/open-mariadb.ts';
import type { RelayCursors } from '../event-publisher.ts';

const CURSORS = {
  table: 'relay_cursors',
  columns: ['partition_id', 'seq'],
  longest: 1,
  // A relay that was stalled, and saves what it knew then, moves nothing back.
  onDuplicate: ' on duplicate key update seq = greatest(seq, values(seq))',
};

/** The relay's cursors in the ledger's database, one row per partition, for any number of relays. */
export class MariadbRelayCursors implements RelayCursors {
  readonly #connections: MariadbConnections;

  constructor(connections: MariadbConnections) {
    this.#connections = connections;
  }

  async load(): Promise<Map<number, number>> {
    const rows = await this.#connections.reader.read<{ partition_id: number; seq: number }>(
      'select partition_id, seq from relay_cursors',
    );
    return new Map(rows.map(({ partition_id, seq }) => [partition_id, seq]));
  }

  async save(cursors: ReadonlyMap<number, number>): Promise<void> {
    const rows = [...cursors].sort(([one], [other]) => one - other);
    if (rows.length === 0) return;
    await transact(this.#connections.writer, async (connection) => {
      const heads = await connection.query<{ partition_id: number; seq: number }[]>(
        'select partition_id, seq from cursors where partition_id in (?)',
        [rows.map(([partition]) => partition)],
      );
      const ends = new Map(heads.map(({ partition_id, seq }) => [partition_id, seq]));
      // A ledger that was put back to an older copy holds less than was published of the newer one.
      const borneOut = rows.map(([partition, seq]) => [partition, Math.min(seq, ends.get(partition) ?? 0)]);
      await insertRows(connection, CURSORS, borneOut);
    });
  }
}
