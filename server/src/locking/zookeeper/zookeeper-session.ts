import zookeeper, { type Client, type Failure, type Stat } from 'node-zookeeper-client';
import { answerWithin } from '../lease-time.ts';
import { LockUnavailable } from '../lock.ts';

const RECONNECT_MS_MAX = 500;

export interface ZookeeperServers {
  /** `host:port,host:port`, and a path behind it for a part of the tree. */
  connection: string;
  /** Asked for; the server may settle on another. */
  sessionTimeoutMs: number;
}

/** A node that was found. */
export interface FoundNode {
  data: string;
  /** Counts all changes of the ensemble: a node made later has a greater one. */
  createdZxid: number;
}

/**
 * One session: it survives lost connections and ends for good when the servers have not heard of it for its time-out.
 * The client leaves three things to us: calls that wait for a connection are never answered when it does not come, a
 * connection that is open and silent is kept for ever (a server that has just started takes some and never answers), and
 * it tries for ever where a server's data are older than what this session has seen. So each call ends after a while, and
 * its connection with it if it was silent; a session that was silent for its time-out is given up.
 */
export class ZookeeperSession {
  readonly timeoutMs: number;
  readonly #client: Client;
  readonly #connection: string;
  readonly #watched = new Map<string, Promise<void>>();
  #over = false;
  #silentSinceMs: number | null = null;

  private constructor(client: Client, connection: string) {
    this.#client = client;
    this.#connection = connection;
    this.timeoutMs = client.getSessionTimeout();
    client.once('expired', () => this.close());
    client.once('authenticationFailed', () => this.close());
  }

  /** @throws LockUnavailable when no server answers within the session's time-out. */
  static async open({ connection, sessionTimeoutMs }: ZookeeperServers): Promise<ZookeeperSession> {
    const client = zookeeper.createClient(connection, {
      sessionTimeout: sessionTimeoutMs,
      spinDelay: RECONNECT_MS_MAX,
      retries: 0,
    });
    const connected = new Promise<void>((resolve) => client.once('connected', resolve));
    client.connect();
    try {
      await answerWithin(connected, sessionTimeoutMs, () =>
        unavailable(connection, `no answer in ${sessionTimeoutMs} ms`),
      );
    } catch (error) {
      client.close();
      throw error;
    }
    return new ZookeeperSession(client, connection);
  }

  /** Ended for good: every ephemeral node of it is gone, or is about to be. */
  get over(): boolean {
    return this.#over;
  }

  async makeParents(path: string): Promise<void> {
    await this.#call<void>((done) => this.#client.mkdirp(path, done));
  }

  /** Makes an ephemeral node whose name ends with the next number of its parent. Null when there is no parent. */
  createInLine(pathPrefix: string, data: string): Promise<string | null> {
    const { EPHEMERAL_SEQUENTIAL } = zookeeper.CreateMode;
    return this.#orNone<string>((done) =>
      this.#client.create(pathPrefix, Buffer.from(data), EPHEMERAL_SEQUENTIAL, done),
    );
  }

  /** Null when there is no parent. */
  children(path: string): Promise<string[] | null> {
    return this.#orNone<string[]>((done) => this.#client.getChildren(path, done));
  }

  async node(path: string): Promise<FoundNode | null> {
    const found = await this.#orNone<{ data: Buffer; stat: Stat }>((done) =>
      this.#client.getData(path, (failure, data, stat) => done(failure, { data, stat })),
    );
    if (found === null) return null;
    const createdZxid = Number(found.stat.czxid.readBigUInt64BE());
    if (!Number.isSafeInteger(createdZxid))
      throw new RangeError(`the zxid of ${path} is too great for a fencing token`);
    return { data: found.data.toString(), createdZxid };
  }

  /** Resolves when the node is gone, or something else happened to it; also when it is gone already. */
  async gone(path: string): Promise<void> {
    const watched = this.#watched.get(path);
    // One watch for all who wait, for the client cannot take one back.
    if (watched !== undefined) return watched;
    const { promise, resolve } = Promise.withResolvers<void>();
    const fired = promise.finally(() => this.#watched.delete(path));
    this.#watched.set(path, fired);
    try {
      const stat = await this.#call<Stat | null>((done) => this.#client.exists(path, resolve, done));
      if (stat === null) resolve();
    } catch (error) {
      resolve();
      throw error;
    }
    return fired;
  }

  /** False when there is no such node. */
  async remove(path: string): Promise<boolean> {
    return (await this.#orNone<true>((done) => this.#client.remove(path, (failure) => done(failure, true)))) !== null;
  }

  close(): void {
    this.#over = true;
    this.#client.close();
  }

  async #orNone<T>(ask: (done: (failure: Failure, answer: T) => void) => void): Promise<T | null> {
    try {
      return await this.#call(ask);
    } catch (error) {
      if ((error as { cause?: { code?: number } }).cause?.code === zookeeper.Exception.NO_NODE) return null;
      throw error;
    }
  }

  async #call<T>(ask: (done: (failure: Failure, answer: T) => void) => void): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      ask((failure, value) => (failure ? reject(failure) : resolve(value)));
    });
    const answerMsMax = Math.ceil(this.timeoutMs / 3);
    const askedAtMs = performance.now();
    try {
      const value = await answerWithin(answer, answerMsMax, () => new Error(`no answer in ${answerMsMax} ms`));
      this.#silentSinceMs = null;
      return value;
    } catch (error) {
      const { code } = error as { code?: number };
      // The client connects again, to the same session.
      if (code === undefined) this.#client.connectionManager.socket?.destroy();
      this.#judge(code, askedAtMs);
      throw unavailable(this.#connection, (error as Error).message, error);
    }
  }

  #judge(code: number | undefined, askedAtMs: number): void {
    const { CONNECTION_LOSS, SESSION_EXPIRED } = zookeeper.Exception;
    if (this.#over) return;
    if (code === SESSION_EXPIRED) this.close();
    else if (code !== undefined && code !== CONNECTION_LOSS) this.#silentSinceMs = null;
    else {
      this.#silentSinceMs ??= askedAtMs;
      if (performance.now() - this.#silentSinceMs > this.timeoutMs) this.close();
    }
  }
}

function unavailable(connection: string, why: string, cause?: unknown): LockUnavailable {
  return new LockUnavailable(`The ZooKeeper at ${connection} cannot be asked for locks: ${why}`, { cause });
}
