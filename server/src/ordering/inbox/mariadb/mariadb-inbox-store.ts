import type { Connection } from 'mariadb';
import type { ConsumedTopic } from '../../../events/topics.ts';
import { transactOrRefuse } from '../../../ledger/mariadb/mariadb-transaction.ts';
import { type InsertTarget, insertRows } from '../../../ledger/mariadb/multi-row-insert.ts';
import type { MariadbConnections } from '../../../ledger/mariadb/open-mariadb.ts';
import { type InboxEvent, type InboxQuery, type InboxStore, InboxUnavailable, type NewInboxEvent } from '../inbox.ts';

const INBOX: InsertTarget = { table: 'inbox', columns: ['topic', 'message_key', 'body', 'at'], longest: 2 };

/** The inbox in the ledger's database, one for all nodes. */
export class MariadbInboxStore implements InboxStore {
  readonly #connections: MariadbConnections;

  constructor(connections: MariadbConnections) {
    this.#connections = connections;
  }

  insert(events: readonly NewInboxEvent[]): Promise<void> {
    const rows = events.map(({ topic, key, text, at }) => [topic, key, text, at]);
    return this.#write((connection) => insertRows(connection, INBOX, rows));
  }

  /**
   * The ids of two nodes may become visible in another order than they rise, so whoever follows the inbox reads it
   * from its beginning.
   */
  read({ topic, afterId, limit }: InboxQuery): Promise<InboxEvent[]> {
    const ofTopic = topic === undefined ? '' : 'topic = ? and';
    const values = topic === undefined ? [afterId, limit] : [topic, afterId, limit];
    return this.#connections.reader.read<InboxEvent>(
      `select id, topic, message_key as \`key\`, body as text, at from inbox where ${ofTopic} id > ? order by id limit ?`,
      values,
    );
  }

  async remove(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const places = ids.map(() => '?').join(',');
    await this.#write((connection) => connection.query(`delete from inbox where id in (${places})`, [...ids]));
  }

  async counts(): ReturnType<InboxStore['counts']> {
    const rows = await this.#connections.reader.read<{ topic: ConsumedTopic; count: number }>(
      'select topic, count(*) as count from inbox group by topic',
    );
    return new Map(rows.map(({ topic, count }) => [topic, count]));
  }

  #write<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return transactOrRefuse(this.#connections.writer, work, (reason) => new InboxUnavailable(reason));
  }
}
