/** The thread that derives events from the ledger's entries: reading, parsing and deriving all take processor time. */
import { workerData } from 'node:worker_threads';
import { readEntries } from '../../ledger/mariadb/entry-reads.ts';
import { type MariadbAccess, MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import { Moved, serveThread } from '../../threads/serve-thread.ts';
import { batchOf, ENTRIES_PER_BATCH, firstEntryAfter, wireBatchOf } from '../event-batch.ts';
import type { EventFilter } from '../event-feed.ts';
import type { EventPosition } from '../event-source.ts';
import { EntriesAhead } from './entries-ahead.ts';

const { access } = workerData as { access: MariadbAccess };
const reader = new MariadbPool(access, { autocommit: true, connectionsMax: 8 });
const backlog = new EntriesAhead({ read: (wanted) => readEntries(reader, wanted), limit: ENTRIES_PER_BATCH });

serveThread({
  async events(partition: number, after: EventPosition, filter: EventFilter, limit: number) {
    const wanted = { partition, afterSeq: firstEntryAfter(after), limit: ENTRIES_PER_BATCH };
    const entries = await readEntries(reader, wanted);
    return batchOf(entries, after, filter, limit);
  },
  async wireEvents(partition: number, after: EventPosition, limit: number) {
    const entries = await backlog.after(partition, firstEntryAfter(after));
    const batch = wireBatchOf(entries, after, limit);
    return new Moved(batch, [batch.packed.values.buffer as ArrayBuffer]);
  },
  close: () => reader.close(),
});
