// What suites get from support/servers: real servers that keep their data through kill -9, and end with the test.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection } from 'mariadb';
import { expect, it } from 'vitest';
import { askRedis } from '../../../infra/redis/resp.ts';
import { startKafka } from '../support/servers/kafka.ts';
import { type MariadbAccess, startMariadb } from '../support/servers/mariadb.ts';
import { startRedis } from '../support/servers/redis.ts';
import { startRedisCluster } from '../support/servers/redis-cluster.ts';
import { startSentinel } from '../support/servers/redis-sentinel.ts';
import { describeWith } from '../support/servers/servers.ts';
import type { TestServer } from '../support/servers/test-server.ts';
import { until } from '../support/servers/until.ts';
import { startZookeeper } from '../support/servers/zookeeper.ts';

const WAIT_MS_MAX = 60_000;
const NEW_MASTER_MS_MAX = 60_000;

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

/** It is up again after kill -9, as another process on the same port. */
async function survivesKill(server: TestServer): Promise<void> {
  const { pid, port } = server;
  await server.kill();
  expect(server.isUp).toBe(false);
  await server.start();
  expect(server.port).toBe(port);
  expect(server.pid).not.toBe(pid);
}

async function query(access: MariadbAccess, sql: string): Promise<unknown> {
  const connection = await createConnection(access);
  try {
    return await connection.query(sql);
  } finally {
    await connection.end();
  }
}

describeWith(['redis'], 'Redis for tests', () => {
  it('keeps through kill -9 what it has on disk, and lets in nobody without the password', async () => {
    await using server = await startRedis({ settings: { appendfsync: 'always' } });
    await server.ask('SET', 'level', '7');
    await survivesKill(server);
    expect(await server.ask('GET', 'level')).toBe('7');
    await expect(askRedis({ port: server.port, password: null }, ['GET', 'level'])).rejects.toThrow('NOAUTH');
  });

  it('ends with the process that started it, however that ends', async () => {
    const holder = spawn(process.execPath, [join(import.meta.dirname, 'holder.ts')], { stdio: ['ignore', 'pipe', 2] });
    const pid = Number(String(await firstOutput(holder)));
    expect(isAlive(pid)).toBe(true);
    holder.kill('SIGKILL');
    await until('the server has ended', WAIT_MS_MAX, async () => !isAlive(pid));
  });

  it('chooses a new master, in a cluster and under Sentinels', async () => {
    await using cluster = await startRedisCluster();
    await using group = await startSentinel();
    const [first, master] = [cluster.nodes[0]!, await group.master()];
    await Promise.all([first.kill(), master.kill()]);
    await until('the replica of the cluster took over', NEW_MASTER_MS_MAX, async () =>
      (await cluster.masters()).includes(cluster.nodes[3]!),
    );
    await cluster.untilOk();
    await until('the replica of the group took over', NEW_MASTER_MS_MAX, async () => (await group.master()) !== master);
  }, 120_000);
});

describeWith(['mariadb'], 'MariaDB for tests', () => {
  it('keeps every commit through kill -9, writes the binary log by rows, and gives rights on one database', async () => {
    await using server = await startMariadb();
    await query(server.access, 'CREATE TABLE kept (id INT PRIMARY KEY)');
    await query(server.access, 'INSERT INTO kept VALUES (1)');
    await query(server.access, 'CREATE TRIGGER guard BEFORE DELETE ON kept FOR EACH ROW SIGNAL SQLSTATE "45000"');
    await survivesKill(server);
    expect(await query(server.access, 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
    const settings = 'SELECT @@log_bin l, @@binlog_format f, @@sync_binlog s, @@innodb_flush_log_at_trx_commit c';
    expect(await query(server.access, settings)).toEqual([{ l: 1n, f: 'ROW', s: 1n, c: 1n }]);
    await expect(query(server.access, 'CREATE DATABASE another')).rejects.toThrow(/denied/);
    await query(server.adminAccess, 'CREATE DATABASE another');
  });
});

describeWith(['kafka', 'zookeeper'], 'Kafka and ZooKeeper for tests', () => {
  it('come back after kill -9', async () => {
    const servers = await Promise.all([startKafka(), startZookeeper()]);
    await using kafka = servers[0];
    await using zookeeper = servers[1];
    await Promise.all([survivesKill(kafka), survivesKill(zookeeper)]);
  }, 120_000);
});

async function firstOutput(child: ChildProcess): Promise<unknown> {
  const [chunk] = await once(child.stdout!, 'data');
  return chunk;
}
