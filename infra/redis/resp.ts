/** Asks a Redis server directly: for readiness and for setting up groups of servers, before any client could. */

import { connect } from 'node:net';

const ANSWER_MS_MAX = 2_000;

export type RedisReply = string | number | null | RedisReply[];

export interface RedisAddress {
  port: number;
  password: string | null;
}

/** The reply to each command. @throws when one is refused, or nothing answers in time. */
export function askRedis({ port, password }: RedisAddress, ...commands: string[][]): Promise<RedisReply[]> {
  const all = password === null ? commands : [['AUTH', password], ...commands];
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    const finish = (outcome: () => void) => {
      socket.destroy();
      outcome();
    };
    socket.setTimeout(ANSWER_MS_MAX, () =>
      finish(() => reject(new Error(`no answer from Redis on port ${port} within ${ANSWER_MS_MAX} ms`))),
    );
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('close', () => reject(new Error(`Redis on port ${port} closed the connection`)));
    socket.on('connect', () => socket.write(all.map(encode).join('')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      try {
        const replies = decode(Buffer.concat(chunks).toString('latin1'), all.length);
        if (replies) finish(() => resolve(replies.slice(all.length - commands.length)));
      } catch (error) {
        finish(() => reject(error as Error));
      }
    });
  });
}

function encode(command: string[]): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${command.length}\r\n${parts.join('')}`;
}

/** Undefined while some of the replies are still on their way. */
function decode(text: string, count: number): RedisReply[] | undefined {
  let at = 0;
  const line = (): string | undefined => {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  const reply = (): RedisReply | undefined => {
    const head = line();
    if (head === undefined) return undefined;
    const [kind, rest] = [head[0], head.slice(1)];
    if (kind === '-') throw new Error(`Redis refused: ${rest}`);
    if (kind === '+') return rest;
    if (kind === ':') return Number(rest);
    const length = Number(rest);
    if (length < 0) return null;
    if (kind === '*') return replies(length);
    if (text.length < at + length + 2) return undefined;
    at += length + 2;
    return text.slice(at - length - 2, at - 2);
  };
  const replies = (wanted: number): RedisReply[] | undefined => {
    const found: RedisReply[] = [];
    while (found.length < wanted) {
      const next = reply();
      if (next === undefined) return undefined;
      found.push(next);
    }
    return found;
  };
  return replies(count);
}
