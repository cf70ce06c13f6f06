import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort, holdfast, newFolder, ServerProcess } from './support/server-process.ts';

const running: ServerProcess[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.dispose();
});

async function serve(...options: Parameters<typeof ServerProcess.start>): Promise<ServerProcess> {
  const server = await ServerProcess.start(...options);
  running.push(server);
  return server;
}

async function serveReady(...options: Parameters<typeof ServerProcess.start>): Promise<ServerProcess> {
  const server = await serve(...options);
  await server.ready();
  return server;
}

describe('the server', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start();
    await server.ready();
  });
  afterAll(() => server.dispose());

  it('says where it listens, where its page is and how to make a token', async () => {
    expect(server.stdout).toContain(server.url);
    expect(server.stdout).toContain(`${server.url}/docs`);
    expect(server.stdout).toContain('holdfast -- token --role admin');
    const announced = JSON.parse(readFileSync(join(server.folder, 'server.json'), 'utf8')) as {
      url: string;
      pid: number;
    };
    expect(announced).toEqual({ url: server.url, pid: server.child.pid });
  });

  it('shows its page, and leads to it from / and the old address', async () => {
    for (const path of ['/', '/swagger-ui.html', '/docs']) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('swagger-ui');
    }
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as { openapi: string };
    expect(document.openapi).toBe('3.1.0');
  });

  it('answers what is no HTTP, and headers without end, as problems', async () => {
    const raw = (text: string) =>
      new Promise<string>((resolve) => {
        let answer = '';
        const socket = connect(server.port, '127.0.0.1', () => socket.write(text));
        socket.on('data', (chunk) => {
          answer += chunk.toString();
        });
        socket.on('close', () => resolve(answer));
        socket.on('error', () => resolve(answer));
      });
    expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*VALIDATION_FAILED/);
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 [\s\S]*HEADERS_TOO_LARGE/,
    );
  });

  it('counts requests, and tells its figures', async () => {
    await server.ask('GET', '/api/v1/stock');
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain('holdfast_http_request_seconds_count{method="GET",route="/api/v1/stock",status="200"} 1');
    expect(text).toContain('holdfast_open_holds 0');
  });
});

describe('a stop', { timeout: 120_000 }, () => {
  it('loses no request that was let in, and says "draining" first', async () => {
    const server = await serveReady();
    await server.stockUp();
    const answers: number[] = [];
    let refused = 0;
    let stopping = false;
    const worker = async (name: number) => {
      for (let index = 0; ; index += 1) {
        const status = await server.reserve(`w${name}-${index}`).then(
          (response) => response.status,
          () => 0,
        );
        const turnedAway = stopping && (status === 503 || status === 0);
        if (!turnedAway) answers.push(status);
        if (status === 503) refused += 1;
        if (turnedAway) return;
      }
    };
    const workers = Promise.all(Array.from({ length: 16 }, (_, index) => worker(index)));
    await expect.poll(() => answers.length).toBeGreaterThan(100);
    stopping = true;
    server.child.kill('SIGTERM');
    const seen: (number | null)[] = [];
    while (seen.at(-1) !== null) seen.push(await server.readiness());
    expect(seen).toContain(503);
    await workers;
    expect(await server.ended).toBe(0);
    expect(new Set(answers)).toEqual(new Set([201]));
    expect(refused).toBeGreaterThan(0);
    const again = await serveReady(server.folder);
    const { reservedStock } = (await (
      await again.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock')
    ).json()) as { reservedStock: number };
    expect(reservedStock).toBeGreaterThanOrEqual(answers.length);
  });

  it('ends event streams', async () => {
    const server = await serveReady();
    const stream = await server.ask('GET', '/api/v1/events/stream');
    server.child.kill('SIGTERM');
    await stream.text();
    expect(await server.ended).toBe(0);
  });

  it('a second signal ends at once', async () => {
    const server = await serveReady();
    const stuck = connect(server.port, '127.0.0.1', () =>
      stuck.write('POST /api/v1/inventory/reserve HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n'),
    );
    stuck.on('error', () => {});
    await delay(100);
    server.child.kill('SIGINT');
    await delay(600);
    server.child.kill('SIGINT');
    expect(await server.ended).toBe(130);
  });

  it('after a kill the same command starts again at once, on the same port and data', async () => {
    const first = await serveReady();
    await first.stockUp();
    expect((await first.reserve('before-the-kill')).status).toBe(201);
    first.child.kill('SIGKILL');
    const second = await serveReady(first.folder, first.port);
    const replayed = await second.reserve('before-the-kill');
    expect([replayed.status, replayed.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
  });
});

describe('a start', { timeout: 120_000 }, () => {
  let blocker: Server | null = null;
  afterEach(() => blocker?.close());

  function block(port: number): Promise<void> {
    blocker = createServer();
    return new Promise((resolve) => blocker?.listen(port, '127.0.0.1', () => resolve()));
  }

  it('waits for a port that is being let go', async () => {
    const port = await freePort();
    await block(port);
    const server = await serve(undefined, port);
    await delay(1_000);
    blocker?.close();
    await server.ready();
  });

  it('on a port that stays taken ends with a sentence', async () => {
    const port = await freePort();
    await block(port);
    const server = await serve(undefined, port);
    expect(await server.ended).toBe(1);
    expect(server.stderr).toContain(`The port ${port} is taken`);
  });

  it('on data that another server has ends with a sentence', async () => {
    const first = await serveReady();
    const second = await serve(first.folder);
    expect(await second.ended).toBe(1);
    expect(second.stderr).toContain('is in use by another Holdfast');
    expect((await first.ask('GET', '/api/v1/stock')).status).toBe(200);
  });

  it.each([
    ['HOLDFAST_PORT', '70000'],
    ['HOLDFAST_PORT', 'http'],
    ['HOLDFAST_HOST', 'a b'],
    ['HOLDFAST_MODE', 'single'],
    ['HOLDFAST_LOG', 'loud'],
    ['HOLDFAST_ACCESS_LOG', 'yes'],
    ['HOLDFAST_RATE_LIMIT', '0'],
  ])('with %s=%s names the variable and what it may be', async (variable, value) => {
    const { code, stderr } = await holdfast(['serve'], { HOLDFAST_DATA: newFolder(), [variable]: value });
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^holdfast: ${variable} is "${value}", but it must be `));
  });
});
