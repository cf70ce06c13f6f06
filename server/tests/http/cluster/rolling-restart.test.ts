/** All processes of a cluster are restarted, one after the other, while callers buy: not one of them fails. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { issueToken } from '../../../src/access/tokens.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { TestCluster } from '../../support/test-cluster.ts';
import { newFolder, ServerProcess } from '../support/server-process.ts';
import { Buyers, type Reply } from './support/buyers.ts';

const BUYERS = 6;
const NODES = 2;
/** How many nodes a caller asks one after the other before it gives up. */
const TRIES_MAX = 20;
/** Leaves the machine some time for the processes that start. */
const PAUSE_MS = 10;
const SELLING_MS_MAX = 60_000;

describeWith(['redis', 'mariadb'], 'a rolling restart of all processes', () => {
  let cluster: TestCluster;
  let token = '';
  const nodes: ServerProcess[] = [];

  beforeAll(async () => {
    cluster = await TestCluster.start();
    const key = new TextEncoder().encode(cluster.secret);
    token = await issueToken(key, { role: 'admin', hqId: 'HQ001', storeId: null, ttlMs: 600_000 }, Date.now());
    nodes.push(...(await Promise.all(Array.from({ length: NODES }, () => start()))));
    await Promise.all(nodes.map((node) => node.ready()));
    await stockUp(nodes[0] as ServerProcess);
  }, 60_000);
  afterAll(async () => {
    for (const node of nodes) await node.dispose();
    await cluster.stop();
  });

  function start(folder = newFolder(), port?: number): Promise<ServerProcess> {
    return ServerProcess.start(folder, port, { ...cluster.environment(), HOLDFAST_LOG: 'warn' });
  }

  async function stockUp(node: ServerProcess): Promise<void> {
    await node.ask('PUT', '/api/v1/admin/stores/STORE001', { name: 'A store' }, token);
    await node.ask('PUT', '/api/v1/admin/products/PRD001', { name: 'A product' }, token);
    const body = { storeId: 'STORE001', quantity: 1_000_000, transactionId: 'stock-up' };
    const added = await node.ask('POST', '/api/v1/admin/inventory/PRD001/add', body, token);
    expect(added.status).toBe(200);
  }

  let turn = 0;
  const leftAloneUntil = new Map<number, number>();
  /** In turn, without those that asked to be left alone for a while; when all did, it waits for the first. */
  async function nextNode(): Promise<ServerProcess> {
    turn += 1;
    const inTurn = nodes.map((_, index) => nodes[(turn + index) % NODES] as ServerProcess);
    const [node] = inTurn.sort((one, other) => waitMs(one) - waitMs(other)) as [ServerProcess];
    await delay(waitMs(node));
    return node;
  }

  function waitMs(node: ServerProcess): number {
    return Math.max(0, (leftAloneUntil.get(node.port) ?? 0) - performance.now());
  }

  /** Asks one node after the other for as long as they say 503 or refuse the connection, and for no other reason. */
  async function buy(transactionId: string): Promise<Reply> {
    const body = { storeId: 'STORE001', transactionId, items: [{ productId: 'PRD001', quantity: 1 }] };
    let reply: Reply = { status: 0, text: 'no node took the connection' };
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const node = await nextNode();
      try {
        const response = await node.ask('POST', '/api/v1/inventory/reserve', body, token);
        reply = { status: response.status, text: await response.text() };
        if (reply.status !== 503) return reply;
        const retryAfterMs = Number(response.headers.get('retry-after')) * 1_000;
        leftAloneUntil.set(node.port, performance.now() + retryAfterMs);
      } catch (error) {
        const { syscall } = (error as Error).cause as NodeJS.ErrnoException;
        if (syscall !== 'connect') return { status: 0, text: `${node.url}: ${(error as Error).cause}` };
      }
    }
    return reply;
  }

  it('fails no request, and loses nothing that was acknowledged', { timeout: 180_000 }, async () => {
    const buyers = new Buyers(async (id) => {
      await delay(PAUSE_MS);
      return buy(id);
    }, BUYERS);
    for (const [index, node] of nodes.entries()) {
      await buyers.untilSelling(SELLING_MS_MAX);
      node.child.kill('SIGTERM');
      expect(await node.ended).toBe(0);
      await buyers.untilSelling(SELLING_MS_MAX);
      nodes[index] = await start(node.folder, node.port);
      await nodes[index].ready();
    }
    await buyers.untilSelling(SELLING_MS_MAX);
    await buyers.stop();
    expect([...buyers.replies.values()].filter(({ status }) => status !== 201)).toEqual([]);
    expect(await buyers.settle()).toBe(buyers.sold);
  });
});
