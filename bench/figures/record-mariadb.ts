import { freshDatabase } from '../../server/tests/support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../../server/tests/support/servers/mariadb.ts';
import { type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Sample } from '../harness/sample.ts';
import type { ShopPlan } from '../strategies/shop.ts';
import { shapeOf } from './contenders.ts';

const RECORDING = new URL('../subjects/mariadb-recording.ts', import.meta.url);
const SHOP = new URL('../strategies/shop.ts', import.meta.url);
const BATCHES = [64, 256, 1_024];
const CALLERS = 64;
const PLENTY = 100_000_000;
const FOR_UPDATE: ShopPlan = { strategy: 'pessimistic', products: 1, unitsEach: PLENTY };
/** As a server has them that is not made for a test: the log is not full within a round. */
const SETTINGS = { innodb_log_file_size: '512M', innodb_buffer_pool_size: '512M' };

function recording(context: BenchContext, server: MariadbTestServer, batchEntries: number): Contender {
  return {
    name: `recorded, ${batchEntries} entries a transaction`,
    unit: 'entries',
    async measure() {
      const subject = MeasuredProcess.start(RECORDING, { profiling: context.profiling(`record ${batchEntries}`) });
      try {
        const access = await freshDatabase(server);
        return await subject.call<Sample>('measure', access, batchEntries, shapeOf(context, 1));
      } finally {
        await subject.stop();
      }
    },
  };
}

function forUpdate(context: BenchContext, server: MariadbTestServer): Contender {
  return {
    name: `SELECT … FOR UPDATE, a transaction each, ${CALLERS} in flight`,
    unit: 'sales',
    async measure() {
      const shop = MeasuredProcess.start(SHOP);
      try {
        const places = { mariadb: await freshDatabase(server), redisUrls: [], zookeeper: '' };
        return await shop.call<Sample>('measure', FOR_UPDATE, places, shapeOf(context, CALLERS));
      } finally {
        await shop.stop();
      }
    },
  };
}

export const recordMariadb: Benchmark = {
  name: 'record-mariadb',
  title: 'Entries recorded into MariaDB, batch after batch, against the transactions of a shop that does without',
  async run(context) {
    const server = await startMariadb({ settings: SETTINGS });
    try {
      const summaries = await interleave(context, [
        forUpdate(context, server),
        ...BATCHES.map((batchEntries) => recording(context, server, batchEntries)),
      ]);
      const remarks = BATCHES.map((batchEntries, index) => {
        const times = ratio(at(summaries, index + 1), at(summaries, 0)).toFixed(1);
        return `${batchEntries} entries a transaction: ${times} × the shop's transactions.`;
      });
      return { summaries, figures: [], remarks };
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
};
