/** For those who run the service: health, metrics. Answered without a token. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { sendAnswer, success } from '../answer.ts';
import type { RequestFigures } from '../observation.ts';
import { textResponses } from '../schemas.ts';
import type { Service } from '../service.ts';

const Health = Type.Object({
  status: Type.Union([Type.Literal('UP'), Type.Literal('DOWN')]),
  reasons: Type.Optional(Type.Array(Type.String())),
  degraded: Type.Optional(Type.Array(Type.String())),
});

function healthResponses(...statuses: number[]): Record<string, unknown> {
  return Object.fromEntries(statuses.map((status) => [status, Health]));
}

const TAGS = ['Operations'];
const open = { open: true };

export function operationsRoutes(service: Service, figures: RequestFigures): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/health/live',
      {
        config: open,
        schema: { tags: TAGS, summary: 'Whether the process answers', security: [], response: healthResponses(200) },
      },
      (_request, reply) => sendAnswer(reply, success(200, '{"status":"UP"}')),
    );
    for (const path of ['/health/ready', '/actuator/health']) {
      app.get(
        path,
        {
          config: open,
          schema: {
            tags: TAGS,
            summary: 'Whether reservations can be made',
            security: [],
            response: healthResponses(200, 503),
          },
        },
        (_request, reply) => sendReadiness(service, reply),
      );
    }
    app.get(
      '/metrics',
      {
        config: open,
        schema: {
          tags: TAGS,
          summary: "Metrics in Prometheus' text format",
          security: [],
          response: textResponses('Metrics', 'text/plain'),
        },
      },
      async (_request, reply) => {
        const registry = service.application?.telemetry.registry;
        const metrics = registry === undefined ? '' : await registry.metrics();
        return reply.type('text/plain; version=0.0.4; charset=utf-8').send(metrics + figures.text());
      },
    );
    done();
  };
}

function sendReadiness(service: Service, reply: FastifyReply): void {
  const { ready, reasons, degraded } = service.readiness();
  const body = {
    status: ready ? 'UP' : 'DOWN',
    ...(reasons.length === 0 ? {} : { reasons }),
    ...(degraded.length === 0 ? {} : { degraded }),
  };
  sendAnswer(reply, success(ready ? 200 : 503, JSON.stringify(body)));
}
