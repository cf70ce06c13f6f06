/** The thread that reads the ledger: replays and history never wait behind a commit, nor the other way round. */
import { workerData } from 'node:worker_threads';
import { catalogReads } from '../../catalog/sqlite/catalog-handlers.ts';
import { SqliteCatalogStore } from '../../catalog/sqlite/sqlite-catalog-store.ts';
import { batchOf, ENTRIES_PER_BATCH, firstEntryAfter } from '../../events/event-batch.ts';
import type { EventFilter } from '../../events/event-feed.ts';
import type { EventPosition } from '../../events/event-source.ts';
import { inboxReads } from '../../ordering/inbox/sqlite/inbox-handlers.ts';
import { letterReads } from '../../ordering/letters/sqlite/letter-handlers.ts';
import { serveThread } from '../../threads/serve-thread.ts';
import { openConnection } from './open-database.ts';
import { SqliteLedgerStore } from './sqlite-ledger-store.ts';

const { file } = workerData as { file: string };
const database = openConnection(file, { readOnly: true });
const store = new SqliteLedgerStore(database);
const catalog = new SqliteCatalogStore(database);

serveThread({
  entries: (partition: number, afterSeq: number, limit: number) => store.entries(partition, afterSeq, limit),
  seqBefore: (partition: number, instantMs: number) => store.seqBefore(partition, instantMs),
  operations: (partition: number, afterSeq: number, limit: number) => store.operations(partition, afterSeq, limit),
  events: (partition: number, after: EventPosition, filter: EventFilter, limit: number) =>
    batchOf(store.entries(partition, firstEntryAfter(after), ENTRIES_PER_BATCH), after, filter, limit),
  ...catalogReads(() => catalog),
  ...inboxReads(database),
  ...letterReads(database),
  close: () => store.close(),
});
