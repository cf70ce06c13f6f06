import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestServer } from './support/test-server.ts';

let server: TestServer;
let url = '';
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
  url = await server.http.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => server.stop());

interface Received {
  id: string;
  type: string;
  data: { id: string; data: { storeId?: string } };
}

/** Events of a stream until there are `count`, then it is hung up. */
async function follow(
  query: string,
  count: number,
  headers: Record<string, string> = {},
  onOpen = async () => {},
): Promise<Received[]> {
  const ending = new AbortController();
  const response = await fetch(`${url}/api/v1/events/stream${query}`, {
    headers: { authorization: `Bearer ${server.admin}`, ...headers },
    signal: ending.signal,
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const received: Received[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  let opened = false;
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    if (!opened) {
      opened = true;
      void onOpen();
    }
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      if (fields.id !== undefined)
        received.push({
          id: fields.id,
          type: fields.event ?? '',
          data: JSON.parse(fields.data ?? '{}') as Received['data'],
        });
    }
    if (received.length >= count) break;
  }
  ending.abort();
  return received.slice(0, count);
}

it('events come as they are recorded', async () => {
  const received = await follow('', 2, {}, async () => {
    await server.reserve(1, 'streamed-1');
    await server.reserve(1, 'streamed-2');
  });
  expect(received.map(({ type }) => type)).toEqual(['stock.reserved', 'stock.reserved']);
});

it('a stream resumes after the last event that was seen, without gap or repeat', async () => {
  const first = await follow('', 2, {}, async () => {
    for (let index = 0; index < 6; index += 1) await server.reserve(1, `resumed-${index}`);
  });
  const rest = await follow('', 4, { 'last-event-id': first[1]?.id ?? '' });
  const { body } = await server.ask('GET', '/api/v1/events?type=stock.reserved&limit=500');
  const all = (body.items as { id: string }[]).map(({ id }) => id).slice(-6);
  expect([...first, ...rest].map(({ data }) => data.id)).toEqual(all);
});

it('a stream shows what its filter and its token let through', async () => {
  const { body } = await server.ask('GET', '/api/v1/events?limit=1');
  const beginning = Buffer.from('0:0').toString('base64url');
  const received = await follow(`?type=stock.updated&storeId=STORE001&cursor=${beginning}`, 1);
  expect(received[0]).toMatchObject({ type: 'stock.updated', data: { data: { storeId: 'STORE001' } } });
  expect(typeof body.nextCursor).toBe('string');
  const token = await server.token('pos', 'HQ001', 'STORE002');
  const page = await server.ask('GET', '/api/v1/events?limit=500', { token });
  expect(page.body.items).toEqual([]);
});

it('a page goes on where the one before ended', async () => {
  const whole = await server.ask('GET', '/api/v1/events?limit=500');
  const ids: string[] = [];
  let cursor = '';
  for (;;) {
    const { body } = await server.ask('GET', `/api/v1/events?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
    const items = body.items as { id: string }[];
    ids.push(...items.map(({ id }) => id));
    cursor = body.nextCursor as string;
    if (items.length === 0) break;
  }
  expect(ids).toEqual((whole.body.items as { id: string }[]).map(({ id }) => id));
});

it('a cursor that is none is refused, and so is a stream without a token', async () => {
  const headers = { authorization: `Bearer ${server.admin}`, 'last-event-id': '!!!' };
  expect((await fetch(`${url}/api/v1/events/stream`, { headers })).status).toBe(400);
  expect((await fetch(`${url}/api/v1/events/stream`)).status).toBe(401);
});

it('a stream ends with its token', async () => {
  const { issueToken } = await import('../../src/access/tokens.ts');
  const grant = { role: 'viewer', hqId: 'HQ001', storeId: null, ttlMs: 1_000 } as const;
  const token = await issueToken(server.application.tokenKey, grant, Date.now());
  const response = await fetch(`${url}/api/v1/events/stream`, { headers: { authorization: `Bearer ${token}` } });
  expect(await response.text()).toContain(': connected');
});
