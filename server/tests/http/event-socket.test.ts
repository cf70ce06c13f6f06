/** Events over a real WebSocket: the same as the other stream tells, and nobody who does not read holds anything up. */
import { Agent, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EventAt, EventFeed } from '../../src/events/event-feed.ts';
import { until } from '../support/servers/until.ts';
import { TestServer } from './support/test-server.ts';

const SECOND = 1_000;

let server: TestServer;
let url = '';
beforeAll(async () => {
  server = await TestServer.start();
  await server.stockUp();
  url = await server.http.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => server.stop());

interface Told {
  cursor: string;
  event: { id: string; type: string; data: { storeId?: string } };
}

interface Listening {
  told: Told[];
  /** Code and reason. */
  closed: Promise<[number, string]>;
  close(): void;
}

async function listen(query = '', token = server.admin): Promise<Listening> {
  const address = `${url.replace('http', 'ws')}/api/v1/events/ws${query}`;
  const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } } as unknown as string[]);
  const told: Told[] = [];
  socket.addEventListener('message', ({ data }) => told.push(JSON.parse(String(data)) as Told));
  const closed = new Promise<[number, string]>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve([code, reason]));
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('it was not opened')));
  });
  return { told, closed, close: () => socket.close() };
}

const has = (listening: Listening, count: number) =>
  until(`${count} events`, 10 * SECOND, async () => listening.told.length >= count);

/** Asks as a client of WebSocket does, and answers the status; the socket is still open where it is 101. */
function upgrade(path: string, headers: Record<string, string>): Promise<{ status: number; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(url + path, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    });
    asked.once('upgrade', (response, socket) => resolve({ status: response.statusCode ?? 0, socket }));
    asked.once('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, socket: response.socket });
    });
    asked.once('error', reject);
    asked.end();
  });
}

it('tells events as they are recorded, and resumes after a cursor without gap or repeat', async () => {
  const first = await listen();
  for (let index = 0; index < 3; index += 1) await server.reserve(1, `told-${index}`);
  await has(first, 3);
  expect(first.told.map(({ event }) => event.type)).toEqual(Array(3).fill('stock.reserved'));
  const rest = await listen(`?cursor=${first.told[0]?.cursor}`);
  await has(rest, 2);
  expect(rest.told.map(({ event }) => event.id)).toEqual(first.told.slice(1).map(({ event }) => event.id));
  for (const each of [first, rest]) each.close();
});

it('tells what its filter and its token let through', async () => {
  const beginning = Buffer.from('0:0').toString('base64url');
  const filtered = await listen(`?type=stock.updated&storeId=STORE001&cursor=${beginning}`);
  await has(filtered, 1);
  expect(filtered.told[0]?.event).toMatchObject({ type: 'stock.updated', data: { storeId: 'STORE001' } });
  const other = await listen(`?cursor=${beginning}`, await server.token('pos', 'HQ001', 'STORE002'));
  await server.reserve(1, 'of-store-1');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(other.told).toEqual([]);
  for (const each of [filtered, other]) each.close();
});

it.each([
  ['no token', '', {}, 401],
  ['a cursor that is none', '?cursor=!!!', null, 400],
  ['another HQ', '?hqId=HQ002', null, 404],
  ['a field that there is not', '?colour=red', null, 400],
])('%s is refused before the connection is taken over', async (_what, query, headers, status) => {
  const sent = headers ?? { authorization: `Bearer ${server.admin}` };
  expect((await upgrade(`/api/v1/events/ws${query}`, sent)).status).toBe(status);
});

it('a plain request is told what is spoken here', async () => {
  const { status, headers, body } = await server.ask('GET', '/api/v1/events/ws');
  expect([status, headers.upgrade, body.code]).toEqual([426, 'websocket', 'UPGRADE_REQUIRED']);
});

it('a client that wishes for another protocol elsewhere is answered as if it had not', async () => {
  const body = JSON.stringify({ storeId: 'STORE001', items: [{ productId: 'PRD001', quantity: 1 }] });
  const status = await new Promise<number>((resolve, reject) => {
    const asked = httpRequest(`${url}/api/v1/inventory/reserve`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.admin}`,
        'idempotency-key': 'upgrade-1',
        'content-type': 'application/json',
        'content-length': body.length,
        connection: 'Upgrade, HTTP2-Settings',
        upgrade: 'h2c',
        'http2-settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
      },
    });
    asked.once('response', (response) => resolve(response.resume().statusCode ?? 0));
    asked.once('error', reject);
    asked.end(body);
  });
  expect(status).toBe(201);
});

it('ends with its token', async () => {
  const { issueToken } = await import('../../src/access/tokens.ts');
  const grant = { role: 'viewer', hqId: 'HQ001', storeId: null, ttlMs: 1_500 } as const;
  const listening = await listen('', await issueToken(server.application.tokenKey, grant, Date.now()));
  expect(await listening.closed).toEqual([1008, 'the token has expired']);
});

it('lets go of a subscriber that takes nothing, and keeps little for it', async () => {
  const event = { id: 'evt_0_1_0', data: { filler: 'x'.repeat(10_000) } } as unknown as EventAt['event'];
  let made = 0;
  let ended = false;
  const endless: EventFeed = {
    page: () => Promise.reject(new Error('not asked')),
    async *follow(_filter, _cursor, signal) {
      try {
        while (!signal.aborted) {
          made += 1;
          yield { event, cursor: 'MDow' };
          if (made % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        ended = true;
      }
    },
  };
  server.service.open({ ...server.application, events: endless });
  try {
    const { status, socket } = await upgrade('/api/v1/events/ws', { authorization: `Bearer ${server.admin}` });
    expect(status).toBe(101);
    socket.on('error', () => undefined);
    socket.pause();
    await until('it is let go', 60 * SECOND, async () => ended);
    // What the kernel of both ends takes, and 1 MiB.
    expect(made * 10_000).toBeLessThan(64 * 1024 * 1024);
    socket.destroy();
  } finally {
    server.service.open(server.application);
  }
}, 30_000);

it('that fails says so in few words, and nothing of what went wrong', async () => {
  const failing: EventFeed = {
    page: () => Promise.reject(new Error('not asked')),
    // biome-ignore lint/correctness/useYield: it fails before it has anything
    async *follow() {
      throw new Error(`select secret from ledger: ${'x'.repeat(200)}`);
    },
  };
  server.service.open({ ...server.application, events: failing });
  try {
    expect(await (await listen()).closed).toEqual([
      1011,
      'the events could not be read; the log of the server says why',
    ]);
  } finally {
    server.service.open(server.application);
  }
});

it('from which too much is sent is closed, and the others go on', async () => {
  const other = await listen();
  const { status, socket } = await upgrade('/api/v1/events/ws', { authorization: `Bearer ${server.admin}` });
  expect(status).toBe(101);
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined).resume();
  // A masked text frame of 2 000 bytes, then rubbish.
  socket.write(Buffer.concat([Buffer.from([0x81, 0xfe, 0x07, 0xd0, 0, 0, 0, 0]), Buffer.alloc(2_000, 'x')]));
  await ended;
  await server.reserve(1, 'goes-on');
  await has(other, 1);
  other.close();
});

it('is asked for with GET alone: whatever else wishes for it is answered, and its connection goes on', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const asked = (method: string, path: string, headers: Record<string, string>) =>
    new Promise<number>((resolve, reject) => {
      const options = { method, agent, headers: { authorization: `Bearer ${server.admin}`, ...headers } };
      const sent = httpRequest(url + path, options, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      });
      sent.once('upgrade', () => reject(new Error('it was upgraded'))).once('error', reject);
      sent.end();
    });
  const wish = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  expect(await asked('POST', '/api/v1/events/ws', wish)).toBe(405);
  expect(await asked('GET', '/api/v1/events?limit=1', {})).toBe(200);
  agent.destroy();
});

it('ends when the server stops, and says so', async () => {
  const other = await TestServer.start();
  const address = await other.http.listen({ host: '127.0.0.1', port: 0 });
  const kept = url;
  url = address;
  const listening = await listen('', await other.token('viewer', 'HQ001'));
  url = kept;
  await other.stop();
  expect((await listening.closed)[0]).toBe(1001);
});
