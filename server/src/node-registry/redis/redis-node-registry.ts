/**
 * Where the nodes of a cluster serve, for commands that go through a running server. Only to find one: what it says may
 * be some seconds old.
 */
import type { RedisConnection } from '../../stock/redis/redis-connection.ts';

const KEY = 'holdfast:nodes';
const RENEW_MS = 2_000;
const GONE_AFTER_MS = 3 * RENEW_MS;
/** Long enough that no clock is as far from another's. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

interface NodeRecord {
  node: string;
  url: string;
  /** When it said so, by its own clock. */
  at: number;
}

export class RedisNodeRegistry {
  readonly #connection: RedisConnection;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | null = null;
  #node: string | null = null;

  constructor(connection: RedisConnection, now: () => number) {
    this.#connection = connection;
    this.#now = now;
  }

  /** Says again and again that this node serves at the address, until it leaves. */
  announce(node: string, url: string): void {
    this.#node = node;
    const tell = () => {
      const record = JSON.stringify({ url, at: this.#now() });
      // Redis is away, or empty: the next one may be heard.
      this.#connection.send(KEY, ['HSET', KEY, node, record]).catch(() => undefined);
    };
    tell();
    // A node that died left its name behind, and its successor has another.
    this.#forgetGone().catch(() => undefined);
    this.#timer = setInterval(tell, RENEW_MS);
    this.#timer.unref();
  }

  async leave(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#node !== null) await this.#connection.send(KEY, ['HDEL', KEY, this.#node]).catch(() => undefined);
  }

  /** Addresses of nodes that were there a moment ago. Throws what `RedisConnection.send` throws. */
  async addresses(): Promise<string[]> {
    const records = await this.#records();
    return records.filter(({ at }) => this.#now() - at < GONE_AFTER_MS).map(({ url }) => url);
  }

  async #forgetGone(): Promise<void> {
    const gone = (await this.#records()).filter(({ at }) => this.#now() - at > FORGOTTEN_AFTER_MS);
    for (const { node } of gone) await this.#connection.send(KEY, ['HDEL', KEY, node]);
  }

  async #records(): Promise<NodeRecord[]> {
    const nodes = (await this.#connection.send(KEY, ['HKEYS', KEY])) as string[];
    if (nodes.length === 0) return [];
    const records = (await this.#connection.send(KEY, ['HMGET', KEY, ...nodes])) as (string | null)[];
    return nodes.flatMap((node, index) => {
      const record = records[index] ?? null;
      return record === null ? [] : [{ node, ...(JSON.parse(record) as Omit<NodeRecord, 'node'>) }];
    });
  }
}
