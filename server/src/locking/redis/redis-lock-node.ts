import { answerWithin } from '../lease-time.ts';
import { type LeaseRequest, type LockHolder, LockUnavailable } from '../lock.ts';
import { LOCK_PREFIX } from '../lock-key.ts';
import { EXTEND, HOLDER, RAISE, RELEASE, TAKE } from './lock-scripts.ts';

const SCAN_COUNT = 1_000;

/** A client of a Redis, of a Sentinel group or of a Cluster: what runs scripts. */
export interface ScriptClient {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** A client of one server, whose keys can be walked. */
export interface KeyspaceClient {
  scan(cursor: string, options: { MATCH: string; COUNT: number }): Promise<{ cursor: string; keys: string[] }>;
}

export interface RedisLockServer {
  /** As errors name it; without a password. */
  name: string;
  client: ScriptClient;
  /** The servers whose keys together are all keys: the one itself, or every master of a Cluster. */
  keyspaces(): Promise<readonly KeyspaceClient[]>;
  /** Ends the connections at once. */
  close(): void;
}

type Owned = Pick<LeaseRequest, 'key' | 'value'>;

/** The locks of one Redis: each question has one answer within a time, or none. */
export class RedisLockNode {
  readonly #server: RedisLockServer;
  readonly #answerMsMax: number;

  constructor(server: RedisLockServer, answerMsMax: number) {
    this.#server = server;
    this.#answerMsMax = answerMsMax;
  }

  /** The fencing token; null when somebody else holds it. A repetition with the same value finds its own lease. */
  async take({ key, value, ttlMs }: Owned & { ttlMs: number }): Promise<number | null> {
    const token = await this.#run(TAKE, key, [value, String(ttlMs)]);
    return token === null ? null : Number(token);
  }

  async extend({ key, value }: Owned, ttlMs: number): Promise<boolean> {
    return (await this.#run(EXTEND, key, [value, String(ttlMs)])) === 1;
  }

  async release({ key, value }: Owned): Promise<boolean> {
    return (await this.#run(RELEASE, key, [value])) === 1;
  }

  async raise({ key, value }: Owned, fencingToken: number): Promise<boolean> {
    return (await this.#run(RAISE, key, [value, String(fencingToken)])) === 1;
  }

  async holders(): Promise<LockHolder[]> {
    const keys = await this.#keys();
    const holders = await Promise.all(keys.map((key) => this.#holder(key)));
    return holders.filter((holder) => holder !== null);
  }

  close(): void {
    this.#server.close();
  }

  async #holder(key: string): Promise<LockHolder | null> {
    const found = (await this.#run(HOLDER, key, [])) as [string, number] | null;
    if (found === null) return null;
    const [value, remainingMs] = found;
    return { key, value, remainingMs };
  }

  async #keys(): Promise<string[]> {
    const keys = new Set<string>();
    for (const keyspace of await this.#server.keyspaces()) {
      let cursor = '0';
      do {
        const asked = keyspace.scan(cursor, { MATCH: `${LOCK_PREFIX}*`, COUNT: SCAN_COUNT });
        const page = await this.#answered(asked);
        for (const key of page.keys) keys.add(key);
        cursor = page.cursor;
      } while (cursor !== '0');
    }
    return [...keys].sort();
  }

  #run(script: string, key: string, args: string[]): Promise<unknown> {
    // The braces make both keys one slot of a Cluster: a key without braces has the slot of its whole text.
    return this.#answered(this.#server.client.eval(script, { keys: [key, `{${key}}:fence`], arguments: args }));
  }

  async #answered<T>(asked: Promise<T>): Promise<T> {
    const { name } = this.#server;
    try {
      return await answerWithin(asked, this.#answerMsMax, () => new Error(`no answer in ${this.#answerMsMax} ms`));
    } catch (error) {
      throw new LockUnavailable(`The Redis at ${name} cannot be asked for locks: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
