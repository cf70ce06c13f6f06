/** What goes wrong outside of a handler is in the log, without what the request carried. */

import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FrameworkLog } from '../../src/http/framework-log.ts';

const TOKEN = 'a-token-that-nobody-is-to-read';

let app: FastifyInstance;
let address: string;
let lines: Record<string, unknown>[];

beforeEach(async () => {
  lines = [];
  const log = pino({}, { write: (text: string) => lines.push(JSON.parse(text) as Record<string, unknown>) });
  app = Fastify({ logger: false, logController: new FrameworkLog(log), genReqId: () => 'req_1' });
  const schema = { response: { 500: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } } } };
  app.get('/fine', () => 'fine');
  app.get('/breaks-off', (_request, reply) => reply.send(Readable.from(breakingOff())));
  app.get('/endless', (_request, reply) => reply.send(Readable.from(endless())));
  app.get('/unfitting', { schema }, failing);
  app.get('/unanswerable', { errorHandler: () => Promise.reject(new Error('no words')) }, failing);
  app.get('/bad-header', () => {
    throw Object.assign(new Error('an error with a header that cannot be'), { headers: { 'x-bad': 'one\ntwo' } });
  });
  address = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

function failing(): never {
  throw new Error('the first error');
}

async function* breakingOff(): AsyncGenerator<string> {
  yield 'a first page\n';
  await delay(50);
  throw new Error('the database is away');
}

async function* endless(): AsyncGenerator<string> {
  for (;;) {
    yield 'more\n';
    await delay(5);
  }
}

function ask(path: string, signal?: AbortSignal): Promise<Response> {
  return fetch(`${address}${path}`, { headers: { authorization: `Bearer ${TOKEN}` }, ...(signal && { signal }) });
}

it('tells of an answer that broke off after it had begun', async () => {
  const answer = await ask('/breaks-off');
  await expect(answer.text()).rejects.toThrow();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 40,
    msg: 'an answer broke off after it had begun',
    requestId: 'req_1',
    method: 'GET',
    url: '/breaks-off',
    err: { message: 'the database is away' },
  });
});

it.each([
  ['/unfitting', 'an answer did not fit its schema'],
  ['/bad-header', 'the headers of an answer could not be sent'],
  ['/unanswerable', 'an error could not be answered as a problem'],
])('tells of %s: %s', async (path, message) => {
  expect((await ask(path)).status).toBe(500);
  expect(lines).toContainEqual(expect.objectContaining({ level: 50, msg: message, requestId: 'req_1', url: path }));
  expect(JSON.stringify(lines)).not.toContain(TOKEN);
});

it('says nothing of what went well, was not found, or was not waited for', async () => {
  const leaving = new AbortController();
  const answer = await ask('/endless', leaving.signal);
  expect(answer.status).toBe(200);
  leaving.abort();
  await ask('/fine');
  await ask('/nowhere');
  await delay(50);
  expect(lines).toEqual([]);
});
