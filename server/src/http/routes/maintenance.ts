/** What the command line asks of a running server: proofs and rebuilding, with their progress as NDJSON. */
import { PassThrough } from 'node:stream';
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { strict } from '../schemas.ts';
import { callerOf, requireRight } from '../scope.ts';
import { Problem } from '../problems.ts';
import type { Service } from '../service.ts';

const VerifyBody = strict({ head: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) });
const RebuildBody = strict({ projection: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })) });

const PROGRESS_MS = 200;

export function maintenanceRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/api/v1/admin/maintenance/verify',
      { schema: { hide: true, body: VerifyBody } },
      (request, reply) => {
        requireInstallation(request);
        const { head } = request.body;
        const { running } = service;
        return streamed(reply, request, (onProgress) =>
          running.verify(head === undefined ? { onProgress } : { head, onProgress }),
        );
      },
    );
    app.post(
      '/api/v1/admin/maintenance/rebuild',
      { schema: { hide: true, body: RebuildBody } },
      (request, reply) => {
        requireInstallation(request);
        const { running } = service;
        return streamed(reply, request, (onProgress) => running.rebuild(request.body.projection ?? null, onProgress));
      },
    );
    done();
  };
}

function requireInstallation(request: FastifyRequest): void {
  const caller = callerOf(request);
  requireRight(caller, 'maintain');
  if (caller.hqId !== null || caller.storeId !== null) {
    throw new Problem('FORBIDDEN', 'This concerns the whole installation: the token must see every HQ.');
  }
}

type OnProgress = (done: number, total: number) => void;

/** Lines of JSON: `{ progress: { done, total } }` …, at last `{ result }` or `{ error }`. */
function streamed(
  reply: FastifyReply,
  request: FastifyRequest,
  work: (onProgress: OnProgress) => Promise<unknown>,
): FastifyReply {
  const stream = new PassThrough();
  const write = (line: object) => stream.write(`${JSON.stringify(line)}\n`);
  let lastAt = 0;
  work((done, total) => {
    if (Date.now() - lastAt < PROGRESS_MS) return;
    lastAt = Date.now();
    write({ progress: { done, total } });
  })
    .then((result) => write({ result }))
    .catch((error: Error) => {
      request.log.error({ err: error, requestId: request.id }, 'maintenance failed');
      write({ error: error.message });
    })
    .finally(() => stream.end());
  return reply.type('application/x-ndjson').send(stream);
}
