/** What one kept-alive connection is asked one after the other: nothing of a request is taken for the next one's. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ServerProcess } from './support/server-process.ts';

const EXPORT = '/api/v1/admin/export/stock';
const STOCK = '/api/v1/stock';
const RESERVE = '/api/v1/inventory/reserve';
const WHOLE = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\ncontent-length: (\d+)\r\n[\s\S]*?\r\n\r\n/i;

/** Sends requests as they are written here; answers with the status and the body of each. */
class Connection {
  readonly #socket: Socket;
  #received = '';

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      this.#received += text;
    });
  }

  async ask(line: string, token: string, ...headers: string[]): Promise<{ status: number; body: string }> {
    const lines = [`${line} HTTP/1.1`, 'host: test', `authorization: Bearer ${token}`, ...headers];
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    await expect.poll(() => this.#whole()).not.toBeNull();
    const answer = this.#whole() as { status: number; body: string };
    this.#received = '';
    return answer;
  }

  #whole(): { status: number; body: string } | null {
    const found = WHOLE.exec(this.#received);
    if (found === null) return null;
    const body = this.#received.slice(found[0].length);
    return Buffer.byteLength(body) < Number(found[2]) ? null : { status: Number(found[1]), body };
  }

  close(): void {
    this.#socket.destroy();
  }
}

describe('a connection', () => {
  let server: ServerProcess;
  let connection: Connection;
  let admin: string;
  beforeAll(async () => {
    server = await ServerProcess.start();
    await server.ready();
    await server.stockUp();
    admin = await server.token('admin');
  });
  beforeEach(() => {
    connection = new Connection(server.port);
  });
  afterEach(() => connection.close());
  afterAll(() => server.dispose());

  const status = async (...asked: Parameters<Connection['ask']>) => (await connection.ask(...asked)).status;

  it('is as many callers as it brings tokens', async () => {
    const till = await server.token('pos', 'HQ001', 'STORE001');
    const seen = [
      await status(`GET ${STOCK}`, admin),
      await status(`GET ${EXPORT}`, till),
      await status(`GET ${STOCK}`, `${admin}x`),
      await status(`GET ${STOCK}`, ''),
      await status(`GET ${STOCK}`, till),
    ];
    expect(seen).toEqual([200, 403, 401, 401, 200]);
  });

  it('outlives its token, which does not', async () => {
    const brief = await server.token('admin', 'HQ001', null, 1_000);
    expect(await status(`GET ${STOCK}`, brief)).toBe(200);
    await delay(2_100);
    expect(await status(`GET ${STOCK}`, brief)).toBe(401);
    expect(await status(`GET ${STOCK}`, admin)).toBe(200);
  });

  it('is answered when a request names the type of a body that it does not have', async () => {
    const json = 'content-type: application/json';
    const reserved = (await (await server.reserve('bodiless')).json()) as { reservationId: string };
    expect(await status(`GET ${STOCK}`, admin, json)).toBe(200);
    expect(await status(`DELETE ${RESERVE}/${reserved.reservationId}`, admin, json)).toBe(200);
    expect(await status(`POST ${RESERVE}`, admin, json)).toBe(400);
    const empty = await connection.ask('POST /api/v1/admin/import/stores', admin, 'content-type: text/csv');
    expect([empty.status, empty.body]).toEqual([200, expect.stringContaining('"applied":false')]);
  });
});
