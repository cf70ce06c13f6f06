/** Events that are handed in over HTTP: what is answered is stored, what is refused is not. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InboxEvent } from '../../src/ordering/inbox/inbox.ts';
import { inboxOver } from '../ordering/inbox-stores.ts';
import { until } from '../support/servers/until.ts';
import { ServerProcess } from './support/server-process.ts';
import { TestServer } from './support/test-server.ts';

const PATH = '/api/v1/events';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
});
afterAll(() => server.stop());

let count = 0;
function completed(more: object = {}): { topic: string; message: Record<string, unknown> } {
  count += 1;
  const data = { orderId: `O-${count}`, hqId: 'HQ001', storeId: 'STORE001', ...more };
  const timestamp = '2026-11-21T10:00:00Z';
  return { topic: 'order.completed', message: { eventId: `e-${count}`, eventType: 'OrderCompleted', timestamp, data } };
}

async function stored(): Promise<InboxEvent[]> {
  return server.application.inbox.store.read({ afterId: 0, limit: 1_000 });
}

it('is answered with the id of the event once it is stored, as it came', async () => {
  const body = completed({ unknown: { field: '주문' } });
  const { status, body: answer } = await server.ask('POST', PATH, { body });
  expect([status, answer]).toEqual([202, { id: `e-${count}`, topic: 'order.completed', key: `O-${count}` }]);
  const last = (await stored()).at(-1);
  expect(last).toMatchObject({ topic: 'order.completed', key: `O-${count}` });
  expect(JSON.parse(last?.text ?? '')).toEqual(body.message);
});

it('takes a CloudEvent as well', async () => {
  const { message } = completed();
  const event = {
    specversion: '1.0',
    id: 'ce-1',
    source: '/shop',
    type: 'order.cancelled',
    time: '2026-11-21T10:00:00Z',
    data: message.data,
  };
  const { status, body } = await server.ask('POST', PATH, { body: { topic: 'order.cancelled', message: event } });
  expect([status, body.id]).toEqual([202, 'ce-1']);
});

it('needs no operation id, and takes none', async () => {
  const headers = { 'idempotency-key': 'order/placed/1' };
  expect((await server.ask('POST', PATH, { body: completed(), headers })).status).toBe(202);
  const body = { ...completed(), transactionId: 'T-1' };
  expect((await server.ask('POST', PATH, { body })).body.code).toBe('VALIDATION_FAILED');
});

it.each([
  ['a topic that is not consumed', { topic: 'stock.updated' }, 'VALIDATION_FAILED'],
  ['no topic', { topic: undefined }, 'VALIDATION_FAILED'],
  ['a message that is no object', { message: 'text' }, 'VALIDATION_FAILED'],
  ['no envelope', { message: { orderId: 'O-1' } }, 'UNREADABLE_EVENT'],
  ['a type that contradicts the topic', { topic: 'order.cancelled' }, 'UNREADABLE_EVENT'],
  ['a key with a control character', { key: 'a\nb' }, 'VALIDATION_FAILED'],
])('%s is refused, and nothing is stored', async (_what, fault, code) => {
  const before = await stored();
  const { status, body } = await server.ask('POST', PATH, { body: { ...completed(), ...fault } });
  expect([status, body.code]).toEqual([400, code]);
  if (code === 'UNREADABLE_EVENT') expect(body.reasonCode).toEqual(expect.stringMatching(/^[A-Z_]+$/));
  // What was there before may be handled meanwhile.
  expect(before).toEqual(expect.arrayContaining(await stored()));
});

it('says what of an order cannot be read', async () => {
  const body = completed({ items: [{ productId: 'PRD001', quantity: -1 }] });
  const { body: answer } = await server.ask('POST', PATH, { body });
  expect(answer.detail).toContain('items[0].quantity');
});

it("refuses another HQ's event, and takes it from a token that sees every HQ", async () => {
  const token = await server.token('service', 'HQ002');
  const { status, body } = await server.ask('POST', PATH, { token, body: completed() });
  expect([status, body.code]).toEqual([403, 'FORBIDDEN']);
  const every = await server.token('service');
  expect((await server.ask('POST', PATH, { token: every, body: completed() })).status).toBe(202);
});

it('says to whom it is denied before it reads anything', async () => {
  const body = { ...completed(), message: { orderId: 'O-1' } };
  for (const token of [await server.token('viewer', 'HQ001'), await server.token('service', 'HQ001', 'STORE001')]) {
    const { status, body: answer } = await server.ask('POST', PATH, { token, body });
    expect([status, answer.code]).toEqual([403, 'FORBIDDEN']);
  }
});

it('keeps the correlation id of the request where the event has none of its own', async () => {
  const headers = { 'x-correlation-id': 'cart-7' };
  const handIn = async (body: object, sent = headers) => {
    await server.ask('POST', PATH, { body, headers: sent });
    return JSON.parse((await stored()).at(-1)?.text ?? '') as Record<string, unknown>;
  };
  expect(await handIn(completed())).toMatchObject({ correlationId: 'cart-7' });
  const own = completed({ correlationId: 'own' });
  expect(await handIn(own)).toEqual(own.message);
  const { data } = completed().message;
  const cloud = { specversion: '1.0', id: 'ce-2', source: '/shop', type: 'order.completed', data };
  expect(await handIn({ topic: 'order.completed', message: cloud })).toMatchObject({ correlationid: 'cart-7' });
  const odd = completed();
  expect(await handIn(odd, { 'x-correlation-id': 'a b' })).toEqual(odd.message);
});

it('is told in the events that follow', async () => {
  const data = { orderId: 'O-told', hqId: 'HQ001', storeId: 'STORE001', items: [{ productId: 'PRD001', quantity: 1 }] };
  const body = { topic: 'order.placed', message: { eventId: 'e-told', eventType: 'order.placed', data } };
  await server.ask('POST', PATH, { body, headers: { 'x-correlation-id': 'cart-8' } });
  await until('it is reserved', 60_000, async () => {
    const { body: page } = await server.ask('GET', `${PATH}?type=stock.reserved`);
    const told = page.items as { correlationid: string; causationid: string }[];
    return told.some((event) => event.correlationid === 'cart-8' && event.causationid === 'e-told');
  });
}, 30_000);

it('is too large past 256 KiB', async () => {
  const { status, body } = await server.ask('POST', PATH, { body: completed({ filler: 'x'.repeat(256 * 1024) }) });
  expect([status, body.code]).toEqual([413, 'BODY_TOO_LARGE']);
});

it('is put off where too many wait', async () => {
  const { inbox } = inboxOver(server.application.inbox.store, 1);
  server.service.open({ ...server.application, inbox });
  const { status, headers, body } = await server.ask('POST', PATH, { body: completed() });
  server.service.open(server.application);
  expect([status, headers['retry-after'], body.code]).toEqual([503, '1', 'OVERLOADED']);
});

it('what was answered 202 outlives a kill -9', async () => {
  const first = await ServerProcess.start();
  try {
    await first.ready();
    const answered: string[] = [];
    const handIn = async () => {
      for (;;) {
        const body = completed();
        const response = await first.ask('POST', PATH, body).catch(() => null);
        if (response?.status !== 202) return;
        answered.push(((await response.json()) as { id: string }).id);
        if (answered.length === 40) first.child.kill('SIGKILL');
      }
    };
    await Promise.all(Array.from({ length: 8 }, handIn));
    expect(answered.length).toBeGreaterThanOrEqual(40);
    await first.ended;
    expect(await leftIn(first.folder)).toEqual(expect.arrayContaining(answered));
  } finally {
    await first.dispose();
  }
}, 60_000);

/** The ids of the events that a server would begin with. */
async function leftIn(folder: string): Promise<unknown[]> {
  const { SqliteLedger } = await import('../../src/ledger/sqlite/sqlite-ledger.ts');
  const { SqliteInboxStore } = await import('../../src/ordering/inbox/sqlite/sqlite-inbox-store.ts');
  const ledger = await SqliteLedger.open(`${folder}/ledger.db`);
  const events = await new SqliteInboxStore(ledger.threads).read({ afterId: 0, limit: 10_000 });
  await ledger.close();
  return events.map(({ text }) => (JSON.parse(text) as { eventId: unknown }).eventId);
}
