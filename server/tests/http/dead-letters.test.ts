import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ParkedMessage, TestServer } from './support/test-server.ts';

const PATH = '/api/v1/admin/dead-letters';

let server: TestServer;
let root: string;
let other: string;
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
  root = await server.token('admin');
  other = await server.token('admin', 'HQ002');
});
afterAll(() => server.stop());

let offset = 0n;
function park(fields: Partial<ParkedMessage> = {}): Promise<string> {
  offset += 1n;
  return server.park({ topic: 'order.completed', offset, key: `O-${offset}`, hqId: 'HQ001', text: '{}', ...fields });
}

function event(orderId: string, type: string, data: object): Record<string, unknown> {
  return { eventId: `evt-${orderId}`, eventType: type, data: { orderId, hqId: 'HQ001', ...data } };
}

function placed(orderId: string, productId: string, quantity = 1): Record<string, unknown> {
  return event(orderId, 'order.placed', { storeId: 'STORE001', items: [{ productId, quantity }] });
}

const parkPlaced = (orderId: string, message: object) =>
  park({ topic: 'order.placed', key: orderId, text: JSON.stringify(message) });
const get = (id: string, token?: string) => server.ask('GET', `${PATH}/${id}`, token === undefined ? {} : { token });
const redrive = (id: string, token?: string) =>
  server.ask('POST', `${PATH}/${id}/redrive`, token === undefined ? {} : { token });
const correct = (id: string, payload: unknown, token?: string) =>
  server.ask('PUT', `${PATH}/${id}`, { body: { payload }, ...(token === undefined ? {} : { token }) });

async function reserved(): Promise<number> {
  const { body } = await server.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock');
  return body.reservedStock as number;
}

describe('a letter', () => {
  it('is shown as it came: JSON, text, bytes or nothing', async () => {
    const json = await get(await park({ text: '{"a":[1]}', headers: { ce_id: 'e1' } }));
    expect(json.body).toMatchObject({
      topic: 'order.completed',
      partition: 0,
      hqId: 'HQ001',
      code: 'UNKNOWN_PRODUCT',
      attempts: 3,
      status: 'parked',
      corrected: false,
      changedBy: null,
      changedAt: null,
      headers: { ce_id: 'e1' },
      payload: { a: [1] },
      payloadForm: 'json',
    });
    expect((await get(await park({ text: 'rubbish' }))).body).toMatchObject({
      payload: 'rubbish',
      payloadForm: 'text',
    });
    const sealed = await get(await park({ text: 'x', headers: { 'holdfast-key-id': 'k' } }));
    expect(sealed.body).toMatchObject({ payload: null, payloadForm: 'encrypted' });
  });

  it('of another HQ is as unknown as one that never was', async () => {
    const id = await park();
    for (const ask of [get(id, other), redrive(id, other), correct(id, {}, other), get('ltr_999999'), get('x')]) {
      const { status, body } = await ask;
      expect([status, body.code]).toEqual([404, 'UNKNOWN_DEAD_LETTER']);
    }
    expect((await server.ask('GET', PATH, { token: other })).body.items).toEqual([]);
  });

  it('that names no HQ is listed to all, its payload shown and the letter changed by who sees every HQ', async () => {
    const id = await park({ hqId: null, text: '{"secret":1}', headers: { h: 'v' } });
    const seen = await get(id, other);
    expect(seen.body).toMatchObject({ hqId: null, payload: null, payloadForm: 'hidden', headers: {} });
    // It may quote the payload.
    expect(seen.body.reason).toBe('shown to tokens that see every HQ');
    expect((await get(id, root)).body).toMatchObject({ payload: { secret: 1 }, payloadForm: 'json' });
    for (const ask of [redrive(id, other), correct(id, {}, other), server.ask('DELETE', `${PATH}/${id}`)]) {
      expect((await ask).status).toBe(403);
    }
    expect((await server.ask('DELETE', `${PATH}/${id}`, { token: root })).body.status).toBe('dropped');
  });

  it('that was encrypted for another HQ than it names is shown to neither of them', async () => {
    const id = await park({ hqId: 'HQ002', text: '{"secret":1}', headers: { 'holdfast-hq': 'HQ001' } });
    expect((await get(id, other)).body).toMatchObject({ payload: null, payloadForm: 'hidden', headers: {} });
    expect((await get(id)).status).toBe(404);
    expect((await get(id, root)).body).toMatchObject({ payload: { secret: 1 } });
  });

  it('is listed newest first, by pages and filters', async () => {
    const ids = [await park({ key: 'PAGED' }), await park({ key: 'PAGED' }), await park({ key: 'PAGED' })];
    const url = `${PATH}?key=PAGED&status=parked&topic=order.completed&from=2020-01-01T00:00:00Z`;
    const first = await server.ask('GET', `${url}&limit=2`);
    const second = await server.ask('GET', `${url}&limit=2&cursor=${first.body.nextCursor}`);
    const items = [...(first.body.items as { id: string }[]), ...(second.body.items as { id: string }[])];
    expect(items.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(second.body.nextCursor).toBeNull();
    expect((await server.ask('GET', `${PATH}?cursor=bm8`)).body.code).toBe('INVALID_CURSOR');
    expect((await server.ask('GET', `${PATH}?topic=stock.low`)).status).toBe(400);
  });
});

describe('who changed a letter, and when', () => {
  const changed = async (id: string) => {
    const { body } = await get(id);
    const ageMs = body.changedAt === null ? null : Date.now() - Date.parse(body.changedAt as string);
    expect(ageMs ?? 0).toBeLessThan(60_000);
    return ageMs === null ? null : body.changedBy;
  };

  it('is told by the letter: the subject of the token', async () => {
    const anna = await server.token('admin', 'HQ001', null, 'anna');
    const boris = await server.token('admin', 'HQ001', null, 'boris');
    const id = await parkPlaced('ORD-W', placed('ORD-W', 'PRD-W'));
    const [before] = (await server.ask('GET', `${PATH}?key=ORD-W`)).body.items as object[];
    expect(before).toMatchObject({ changedBy: null, changedAt: null });
    expect((await correct(id, {}, anna)).status).toBe(422);
    expect(await changed(id), 'nothing was changed').toBeNull();
    expect((await correct(id, placed('ORD-W', 'PRD-W2'), anna)).body.changedBy).toBe('anna');
    expect((await redrive(id, boris)).body.letter).toMatchObject({ status: 'parked', changedBy: 'boris' });
    const dropped = await server.ask('DELETE', `${PATH}/${id}`, { token: anna });
    expect(dropped.body).toMatchObject({ status: 'dropped', changedBy: 'anna' });
    await server.ask('DELETE', `${PATH}/${id}`, { token: boris });
    expect(await changed(id), 'who drops it again changes nothing').toBe('anna');
    const [after] = (await server.ask('GET', `${PATH}?key=ORD-W`)).body.items as object[];
    expect(after).toMatchObject({ changedBy: 'anna' });
  });
});

describe('a redrive', () => {
  it('has its effect once the reason is gone, once', async () => {
    const id = await parkPlaced('ORD-A', placed('ORD-A', 'PRD-NEW'));
    const failed = await redrive(id);
    expect([failed.status, failed.body.followed]).toEqual([200, 0]);
    expect(failed.body.letter).toMatchObject({ status: 'parked', code: 'UNKNOWN_PRODUCT', attempts: 4 });
    await server.ask('PUT', '/api/v1/admin/products/PRD-NEW', { body: { name: 'New' } });
    const body = { quantity: 5, storeId: 'STORE001', transactionId: 'add-new' };
    await server.ask('POST', '/api/v1/admin/inventory/PRD-NEW/add', { body });
    const all = await Promise.all([redrive(id), redrive(id), redrive(id), redrive(id)]);
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(all.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const stock = await server.ask('GET', '/api/v1/stores/STORE001/products/PRD-NEW/stock');
    expect(stock.body.reservedStock).toBe(1);
    const again = await redrive(id);
    expect([again.status, again.body.letterStatus]).toEqual([409, 'redriven']);
  });

  it('takes those along that wait behind it, which cannot be redriven or dropped before', async () => {
    const before = await reserved();
    const id = await parkPlaced('ORD-B', placed('ORD-B', 'PRD001', 2));
    const { letters } = server.application.letterDesk;
    const message = { ...(await letters.get(id))?.message, offset: 1_000_000n };
    const ids = { key: 'ORD-B', hqId: 'HQ001', orderId: 'ORD-B', eventId: null };
    await letters.queueBehind({
      message: message as Parameters<typeof letters.queueBehind>[0]['message'],
      ...ids,
      code: 'BEHIND_A_PARKED_ONE',
      reason: 'waits',
      attempts: 0,
    });
    const [waiting] = (await letters.list({ hqId: null, cursor: null, limit: 1 })).items;
    for (const ask of [redrive(waiting?.id ?? ''), server.ask('DELETE', `${PATH}/${waiting?.id}`)]) {
      expect((await ask).body).toMatchObject({ code: 'DEAD_LETTER_NOT_PARKED' });
    }
    expect((await redrive(id)).body).toMatchObject({ letter: { status: 'redriven' }, followed: 1 });
    expect(await reserved()).toBe(before + 2);
  });
});

describe('a correction', () => {
  it('is kept when it can be read, and redriven', async () => {
    const before = await reserved();
    const id = await parkPlaced('ORD-D', placed('ORD-D', 'PRD-TYPO'));
    const unreadable = await correct(id, { eventId: 'x' });
    expect([unreadable.status, unreadable.body.code]).toEqual([422, 'DEAD_LETTER_UNREADABLE']);
    expect((await get(id)).body.corrected).toBe(false);
    const corrected = await correct(id, placed('ORD-D', 'PRD001'));
    expect(corrected.body).toMatchObject({ corrected: true, status: 'parked', orderId: 'ORD-D', hqId: 'HQ001' });
    expect((await redrive(id)).body.letter).toMatchObject({ status: 'redriven' });
    expect(await reserved()).toBe(before + 1);
    expect((await correct(id, placed('ORD-D', 'PRD001'))).status).toBe(409);
  });

  it('cannot lead into another HQ, nor to another order', async () => {
    const id = await parkPlaced('ORD-E', placed('ORD-E', 'PRD001'));
    const stolen = { ...placed('ORD-E', 'PRD001') };
    stolen.data = { ...(stolen.data as object), hqId: 'HQ002' };
    expect((await correct(id, stolen)).status).toBe(403);
    expect((await correct(id, placed('ORD-F', 'PRD001'))).status).toBe(422);
    expect((await get(id)).body.hqId).toBe('HQ001');
  });
});
