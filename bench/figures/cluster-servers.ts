/** Redis and MariaDB of a cluster that is measured, on the same machine as all else. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { freshDatabase } from '../../server/tests/support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../../server/tests/support/servers/mariadb.ts';
import { type RedisTestServer, startRedis } from '../../server/tests/support/servers/redis.ts';
import type { Sample } from '../harness/sample.ts';
import type { ClusterPlace } from '../subjects/cluster.ts';

/** As a server has them that is not made for a test: the log is not full within a round. */
const MARIADB_SETTINGS = { innodb_log_file_size: '512M', innodb_buffer_pool_size: '512M' };

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const MICROSECONDS = 1e6;

export class ClusterServers {
  readonly redis: RedisTestServer;
  readonly mariadb: MariadbTestServer;

  private constructor(redis: RedisTestServer, mariadb: MariadbTestServer) {
    this.redis = redis;
    this.mariadb = mariadb;
  }

  static async start(): Promise<ClusterServers> {
    return new ClusterServers(await startRedis(), await startMariadb({ settings: MARIADB_SETTINGS }));
  }

  /** Empty. */
  async freshPlace(): Promise<ClusterPlace> {
    await this.redis.ask('FLUSHALL');
    return { redisUrl: this.redis.url, database: await freshDatabase(this.mariadb) };
  }

  /** The sample of a run, with the processor time that the servers took for each unit, warming up included. */
  async watched(warmUpMs: number, run: () => Promise<Sample>): Promise<Sample> {
    const spent = () => ({ redis: spentSeconds(this.redis.pid), mariadb: spentSeconds(this.mariadb.pid) });
    const before = spent();
    const sample = await run();
    const after = spent();
    const units = sample.perSecond * (sample.seconds + warmUpMs / 1_000);
    return {
      ...sample,
      notes: {
        ...sample.notes,
        'Redis, µs each': ((after.redis - before.redis) / units) * MICROSECONDS,
        'MariaDB, µs each': ((after.mariadb - before.mariadb) / units) * MICROSECONDS,
      },
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.redis[Symbol.asyncDispose](), this.mariadb[Symbol.asyncDispose]()]);
  }
}

/** Processor time of a process since it began, all threads together. */
function spentSeconds(pid: number): number {
  const [, rest = ''] = /\) (.*)$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8').trim()) ?? [];
  const fields = rest.split(' ');
  const [user, system] = [fields[11], fields[12]];
  return (Number(user) + Number(system)) / TICKS_PER_SECOND;
}
