/** Two nodes side by side: what one of them acknowledged holds at the other one at once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../support/servers/servers.ts';
import { TestCluster } from '../../support/test-cluster.ts';
import { ServedNode } from '../support/served-node.ts';
import { holdfast, newFolder } from '../support/server-process.ts';

const RESERVE = '/api/v1/inventory/reserve';
const STREAM = '/api/v1/events/stream';

describeWith(['redis', 'mariadb'], 'two nodes of a cluster', () => {
  let cluster: TestCluster;
  let one: ServedNode;
  let other: ServedNode;
  let count = 0;

  beforeAll(async () => {
    cluster = await TestCluster.start();
    [one, other] = (await Promise.all(['one', 'other'].map((node) => ServedNode.open(cluster, { node })))) as [
      ServedNode,
      ServedNode,
    ];
    await Promise.all([one.untilReady(), other.untilReady()]);
    await one.stockUp();
  });
  afterAll(async () => {
    await Promise.all([one?.stop(), other?.stop()]);
    await cluster?.stop();
  });

  const inTurn = (round: number) => (round % 2 === 0 ? ([one, other] as const) : ([other, one] as const));

  it('know what the other one acknowledged, master data included', async () => {
    for (let round = 0; round < 20; round += 1) {
      count += 1;
      const [first, second] = inTurn(round);
      const store = `/api/v1/admin/stores/STORE-${count}`;
      expect((await first.ask('PUT', store, { name: 'New' })).status).toBe(201);
      expect((await second.ask('PUT', store, { name: 'Renamed' })).status).toBe(200);
      const product = `PRODUCT-${count}`;
      expect((await second.ask('PUT', `/api/v1/admin/products/${product}`, { name: 'New' })).status).toBe(201);
      const items = [{ productId: product, quantity: 1 }];
      const body = { storeId: `STORE-${count}`, items, transactionId: `early-${count}` };
      expect((await first.ask('POST', RESERVE, body)).body.code).toBe('INSUFFICIENT_STOCK');
      const add = { storeId: `STORE-${count}`, quantity: 1, transactionId: `add-${count}` };
      expect((await first.ask('POST', `/api/v1/admin/inventory/${product}/add`, add)).status).toBe(200);
      const held = await second.ask('POST', RESERVE, { ...body, transactionId: `held-${count}` });
      expect(held.status, held.text).toBe(201);
      const path = `${RESERVE}/${held.body.reservationId}`;
      expect((await first.ask('GET', path)).body.status).toBe('active');
      const confirm = { orderId: 'O-1', transactionId: `confirm-${count}` };
      expect((await first.ask('POST', `${path}/confirm`, confirm)).status).toBe(200);
      expect((await second.ask('GET', path)).body.status).toBe('confirmed');
      const level = `/api/v1/stores/STORE-${count}/products/${product}/stock`;
      expect((await second.ask('GET', level)).body).toMatchObject({ storeStock: 0, reservedStock: 0 });
      const moved = await second.ask('GET', `/api/v1/movements?storeId=STORE-${count}&productId=${product}`);
      expect((moved.body.items as unknown[]).length).toBeGreaterThanOrEqual(2);
    }
  });

  it("replay each other's answers byte for byte, also while the first is in flight", async () => {
    for (let round = 0; round < 20; round += 1) {
      const [first, second] = inTurn(round);
      const id = `replayed-${round}`;
      const replies = await Promise.all([first.reserve(id), second.reserve(id), first.reserve(id), second.reserve(id)]);
      expect(new Set(replies.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(replies[0]?.status).toBe(201);
      expect(replies.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    }
  });

  it('show on a stream what the other one did, in order', async () => {
    const url = await other.http.listen({ host: '127.0.0.1', port: 0 });
    const ending = new AbortController();
    const headers = { authorization: `Bearer ${other.token}` };
    const response = await fetch(`${url}${STREAM}?type=stock.reserved`, { headers, signal: ending.signal });
    const expected: string[] = [];
    for (let index = 0; index < 10; index += 1) {
      const { body } = await one.reserve(`streamed-${index}`);
      expected.push(body.reservationId as string);
    }
    let text = '';
    const seen = () => [...text.matchAll(/"reservationId":"([^"]+)"/g)].map(([, id]) => id);
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      if (expected.every((id) => text.includes(id))) break;
    }
    ending.abort();
    expect(seen()).toEqual(expected);
  });

  it('sell every unit once', async () => {
    const product = 'LAST-UNITS';
    await one.ask('PUT', `/api/v1/admin/products/${product}`, { name: 'Few' });
    const add = { storeId: 'STORE001', quantity: 50, transactionId: 'last-units' };
    await other.ask('POST', `/api/v1/admin/inventory/${product}/add`, add);
    const buy = (index: number) =>
      (index % 2 === 0 ? one : other).ask('POST', RESERVE, {
        storeId: 'STORE001',
        transactionId: `last-${index}`,
        items: [{ productId: product, quantity: 1 }],
      });
    const replies = await Promise.all(Array.from({ length: 200 }, (_, index) => buy(index)));
    const statuses = replies.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(50);
    expect(statuses.filter((status) => status === 409)).toHaveLength(150);
  });

  it('are found by the command line, which does without them when there is none', { timeout: 180_000 }, async () => {
    const environment = { ...cluster.environment(), HOLDFAST_DATA: newFolder() };
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await holdfast(args, environment);
      expect([code, stderr], `${args} ${stdout}`).toEqual([0, expect.any(String)]);
      return stdout;
    };
    const readAll = async () => {
      expect(await run('export', 'stock', '--hq', 'HQ001')).toContain('STORE001,PRD001,');
      expect(JSON.parse(await run('verify', '--json'))).toMatchObject({ ok: true });
    };
    const asked: string[] = [];
    one.http.server.on('request', ({ url = '' }) => asked.push(url));
    const url = await one.http.listen({ host: '127.0.0.1', port: 0 });
    one.application.announce({ url, pid: process.pid });
    await readAll();
    expect(await run('rebuild')).toMatch(/^Built /);
    expect(await run('partitions')).toMatch(/^ 0 +(one|other) /);
    expect(asked.filter((path) => /export|verify|rebuild/.test(path))).toHaveLength(3);
    await Promise.all([one.stop(), other.stop()]);
    await readAll();
    expect(await run('partitions')).toContain('nobody records it');
    const products = join(environment.HOLDFAST_DATA, 'products.csv');
    writeFileSync(products, 'productId,name\nPRD-IMPORTED,Imported while no node runs\n');
    expect(await run('import', 'products', products, '--hq', 'HQ001')).toContain('1 row');
    const stock = join(environment.HOLDFAST_DATA, 'stock.csv');
    writeFileSync(stock, 'storeId,productId,quantity\nSTORE001,PRD-IMPORTED,7\n');
    await run('import', 'stock', stock, '--hq', 'HQ001');
    expect(await run('export', 'stock', '--hq', 'HQ001')).toContain('STORE001,PRD-IMPORTED,7,');
  });
});
