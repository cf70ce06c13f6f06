/** What the command line asks of a running server: proofs and rebuilding. Internal, and not on the API page. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { sendProgress } from '../ndjson.ts';
import { Problem } from '../problems.ts';
import { strict } from '../schemas.ts';
import { callerOf, requireRight } from '../scope.ts';
import type { Service } from '../service.ts';

const VerifyBody = strict({ head: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) });
const RebuildBody = strict({ projection: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })) });

interface EntriesDone {
  done: number;
  total: number;
}

export function maintenanceRoutes(service: Service): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/api/v1/admin/maintenance/verify',
      { config: { streams: true }, schema: { hide: true, body: VerifyBody } },
      (request, reply) => {
        requireInstallation(request);
        const { head } = request.body;
        const { running } = service;
        return sendProgress<EntriesDone>(reply, request, (tell) => {
          const onProgress = (entries: number, total: number) => tell({ done: entries, total });
          return running.verify(head === undefined ? { onProgress } : { head, onProgress });
        });
      },
    );
    app.post(
      '/api/v1/admin/maintenance/rebuild',
      { config: { streams: true }, schema: { hide: true, body: RebuildBody } },
      (request, reply) => {
        requireInstallation(request);
        const { running } = service;
        return sendProgress<EntriesDone>(reply, request, (tell) =>
          running.rebuild(request.body.projection ?? null, (entries, total) => tell({ done: entries, total })),
        );
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
