/**
 * Where the nodes of a cluster serve, for commands that go through a running server. Only to find one: what it says may
 * be some seconds old.
 */
import type { RedisConnection } from '../../stock/redis/redis-connection.ts';

const KEY = 'holdfast:nodes';
const RENEW_MS = 2_000;
const GONE_AFTER_MS = 3 * RENEW_MS;

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
    this.#timer = setInterval(tell, RENEW_MS);
    this.#timer.unref();
  }

  async leave(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#node !== null) await this.#connection.send(KEY, ['HDEL', KEY, this.#node]).catch(() => undefined);
  }

  /** Addresses of nodes that were there a moment ago. Throws what `RedisConnection.send` throws. */
  async addresses(): Promise<string[]> {
    const records = (await this.#connection.send(KEY, ['HVALS', KEY])) as string[];
    return records
      .map((record) => JSON.parse(record) as { url: string; at: number })
      .filter(({ at }) => this.#now() - at < GONE_AFTER_MS)
      .map(({ url }) => url);
  }
}
