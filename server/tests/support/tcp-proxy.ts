/** A network between a client and a server that a test can spoil. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const LATE_MS = 1_000;

interface Pair {
  client: Socket;
  server: Socket;
  /** Nothing passes any more, either way, and neither side hears of it. */
  swallowed: boolean;
}

/** Called with what a client sends, before it is passed on. */
export type Interception = (data: Buffer, pair: PairControl) => void;

export interface PairControl {
  /** From now on nothing passes, this piece included. */
  swallow(): void;
  /** This piece still passes; then nothing does. */
  swallowAnswer(): void;
  /** Both ends are reset at once. */
  reset(): void;
  /** The client is reset at once; this piece reaches the server a second later, and nothing after it. */
  deliverLate(): void;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #stalled = false;
  #target: { host: string; port: number };
  onClientData: Interception | null = null;
  /** What a server's answer is on its way to the client. */
  rewriteAnswer: ((data: Buffer) => Buffer) | null = null;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
  }

  static async to(target: { host: string; port: number }): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, target);
    server.on('connection', (client) => proxy.#join(client, connect(proxy.#target.port, proxy.#target.host)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #join(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, swallowed: false };
    this.#pairs.add(pair);
    client.on('data', (data) => this.#fromClient(pair, data));
    server.on('data', (data) => {
      if (!pair.swallowed) client.write(this.rewriteAnswer?.(data) ?? data);
    });
    if (this.#stalled) for (const end of [client, server]) end.pause();
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => undefined);
      from.on('close', () => {
        if (!pair.swallowed) to.destroy();
      });
    }
  }

  #fromClient(pair: Pair, data: Buffer): void {
    if (pair.swallowed) return;
    let passes = true;
    this.onClientData?.(data, {
      swallow: () => {
        pair.swallowed = true;
        passes = false;
      },
      swallowAnswer: () => {
        pair.swallowed = true;
      },
      reset: () => {
        pair.client.resetAndDestroy();
        pair.server.resetAndDestroy();
        passes = false;
      },
      deliverLate: () => {
        pair.swallowed = true;
        passes = false;
        pair.client.resetAndDestroy();
        setTimeout(() => pair.server.write(data), LATE_MS);
      },
    });
    if (passes) pair.server.write(data);
  }

  /** Nothing passes, on connections that there are and on new ones, until `flow`; then what was held back arrives. */
  stall(): void {
    this.#stalled = true;
    for (const { client, server } of this.#pairs) for (const end of [client, server]) end.pause();
  }

  flow(): void {
    this.#stalled = false;
    for (const { client, server } of this.#pairs) for (const end of [client, server]) end.resume();
  }

  /** Both ends of all connections that there are are reset. */
  resetAll(): void {
    for (const { client, server } of this.#pairs) for (const end of [client, server]) end.resetAndDestroy();
  }

  /** The server's ends of all connections that there are are gone, and the clients do not hear of it. */
  halfOpenAll(): void {
    this.swallowAll();
    for (const { server } of this.#pairs) server.resetAndDestroy();
  }

  /** All connections that there are pass nothing any more; new ones do. */
  swallowAll(): void {
    for (const pair of this.#pairs) pair.swallowed = true;
  }

  /** Resets all connections; new ones reach that server. */
  redirect(target: { host: string; port: number }): void {
    this.#target = target;
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }
}
