import type { Connection } from 'mariadb';
import { insertRows } from '../../../ledger/mariadb/multi-row-insert.ts';
import type { Outbox, OutboxRow } from '../outbox-event-publisher.ts';

const OUTBOX = { table: 'outbox', columns: ['id', 'aggregatetype', 'aggregateid', 'type', 'payload'], longest: 4 };

/** Ids are ASCII and differ by case. A key is an id or three of them: 194 characters at most; a topic has 249. */
const CREATE = `
  create table if not exists outbox (
    id varchar(64) character set ascii collate ascii_bin not null primary key,
    aggregatetype varchar(255) character set ascii collate ascii_bin not null,
    aggregateid varchar(255) character set ascii collate ascii_bin not null,
    type varchar(64) character set ascii collate ascii_bin not null,
    payload mediumtext character set utf8mb4 collate utf8mb4_bin not null
  ) engine = innodb`;

/** Lends a connection to MariaDB to one caller at a time; whatever it began is rolled back when the work throws. */
export interface Connections {
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
}

/**
 * Rows are deleted in the transaction that inserts them: the log, which Debezium reads, has the insert for as long as
 * it is kept, and the table stays empty.
 */
export class MariadbOutbox implements Outbox {
  readonly #connections: Connections;
  #last: Promise<void> = Promise.resolve();

  private constructor(connections: Connections) {
    this.#connections = connections;
  }

  /** Creates the table where there is none. */
  static async open(connections: Connections): Promise<MariadbOutbox> {
    await connections.use((connection) => connection.query(CREATE));
    return new MariadbOutbox(connections);
  }

  /** One transaction at a time: two of them meet in so small a table, and one is sacrificed as a deadlock. */
  append(rows: readonly OutboxRow[]): Promise<void> {
    const appended = this.#last.then(() => this.#write(rows));
    this.#last = appended.catch(() => undefined);
    return appended;
  }

  #write(rows: readonly OutboxRow[]): Promise<void> {
    return this.#connections.use(async (connection) => {
      await connection.beginTransaction();
      const values = rows.map((row) => [row.id, row.aggregatetype, row.aggregateid, row.type, row.payload]);
      await insertRows(connection, OUTBOX, values);
      const ids = rows.map(({ id }) => id);
      await connection.query(`delete from outbox where id in (${ids.map(() => '?').join(', ')})`, ids);
      await connection.commit();
    });
  }
}
