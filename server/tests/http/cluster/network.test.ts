/** A network that stalls, is reset and half-opens between the processes of a cluster and its servers, under load. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from '../../support/servers/until.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { TestCluster } from '../../support/test-cluster.ts';
import { ServedNode } from '../support/served-node.ts';
import { Buyers } from './support/buyers.ts';

const BUYERS = 8;
const STALL_MS = 1_500;
/** The answer to a command is waited for 10 s; the machine may be slow. */
const ANSWER_MS_MAX = 25_000;
const RECOVERY_MS_MAX = 45_000;

const PAIRS = ['API and Redis', 'API and MariaDB', 'recorder and Redis', 'recorder and MariaDB'] as const;

describeWith(['redis', 'mariadb'], 'a network between the processes of a cluster and its servers', () => {
  let cluster: TestCluster;
  let api: ServedNode;
  let recorder: ServedNode;
  const proxies = new Map<(typeof PAIRS)[number], TcpProxy>();

  const place = (pair: (typeof PAIRS)[number]) => ({ host: '127.0.0.1', port: proxies.get(pair)?.port ?? 0 });

  beforeAll(async () => {
    cluster = await TestCluster.start();
    for (const pair of PAIRS) {
      const { port } = pair.endsWith('Redis') ? cluster.redis : cluster.mariadb;
      proxies.set(pair, await TcpProxy.to({ host: '127.0.0.1', port }));
    }
    recorder = await ServedNode.open(cluster, {
      node: 'recorder',
      roles: 'recorder,projector,scheduler',
      detours: { redis: place('recorder and Redis'), mariadb: place('recorder and MariaDB') },
    });
    api = await ServedNode.open(cluster, {
      node: 'api',
      roles: 'api',
      detours: { redis: place('API and Redis'), mariadb: place('API and MariaDB') },
    });
    await api.untilReady();
    await api.stockUp();
  });
  afterAll(async () => {
    await api?.stop();
    await recorder?.stop();
    for (const proxy of proxies.values()) await proxy.close();
    await cluster?.stop();
  });

  describe.each(PAIRS)('between %s', (pair) => {
    it.each(['is reset', 'stalls', 'half-opens'])(
      '%s: waits are bounded, nothing acknowledged is lost',
      async (fault) => {
        const proxy = proxies.get(pair) as TcpProxy;
        const reserved = await api.reservedUnits();
        const buyers = new Buyers((id) => api.reserve(`${pair}:${fault}:${id}`.replaceAll(' ', '-')), BUYERS);
        await buyers.untilSelling(RECOVERY_MS_MAX);
        if (fault === 'is reset') proxy.resetAll();
        else if (fault === 'half-opens') proxy.halfOpenAll();
        else {
          proxy.stall();
          await delay(STALL_MS);
          proxy.flow();
        }
        await buyers.untilSelling(RECOVERY_MS_MAX);
        await buyers.stop();
        expect(buyers.longestMs).toBeLessThan(ANSWER_MS_MAX);
        const { 201: sold = 0, 504: unknown = 0, ...others } = buyers.counts();
        expect(Object.keys(others).filter((status) => status !== '503')).toEqual([]);
        await api.untilReady();
        const taken = (await api.reservedUnits()) - reserved;
        expect(taken).toBeGreaterThanOrEqual(sold);
        expect(taken).toBeLessThanOrEqual(sold + unknown);
        const settled = await buyers.settle();
        expect((await api.reservedUnits()) - reserved).toBe(settled);
      },
      120_000,
    );
  });

  it('after all that the ledger, the tables for reading and the engine agree', async () => {
    // A projector whose last connection is half open waits for its answer before it takes another.
    await until('the tables for reading are complete', RECOVERY_MS_MAX, async () => {
      const { status } = await api.ask('GET', '/api/v1/movements?limit=1');
      return status === 200;
    });
    expect((await api.application.verify({})).findings).toEqual([]);
  });
});
