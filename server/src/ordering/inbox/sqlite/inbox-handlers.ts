/** What the ledger's threads do for the inbox: changes in the writing one, reads in the other. */
import type { DatabaseSync } from 'node:sqlite';
import type { ConsumedTopic } from '../../../events/topics.ts';
import { isDefinite } from '../../../ledger/sqlite/sqlite-errors.ts';
import type { InboxEvent, InboxQuery, NewInboxEvent } from '../inbox.ts';

export interface TopicCount {
  topic: ConsumedTopic;
  count: number;
}

export function inboxWrites(database: () => DatabaseSync) {
  return {
    putIntoInbox: (events: NewInboxEvent[]) => {
      const insert = database().prepare('insert into inbox (topic, message_key, body, at) values (?, ?, ?, ?)');
      inTransaction(database(), () => {
        for (const { topic, key, text, at } of events) insert.run(topic, key, text, at);
      });
    },
    removeFromInbox: (ids: number[]) => {
      const remove = database().prepare('delete from inbox where id = ?');
      inTransaction(database(), () => {
        for (const id of ids) remove.run(id);
      });
    },
  };
}

export function inboxReads(database: DatabaseSync) {
  return {
    readInbox: ({ topic, afterId, limit }: InboxQuery): InboxEvent[] => {
      const ofTopic = topic === undefined ? '' : 'topic = ? and';
      const values = topic === undefined ? [afterId, limit] : [topic, afterId, limit];
      return database
        .prepare(
          `select id, topic, message_key as key, body as text, at from inbox where ${ofTopic} id > ? order by id limit ?`,
        )
        .all(...values) as unknown as InboxEvent[];
    },
    countInbox: () =>
      database.prepare('select topic, count(*) as count from inbox group by topic').all() as unknown as TopicCount[],
  };
}

/** A definite failure says so; any other one leaves the outcome open. */
function inTransaction(database: DatabaseSync, work: () => void): void {
  try {
    database.exec('begin immediate');
    work();
    database.exec('commit');
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    if (!isDefinite(error)) throw error;
    const refused = new Error((error as Error).message);
    refused.name = 'InboxUnavailable';
    throw refused;
  }
}
