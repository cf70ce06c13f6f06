/** Connects to one server, a Sentinel group or a Cluster with node-redis. */
import { createClient, createCluster, createSentinel, ErrorReply } from 'redis';
import { isUntrusted } from '../../tls/tls-faults.ts';
import { serverNameOf, type TlsSettings, verificationBy } from '../../tls/tls-settings.ts';
import {
  type RedisConnection,
  type RedisNode,
  RedisRefused,
  type RedisReply,
  RedisUnanswered,
} from './redis-connection.ts';
import { ReplyDeadlines } from './reply-deadlines.ts';
import { unreachableRedis } from './unreachable-redis.ts';

export type RedisTarget =
  /** `redis[s]://[user[:password]@]host[:port][/database]` */
  | { kind: 'standalone'; url: string; tls?: TlsSettings }
  | { kind: 'cluster'; urls: readonly string[]; tls?: TlsSettings }
  | {
      kind: 'sentinel';
      group: string;
      sentinels: readonly { host: string; port: number }[];
      password?: string;
      sentinelPassword?: string;
      /** To the sentinels as well. */
      tls?: TlsSettings;
    };

type TargetOf<Kind> = Extract<RedisTarget, { kind: Kind }>;

/** After this long without a reply it is not waited for, and the connection is made anew. */
const REPLY_MS_MAX = 5_000;
const CONNECT_MS_MAX = 2_000;
const RECONNECT_MS_MAX = 500;
/** A Cluster is asked for its new masters when one was away for so long. */
const REDISCOVER_MS = 500;

const SOCKET = {
  connectTimeout: CONNECT_MS_MAX,
  reconnectStrategy: (retries: number) => Math.min(20 * 2 ** Math.min(retries, 5), RECONNECT_MS_MAX),
  noDelay: true,
};

/** Without a timeout of its own for each command: that halves what a connection can carry. */
const COMMAND_OPTIONS = { timeout: undefined } as unknown as { timeout: number };
const OPTIONS = { disableOfflineQueue: true, commandOptions: COMMAND_OPTIONS };

/** Replies that say that nothing was executed, and that it may be soon. */
const REFUSALS =
  /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|OOM|MISCONF|BUSY|NOREPLICAS|NOAUTH|UNKILLABLE)\b/;

/** Errors of node-redis for commands that it never wrote to a socket. */
const NEVER_SENT = new Set(['ClientOfflineError', 'ClientClosedError', 'RootNodesUnavailableError']);

interface Transport {
  send(key: string, args: readonly string[]): Promise<unknown>;
  masters(): Promise<{ sendCommand(args: string[]): Promise<unknown> }[]>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  destroy(): unknown;
}

/**
 * @param onError hears of lost connections; they come back by themselves.
 * @throws EngineUnusable when nothing answers at the target, or it refuses the password.
 */
export async function openRedis(target: RedisTarget, onError: (error: Error) => void): Promise<RedisConnection> {
  let isOpen = false;
  // Until there is one, no connection is lost: the last reason is thrown.
  const hear = (error: Error) => {
    if (isOpen) onError(error);
  };
  const connection = new NodeRedisConnection(() => connect(target, hear), hear);
  await connection.open().catch((error: Error) => {
    throw unreachableRedis(target, error);
  });
  isOpen = true;
  return connection;
}

async function connect(target: RedisTarget, onError: (error: Error) => void): Promise<Transport> {
  switch (target.kind) {
    case 'standalone':
      return standalone(target, onError);
    case 'cluster':
      return cluster(target, onError);
    case 'sentinel':
      return sentinel(target, onError);
  }
}

function socketOf(tls: TlsSettings | undefined) {
  return tls === undefined ? { ...SOCKET } : { ...SOCKET, tls: true as const, ...verificationBy(tls) };
}

async function standalone({ url, tls }: TargetOf<'standalone'>, onError: (error: Error) => void): Promise<Transport> {
  // The client writes what the URL says into the object that it is given.
  const socket = tls === undefined ? socketOf(tls) : { ...socketOf(tls), ...serverNameOf(new URL(url).hostname) };
  const client = createClient({ url, ...OPTIONS, socket });
  client.on('error', onError);
  await connected(client);
  return {
    send: (_key, args) => client.sendCommand(args),
    masters: async () => [client],
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    destroy: () => client.destroy(),
  };
}

async function cluster({ urls, tls }: TargetOf<'cluster'>, onError: (error: Error) => void): Promise<Transport> {
  const first = new URL(urls[0] as string);
  const credentials = first.password === '' ? {} : { password: decodeURIComponent(first.password) };
  const client = createCluster({
    rootNodes: urls.map((url) => ({ url })),
    defaults: { ...OPTIONS, ...credentials, socket: socketOf(tls) },
    commandOptions: COMMAND_OPTIONS,
    topologyRefreshOnReconnectionAttemptStrategy: REDISCOVER_MS,
    // A node that hangs is nobody's concern but of those who need it.
    minimizeConnections: true,
  });
  client.on('error', onError);
  client.on('node-error', onError);
  await connected(client);
  return {
    send: (key, args) => client.sendCommand(key, false, args as string[]),
    masters: () => Promise.all(client.masters.map((node) => client.nodeClient(node))),
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    destroy: () => client.destroy(),
  };
}

async function sentinel(
  { group, sentinels, password, sentinelPassword, tls }: TargetOf<'sentinel'>,
  onError: (error: Error) => void,
): Promise<Transport> {
  const client = createSentinel({
    name: group,
    sentinelRootNodes: [...sentinels],
    nodeClientOptions: { ...OPTIONS, socket: socketOf(tls), ...(password === undefined ? {} : { password }) },
    sentinelClientOptions: {
      socket: socketOf(tls),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    },
    commandOptions: COMMAND_OPTIONS,
    scanInterval: RECONNECT_MS_MAX,
  });
  client.on('error', onError);
  await connected(client);
  const node = { sendCommand: (args: string[]) => client.sendCommand(false, args) };
  return {
    send: (_key, args) => client.sendCommand(false, args as string[]),
    masters: async () => [node],
    subscribe: (channel, listener) => client.subscribe(channel, listener),
    destroy: () => client.destroy(),
  };
}

/**
 * The first connection must succeed in time; later ones are tried for ever. A refused password is told at once, and so
 * is a certificate that we refuse, for trying again does not help.
 */
async function connected(client: {
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let last: Error | undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => {
      last = error;
      if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(error.message) || isUntrusted(error)) reject(error);
    });
    timer = setTimeout(() => reject(last ?? new Error(`no answer within ${REPLY_MS_MAX} ms`)), REPLY_MS_MAX);
  });
  try {
    await Promise.race([client.connect(), failed]);
  } catch (error) {
    client.destroy();
    throw last ?? error;
  } finally {
    clearTimeout(timer);
  }
}

class NodeRedisConnection implements RedisConnection {
  readonly #connect: () => Promise<Transport>;
  readonly #onError: (error: Error) => void;
  readonly #subscriptions: { channel: string; listener: (message: string) => void }[] = [];
  readonly #deadlines = new ReplyDeadlines(REPLY_MS_MAX, () => void this.#replace());
  #transport: Transport | null = null;
  #closed = false;

  constructor(connect: () => Promise<Transport>, onError: (error: Error) => void) {
    this.#connect = connect;
    this.#onError = onError;
  }

  async open(): Promise<void> {
    this.#transport = await this.#connect();
  }

  send(key: string, args: readonly string[]): Promise<RedisReply> {
    if (this.#transport === null) return Promise.reject(new RedisRefused('there is no connection'));
    return this.#bounded(this.#transport.send(key, args));
  }

  async masters(): Promise<RedisNode[]> {
    if (this.#transport === null) throw new RedisRefused('there is no connection');
    const nodes = await this.#transport.masters();
    return nodes.map((node) => ({ send: (args) => this.#bounded(node.sendCommand(args as string[])) }));
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    this.#subscriptions.push({ channel, listener });
    await this.#transport?.subscribe(channel, listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#deadlines.close();
    this.#transport?.destroy();
    this.#transport = null;
  }

  #bounded(reply: Promise<unknown>): Promise<RedisReply> {
    const bound = this.#deadlines.bound(
      reply as Promise<RedisReply>,
      () => new RedisUnanswered(`nothing came within ${REPLY_MS_MAX} ms`),
    );
    return bound.catch((error: unknown) => {
      throw classified(error as Error);
    });
  }

  /** A connection that says nothing may be half open: it is left, and a new one made. */
  async #replace(): Promise<void> {
    const silent = this.#transport;
    if (silent === null) return;
    this.#transport = null;
    silent.destroy();
    while (!this.#closed && this.#transport === null) {
      try {
        const transport = await this.#connect();
        for (const { channel, listener } of this.#subscriptions) await transport.subscribe(channel, listener);
        if (this.#closed) transport.destroy();
        else this.#transport = transport;
      } catch (error) {
        this.#onError(error as Error);
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS_MAX));
      }
    }
  }
}

function classified(error: Error): Error {
  if (error instanceof RedisUnanswered || error instanceof TypeError) return error;
  if (error instanceof ErrorReply) return REFUSALS.test(error.message) ? new RedisRefused(error.message) : error;
  return NEVER_SENT.has(error.constructor.name)
    ? new RedisRefused(error.message || error.constructor.name)
    : new RedisUnanswered(error.message || error.constructor.name);
}
