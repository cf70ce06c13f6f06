/** Long work whose progress is told while it goes on, as lines of JSON (`application/x-ndjson`). */
import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

const PROGRESS_MS = 200;

/** Lines `{ "progress": … }` …, at last `{ "result": … }` or `{ "error": … }`: the status is sent before the work is done. */
export function sendProgress<Progress>(
  reply: FastifyReply,
  request: FastifyRequest,
  work: (onProgress: (progress: Progress) => void) => Promise<unknown>,
): FastifyReply {
  const stream = new PassThrough();
  const write = (line: object) => stream.write(`${JSON.stringify(line)}\n`);
  waitAsLongAsItTakes(request);
  let lastAt = 0;
  work((progress) => {
    if (Date.now() - lastAt < PROGRESS_MS) return;
    lastAt = Date.now();
    write({ progress });
  })
    .then((result) => write({ result }))
    .catch((error: Error) => {
      request.log.warn({ err: error, requestId: request.id, url: request.url }, 'the work was not completed');
      write({ error: error.message });
    })
    .finally(() => stream.end());
  return reply.type('application/x-ndjson').send(stream);
}

/** Nothing may pass over the connection for a while. (A request that was injected has none that could time out.) */
export function waitAsLongAsItTakes(request: FastifyRequest): void {
  const { socket } = request.raw;
  if ('setTimeout' in socket) socket.setTimeout(0);
}
