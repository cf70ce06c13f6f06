/** What the engine needs of a Redis, whether it is one server, a Sentinel group or a Cluster. */
export type RedisReply = string | number | null | readonly RedisReply[];

/** One master. */
export interface RedisNode {
  send(args: readonly string[]): Promise<RedisReply>;
}

/**
 * Commands of one tick go out in one write, and replies come in order. Every command is answered or fails within
 * `REPLY_MS_MAX`. `send` throws `RedisRefused`, `RedisUnanswered`, or an `Error` with the server's own words.
 */
export interface RedisConnection {
  /** Sends to the master that holds the key. */
  send(key: string, args: readonly string[]): Promise<RedisReply>;
  masters(): Promise<RedisNode[]>;
  /** Messages may be lost while a connection is. */
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  close(): Promise<void>;
}

/** The command was not executed: it never left, or the server refuses all commands of its kind now. */
export class RedisRefused extends Error {
  constructor(reason: string) {
    super(`Redis did not take the command: ${reason}`);
    this.name = 'RedisRefused';
  }
}

/** The command left and no reply came: it may have been executed. */
export class RedisUnanswered extends Error {
  constructor(reason: string) {
    super(`Redis did not answer: ${reason}`);
    this.name = 'RedisUnanswered';
  }
}
