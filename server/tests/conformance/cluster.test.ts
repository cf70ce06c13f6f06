/** Every scenario, behind the Redis engine and the MariaDB ledger: on one Redis, and on a Redis Cluster. */
import { afterAll, beforeAll } from 'vitest';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { type RedisTestServer, startRedis } from '../support/servers/redis.ts';
import { NO_FAILOVER, type RedisClusterServers, startRedisCluster } from '../support/servers/redis-cluster.ts';
import { describeWith } from '../support/servers/servers.ts';
import { ClusterPipeline } from './cluster-pipeline.ts';
import { everyScenario } from './every-scenario.ts';

describeWith(['redis', 'mariadb'], 'Redis and MariaDB', () => {
  let redis: RedisTestServer;
  let mariadb: MariadbTestServer;
  beforeAll(async () => {
    [redis, mariadb] = await Promise.all([startRedis(), startMariadb()]);
  });
  afterAll(() => Promise.all([redis.stop(), mariadb.stop()]));

  everyScenario(
    async () =>
      new ClusterPipeline({
        redis: { kind: 'standalone', url: redis.url },
        database: await freshDatabase(mariadb),
        flush: () => redis.ask('FLUSHALL'),
      }),
  );
});

describeWith(['redis', 'mariadb'], 'a Redis Cluster and MariaDB', () => {
  let redis: RedisClusterServers;
  let mariadb: MariadbTestServer;
  beforeAll(async () => {
    [redis, mariadb] = await Promise.all([startRedisCluster({ settings: NO_FAILOVER }), startMariadb()]);
  }, 90_000);
  afterAll(() => Promise.all([redis.stop(), mariadb.stop()]));

  everyScenario(
    async () =>
      new ClusterPipeline({
        redis: { kind: 'cluster', urls: redis.urls },
        database: await freshDatabase(mariadb),
        flush: async () => {
          for (const node of await redis.masters()) await node.ask('FLUSHALL');
        },
      }),
  );
});
