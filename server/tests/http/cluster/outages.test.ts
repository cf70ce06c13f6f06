/** Servers of a cluster that are away, and a network to Kafka that fails, while a node runs: it comes back by itself. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../support/servers/servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { TestCluster } from '../../support/test-cluster.ts';
import { ServedNode } from '../support/served-node.ts';
import { Buyers } from './support/buyers.ts';

const BUYERS = 4;
const STALL_MS = 1_500;
const ANSWER_MS_MAX = 25_000;
const RECOVERY_MS_MAX = 45_000;

describeWith(['redis', 'mariadb', 'kafka'], 'a node whose servers are away for a while', () => {
  let cluster: TestCluster;
  let node: ServedNode;
  let toKafka: TcpProxy;

  beforeAll(async () => {
    cluster = await TestCluster.start({ withKafka: true });
    const { port = 0 } = cluster.kafka ?? {};
    toKafka = await TcpProxy.to({ host: '127.0.0.1', port });
    toKafka.rewriteAnswer = (data) => withPort(data, port, toKafka.port);
    await cluster.kafka?.stop();
    node = await ServedNode.open(cluster, {
      node: 'one',
      roles: 'api,recorder,projector,scheduler,relay',
      detours: { kafka: { host: '127.0.0.1', port: toKafka.port } },
    });
  }, 60_000);
  afterAll(async () => {
    await node?.stop();
    await toKafka?.close();
    await cluster?.stop();
  });

  /** Entries that are recorded and not published. */
  async function lag(): Promise<number> {
    const text = await node.application.telemetry.registry.metrics();
    return Number(/^holdfast_relay_lag_entries (\d+)$/m.exec(text)?.[1]);
  }

  const published = () => expect.poll(lag, { timeout: RECOVERY_MS_MAX, interval: 100 }).toBe(0);
  const degraded = () => node.application.readiness().degraded.join();

  /** Sells before, during and after; every wait is bounded and nothing that was acknowledged is lost. */
  async function sellingThrough(name: string, fault: () => Promise<void>): Promise<Buyers> {
    const buyers = new Buyers((id) => node.reserve(`${name}:${id}`), BUYERS);
    await buyers.untilSelling(RECOVERY_MS_MAX);
    await fault();
    await buyers.untilSelling(RECOVERY_MS_MAX);
    await buyers.stop();
    expect(buyers.longestMs).toBeLessThan(ANSWER_MS_MAX);
    await buyers.settle();
    return buyers;
  }

  it('starts without Kafka, says so, and publishes when it is there', { timeout: 120_000 }, async () => {
    await expect.poll(() => node.application.isReady(), { timeout: RECOVERY_MS_MAX }).toBe(true);
    await node.stockUp();
    expect((await node.reserve('without-kafka')).status).toBe(201);
    expect(degraded()).toMatch(/Kafka.*takes no events/);
    await cluster.kafka?.start();
    await published();
    await expect.poll(degraded, { timeout: RECOVERY_MS_MAX }).toBe('');
  });

  it.each(['is reset', 'stalls', 'half-opens'])(
    'a network to Kafka that %s costs no reservation and no event',
    {
      timeout: 150_000,
    },
    async (fault) => {
      const buyers = await sellingThrough(fault.replaceAll(' ', '-'), async () => {
        if (fault === 'is reset') toKafka.resetAll();
        else if (fault === 'half-opens') toKafka.halfOpenAll();
        else {
          toKafka.stall();
          await delay(STALL_MS);
          toKafka.flow();
        }
      });
      expect(Object.keys(buyers.counts())).toEqual(['201']);
      await published();
    },
  );

  it.each(['redis', 'mariadb'] as const)(
    '%s that is stopped and started again is waited for in bounds',
    {
      timeout: 150_000,
    },
    async (name) => {
      const server = cluster[name];
      const buyers = await sellingThrough(`${name}-away`, async () => {
        await server.stop();
        await expect.poll(() => node.application.isReady(), { timeout: RECOVERY_MS_MAX }).toBe(false);
        const refused = await node.reserve(`${name}-is-away`);
        expect([refused.status, refused.headers['retry-after']], refused.text).toEqual([503, '1']);
        await server.start();
      });
      expect(Object.keys(buyers.counts()).filter((status) => !['201', '503', '504'].includes(status))).toEqual([]);
      expect((await node.reserve(`${name}-is-away`)).status).toBe(201);
      await published();
    },
  );
});

/** What a broker says of itself, with the address of the proxy in place of its own. */
function withPort(data: Buffer, from: number, to: number): Buffer {
  const address = (port: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(port);
    return Buffer.concat([Buffer.from('127.0.0.1'), bytes]).toString('latin1');
  };
  return Buffer.from(
    data.toString('latin1').replaceAll(address(from), () => address(to)),
    'latin1',
  );
}
