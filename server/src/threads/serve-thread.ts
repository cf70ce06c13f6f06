import { parentPort } from 'node:worker_threads';
import type { ThreadAnswer, ThreadCall } from './thread-client.ts';

type Handlers = Record<string, (...args: never[]) => unknown>;

/** An answer whose buffers go over to the caller instead of being copied: the thread has them no more. */
export class Moved {
  readonly value: unknown;
  readonly buffers: ArrayBuffer[];

  constructor(value: unknown, buffers: ArrayBuffer[]) {
    this.value = value;
    this.buffers = buffers;
  }
}

/** Serves calls of a `ThreadClient`. `close` is called last and may be left out. */
export function serveThread(handlers: Handlers): void {
  const port = parentPort;
  if (port === null) throw new Error('this module runs in a worker thread');
  port.on('message', async ({ id, method, args }: ThreadCall) => {
    const answered = await answer(handlers, id, method, args);
    if ('value' in answered && answered.value instanceof Moved) {
      const { value, buffers } = answered.value;
      port.postMessage({ id, value } satisfies ThreadAnswer, buffers);
    } else port.postMessage(answered);
  });
}

async function answer(handlers: Handlers, id: number, method: string, args: unknown[]): Promise<ThreadAnswer> {
  try {
    const handler = handlers[method];
    if (handler === undefined && method !== 'close') throw new Error(`the thread has no function ${method}`);
    return { id, value: await handler?.(...(args as never[])) };
  } catch (error) {
    const { name, message } = error as Error;
    return { id, error: { name, message, code: (error as { code?: string }).code } };
  }
}
