/** Redis and MariaDB are emptied, changed by hand and put back in mid-load; recorders stall and die. On real servers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { MariadbAccess } from '../../../src/ledger/mariadb/mariadb-pool.ts';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { freshDatabase } from '../../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { type RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { Buyers } from './support/buyers.ts';
import { ClusterMember, type MemberOptions, untilOpen } from './support/cluster-member.ts';
import { until } from './support/memory-cluster.ts';

const HQS = ['HQ001', 'HQ002', 'HQ003'];
const PARTITION = partitionOf('HQ001');
const STOCK = 400;
const BUYERS = 12;
/** The machine may be busy; how long these things take is measured by `npm run bench`. */
const LATE_MS_MAX = 10_000;

describeWith(['redis', 'mariadb'], 'a cluster on real servers', () => {
  let redis: RedisTestServer;
  let mariadb: MariadbTestServer;
  let database: MariadbAccess;
  let members: ClusterMember[];
  let processes: ChildProcess[];

  beforeAll(async () => {
    [redis, mariadb] = await Promise.all([startRedis(), startMariadb()]);
  });
  afterAll(() => Promise.all([redis.stop(), mariadb.stop()]));
  beforeEach(async () => {
    members = [];
    processes = [];
    await redis.ask('FLUSHALL');
    database = await freshDatabase(mariadb);
  });
  afterEach(async () => {
    for (const child of processes) child.kill('SIGKILL');
    for (const member of members) await member.stop();
  });

  const options = (name: string): MemberOptions => ({
    redis: { kind: 'standalone', url: redis.url },
    database,
    name,
    poisonRebuildsMax: 5,
  });

  async function member(name: string): Promise<ClusterMember> {
    const one = await ClusterMember.open(options(name));
    members.push(one);
    await one.start();
    return one;
  }

  async function recorderProcess(name: string): Promise<ChildProcess> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'support/recorder-process.ts')], {
      env: { ...process.env, MEMBER: JSON.stringify(options(name)) },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    processes.push(child);
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return child;
  }

  /** Two nodes with a recorder each, and buyers that never rest. */
  async function shops(...names: string[]): Promise<{ all: ClusterMember[]; buyers: Buyers }> {
    const all: ClusterMember[] = [];
    for (const name of names) all.push(await member(name));
    for (const each of all) for (const hqId of HQS) await untilOpen(each, partitionOf(hqId));
    const buyers = new Buyers(
      all.map(({ executor }) => executor),
      HQS,
      STOCK,
    );
    await buyers.stockUp();
    return { all, buyers };
  }

  /** Nothing that was told is lost, nothing is there twice, and a buyer is served again by itself. */
  async function settle(buyers: Buyers, all: readonly ClusterMember[]): Promise<void> {
    await buyers.stop();
    for (const hqId of HQS) await buyers.buy(hqId);
    await buyers.check(all[0] as ClusterMember);
  }

  it('rule 8: FLUSHALL in mid-load: filled again, nothing lost', async () => {
    const { all, buyers } = await shops('a', 'b');
    buyers.start(BUYERS);
    for (let round = 1; round <= 3; round += 1) {
      await delay(250);
      await redis.ask('FLUSHALL');
      for (const hqId of HQS) await untilOpen(all[0] as ClusterMember, partitionOf(hqId), round + 1);
    }
    await settle(buyers, all);
  });

  it('rule 9: a level changed by hand in mid-load is found before anyone is answered', async () => {
    const { all, buyers } = await shops('a', 'b');
    buyers.start(BUYERS);
    await delay(250);
    const { epoch } = all[0]?.acknowledgements.knownHead(PARTITION) ?? { epoch: 0 };
    await redis.ask('HINCRBY', `{p${PARTITION}}:e${epoch}:level:HQ001:S1:P1`, 'onHand', '5000');
    await untilOpen(all[0] as ClusterMember, PARTITION, epoch + 1);
    await settle(buyers, all);
    expect(all.flatMap(({ log }) => log).some((line) => line.includes('was read as'))).toBe(true);
  });

  it('rule 8: put back to an older state in mid-load, on which others decide', async () => {
    const { all, buyers } = await shops('a', 'b');
    buyers.start(BUYERS);
    await delay(200);
    const older = await dump();
    await delay(300);
    const { epoch } = all[0]?.acknowledgements.knownHead(PARTITION) ?? { epoch: 0 };
    await putBack(older);
    await untilOpen(all[0] as ClusterMember, PARTITION, epoch + 1);
    await settle(buyers, all);
  });

  async function dump(): Promise<[string, string][]> {
    const script = `local dumped = {}
      for _, key in ipairs(redis.call('KEYS', '{p*')) do
        local hex = redis.call('DUMP', key):gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
        dumped[#dumped + 1] = { key, hex }
      end
      return dumped`;
    return (await redis.ask('EVAL', script, '0')) as unknown as [string, string][];
  }

  /** In one step, as a server that starts with an older snapshot: between its keys nobody is answered. */
  async function putBack(dumped: readonly [string, string][]): Promise<void> {
    const script = `redis.call('FLUSHALL')
      for index, key in ipairs(KEYS) do
        redis.call('RESTORE', key, 0, (ARGV[index]:gsub('..', function(hex) return string.char(tonumber(hex, 16)) end)))
      end`;
    const keys = dumped.map(([key]) => key);
    const values = dumped.map(([, value]) => value);
    await redis.ask('EVAL', script, String(keys.length), ...keys, ...values);
  }

  it('rule 11: a recorder that is stopped in mid-load is taken over from within 3 s, and does no harm when it comes back', async () => {
    const { all, buyers } = await shops('a');
    const other = await recorderProcess('stalled');
    const [one] = all as [ClusterMember];
    await until(() => one.recorder.open.length === 32);
    buyers.start(BUYERS);
    await delay(300);
    other.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await until(() => one.recorder.open.length === 64);
    expect(performance.now() - stoppedAt).toBeLessThan(3_000 + LATE_MS_MAX);
    await delay(300);
    other.kill('SIGCONT');
    await until(() => one.recorder.open.length === 32);
    await delay(300);
    await settle(buyers, all);
  });

  it('rule 11: a recorder that is killed is taken over from', async () => {
    const { all, buyers } = await shops('a');
    const other = await recorderProcess('killed');
    const [one] = all as [ClusterMember];
    await until(() => one.recorder.open.length === 32);
    buyers.start(BUYERS);
    await delay(300);
    other.kill('SIGKILL');
    await until(() => one.recorder.open.length === 64);
    await settle(buyers, all);
  });

  it('rule 13: the database is killed in mid-load and comes back: nobody is told anything untrue', async () => {
    const { all, buyers } = await shops('a', 'b');
    buyers.start(BUYERS);
    await delay(300);
    await mariadb.kill();
    await delay(500);
    await mariadb.start();
    await settle(buyers, all);
  });

  it('rule 17: the database is put back to an older backup: halted until the word of an operator', async () => {
    const { all, buyers } = await shops('a', 'b');
    const [one] = all as [ClusterMember];
    const data = join(mariadb.folder, 'data');
    await mariadb.stop();
    cpSync(data, `${data}.older`, { recursive: true });
    await mariadb.start();
    buyers.start(BUYERS);
    // A partition that nobody bought from did not go back.
    const toldOf = (hqId: string) => [...buyers.told.values()].filter((each) => each.hqId === hqId).length;
    await until(() => HQS.every((hqId) => toldOf(hqId) >= 20));
    await mariadb.kill();
    renameSync(data, `${data}.newer`);
    renameSync(`${data}.older`, data);
    rmSync(`${data}.newer`, { recursive: true });
    await mariadb.start();
    const startedAt = performance.now();
    await until(async () => (await one.states.waiting()).length === HQS.length);
    expect(performance.now() - startedAt).toBeLessThan(1_000 + LATE_MS_MAX);
    await delay(1_000);
    const epochs = new Map((await one.ledger.heads()).map(({ partition, epoch }) => [partition, epoch]));
    expect(HQS.map((hqId) => epochs.get(partitionOf(hqId)))).toEqual([1, 1, 1]);
    expect((await one.states.list()).filter(({ waiting }) => waiting !== null)).toHaveLength(HQS.length);
    for (const hqId of HQS) expect(await one.states.resume(partitionOf(hqId))).toBe(true);
    // What was told since the backup is lost, which is what the operator accepted.
    buyers.told.clear();
    for (const each of all) for (const hqId of HQS) await untilOpen(each, partitionOf(hqId), 2);
    await settle(buyers, all);
  });
});
