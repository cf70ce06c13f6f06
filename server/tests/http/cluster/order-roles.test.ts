/** Events of orders where each role is a process of its own, and where consumers come, go and die under load. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { issueToken } from '../../../src/access/tokens.ts';
import { reservationIdOfOrder } from '../../../src/stock/identifiers.ts';
import { eventOf, readTopics } from '../../events/kafka/topic-reader.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from '../../support/servers/until.ts';
import { TestCluster } from '../../support/test-cluster.ts';
import { ServedNode } from '../support/served-node.ts';
import { newFolder, ServerProcess } from '../support/server-process.ts';
import { about, entriesBy, HQ, OrderSender, PRODUCT, placed, STORE } from './support/order-events.ts';

const SECOND = 1_000;
const HANDED_IN = 30;
const KILLED_AMID = 2_000;
const REBALANCED_OVER = 5_000;
/** A member that died is missed after its session of 10 s. */
const HANDLED_MS_MAX = 60 * SECOND;
/** Members change while these go on being sent. */
const CHANGE_MS = 1_200;
vi.setConfig({ testTimeout: 120 * SECOND, hookTimeout: 90 * SECOND });

describeWith(['redis', 'mariadb', 'kafka'], 'events of orders, with the roles apart', () => {
  let cluster: TestCluster;
  let api: ServerProcess;
  let token = '';
  let shop: OrderSender;
  const processes: ServerProcess[] = [];
  const members: ServedNode[] = [];

  beforeAll(async () => {
    cluster = await TestCluster.start({ withKafka: true });
    const key = new TextEncoder().encode(cluster.secret);
    token = await issueToken(key, { role: 'admin', hqId: HQ, storeId: null, ttlMs: 600_000 }, Date.now());
    await start('recorder,projector,relay');
    api = await start('api');
    await ask('PUT', `/api/v1/admin/stores/${STORE}`, { name: 'A store' });
    await ask('PUT', `/api/v1/admin/products/${PRODUCT}`, { name: 'A product' });
    const stock = { storeId: STORE, quantity: 1_000_000, transactionId: 'stock-up' };
    await ask('POST', `/api/v1/admin/inventory/${PRODUCT}/add`, stock);
    shop = new OrderSender(cluster.kafka?.bootstrapServers as string);
  });
  afterAll(async () => {
    await shop?.close();
    for (const member of members) await member.stop();
    for (const each of processes) await each.dispose();
    await cluster?.stop();
  });

  async function start(roles: string): Promise<ServerProcess> {
    const environment = { ...cluster.environment(), HOLDFAST_LOG: 'warn', HOLDFAST_ROLES: roles };
    const started = await ServerProcess.start(newFolder(), undefined, environment);
    processes.push(started);
    await started.ready();
    return started;
  }

  async function ask(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await api.ask(method, path, body, token);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  const stock = () => ask('GET', `/api/v1/stores/${STORE}/products/${PRODUCT}/stock`);

  /** Of all topics, by what became of them. */
  async function consumedBy({ url }: ServerProcess): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    const counts = [...text.matchAll(/^holdfast_consumed_messages_total\{[^}]*\} (\d+)$/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  const untilRecorded = (prefix: string, count: number) =>
    until(`${count} entries ${prefix}…`, HANDLED_MS_MAX, async () => {
      const { size } = await entriesBy(cluster, prefix);
      if (size >= count) return true;
      await delay(250);
      throw new Error(`there are ${size}`);
    });

  /** Each has one entry, and no other has any. */
  async function expectOnce(prefix: string, orderIds: readonly string[]): Promise<void> {
    const entries = await entriesBy(cluster, prefix);
    const ids = orderIds.map((orderId) => `${prefix.slice(0, prefix.lastIndexOf('/') + 1)}${orderId}`);
    expect([...entries.keys()].sort()).toEqual(ids.sort());
    expect([...entries.values()].every((count) => count === 1)).toBe(true);
  }

  it('takes what one process is handed in, handles it in another, and tells of it on Kafka and on a stream', async () => {
    const orders = Array.from({ length: HANDED_IN }, (_, index) => `H-${index}`);
    const ending = new AbortController();
    const headers = { authorization: `Bearer ${token}` };
    const url = `${api.url}/api/v1/events/stream?type=stock.reserved`;
    const stream = await fetch(url, { headers, signal: ending.signal });
    for (const orderId of orders) {
      const message = JSON.parse((placed(orderId).value as Buffer).toString()) as object;
      await ask('POST', '/api/v1/events', { topic: 'order.placed', message });
    }
    expect((await stock()).reservedStock).toBe(0);
    const consumer = await start('consumers');
    const expected = orders.map((orderId) => reservationIdOfOrder(HQ, orderId));
    const { bootstrapServers } = cluster.kafka as NonNullable<TestCluster['kafka']>;
    const published = await readTopics(
      bootstrapServers,
      ['stock.reserved'],
      (messages) => new Set(messages.map(({ key }) => key)).size === orders.length,
      HANDLED_MS_MAX,
    );
    expect(new Set(published.map(({ key }) => key))).toEqual(new Set(expected));
    expect(new Set(published.map((each) => eventOf(each).id)).size).toBe(orders.length);
    let text = '';
    for await (const chunk of stream.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      if (expected.every((id) => text.includes(id))) break;
    }
    ending.abort();
    expect(await consumedBy(consumer)).toBe(orders.length);
    expect((await stock()).reservedStock).toBe(orders.length);
    // A process without the API answers nothing else.
    expect((await consumer.ask('GET', '/api/v1/reservations', undefined, token)).status).toBe(404);
  });

  it('loses nothing and does nothing twice when the only consumer is killed amid them and another one takes over', async () => {
    const [mortal] = processes.slice(-1) as [ServerProcess];
    const before = await stock();
    const handled = await consumedBy(mortal);
    const orders = Array.from({ length: KILLED_AMID }, (_, index) => `K-${index}`);
    const sold = orders.filter((_, index) => index % 2 === 0);
    const repeated = orders.filter((_, index) => index % 5 === 0);
    const send = async (some: readonly string[]) => {
      const again = some.filter((each) => repeated.includes(each));
      const paid = [...some, ...again].filter((each) => sold.includes(each));
      await shop.send([...some, ...again].map((orderId) => placed(orderId)));
      await shop.send(paid.map((orderId) => about('order.completed', orderId)));
    };
    const sent = send(orders.slice(0, KILLED_AMID / 2));
    await until('it is amid them', HANDLED_MS_MAX, async () => (await consumedBy(mortal)) > handled + 100);
    const heir = start('consumers');
    mortal.child.kill('SIGKILL');
    await mortal.ended;
    await sent;
    await send(orders.slice(KILLED_AMID / 2));
    await heir;
    await untilRecorded('order/placed/K-', orders.length);
    await untilRecorded('order/completed/K-', sold.length);
    await expectOnce('order/placed/K-', orders);
    await expectOnce('order/completed/K-', sold);
    const after = await stock();
    expect((before.storeStock as number) - (after.storeStock as number)).toBe(sold.length);
    expect((after.reservedStock as number) - (before.reservedStock as number)).toBe(orders.length - sold.length);
  });

  it('has every effect once while consumers join and leave', async () => {
    const before = await stock();
    const orders = Array.from({ length: REBALANCED_OVER }, (_, index) => `R-${index}`);
    const changes = [joins, joins, leaves, joins, leaves, leaves];
    const each = Math.ceil(orders.length / changes.length);
    const sent = (async () => {
      for (let at = 0; at < orders.length; at += each) {
        await shop.send(orders.slice(at, at + each).map((orderId) => placed(orderId)));
        await delay(CHANGE_MS);
      }
    })();
    for (const change of changes) {
      await change();
      await delay(CHANGE_MS);
    }
    await sent;
    await untilRecorded('order/placed/R-', orders.length);
    await expectOnce('order/placed/R-', orders);
    expect(((await stock()).reservedStock as number) - (before.reservedStock as number)).toBe(orders.length);
    expect((await ask('GET', '/api/v1/admin/dead-letters')).items).toEqual([]);
  });

  let joined = 0;
  async function joins(): Promise<void> {
    joined += 1;
    members.push(await ServedNode.open(cluster, { node: `member-${joined}`, roles: 'consumers' }));
  }

  async function leaves(): Promise<void> {
    await members.shift()?.stop();
  }
});
