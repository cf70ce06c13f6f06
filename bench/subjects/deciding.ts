/** The engine of a cluster alone: its scripts decide, and nobody waits for the ledger. */
import { MariadbLedger } from '../../server/src/ledger/mariadb/mariadb-ledger.ts';
import { partitionOf } from '../../server/src/stock/identifiers.ts';
import { openRedis } from '../../server/src/stock/redis/open-redis.ts';
import { RedisJournal } from '../../server/src/stock/redis/redis-journal.ts';
import { RedisStockEngine } from '../../server/src/stock/redis/redis-stock-engine.ts';
import { Scripts } from '../../server/src/stock/redis/scripts.ts';
import type { SharedHead } from '../../server/src/stock/shared-engine.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';
import type { ClusterPlace } from './cluster.ts';
import { HQ } from './stock.ts';
import { hotReservation } from './workloads.ts';

/** The journal keeps no more than this, as it does when a recorder follows. */
const ENTRIES_PER_TRIM = 512;

export async function decideOnly({ redisUrl, database }: ClusterPlace, shape: LoadShape): Promise<Sample> {
  const ledger = await MariadbLedger.open(database);
  const [head] = await ledger.headsOf([partitionOf(HQ)]);
  await ledger.close();
  const connection = await openRedis({ kind: 'standalone', url: redisUrl }, (error) => console.error(error));
  const scripts = new Scripts();
  const journal = await RedisJournal.open(connection, scripts);
  let known = head as SharedHead;
  const engine = new RedisStockEngine({
    connection,
    scripts,
    now: Date.now,
    knownHead: () => known,
    onLost: (_partition, reason) => console.error(reason),
    onClockAhead: () => undefined,
  });
  const sample = await closedLoop(shape, async () => {
    const decision = await engine.decide(hotReservation());
    if (decision.kind !== 'decided')
      throw new Error(`instead of a decision the answer was ${JSON.stringify(decision)}`);
    const { seq, mark } = decision.place;
    if (seq % ENTRIES_PER_TRIM === 0) {
      known = { ...known, seq, mark };
      await journal.recorded([known]);
    }
    return 1;
  });
  await connection.close();
  return sample;
}
