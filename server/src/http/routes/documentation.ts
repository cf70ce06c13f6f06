/** The service describes itself: OpenAPI 3.1 from the same schemas that validate, and a page to read and try it. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, RouteOptions } from 'fastify';

const PAGE = '/docs';

const DESCRIPTION = `Stock reservation for shops and their headquarters.

Make a token with \`holdfast token --role admin\`. Every POST names its operation in the header \`Idempotency-Key\` or
the field \`transactionId\`: the same operation sent again has one effect and is answered the same, with
\`Idempotent-Replayed: true\`. Errors are \`application/problem+json\` with a stable \`code\`.`;

/** The page and its files are answered without a token. To be called before the hooks that look at `open`. */
export function openDocumentation(route: RouteOptions): void {
  if (route.url === PAGE || route.url.startsWith(`${PAGE}/`)) route.config = { ...route.config, open: true };
}

/** To be registered before all routes that it should describe. */
export async function registerDocumentation(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast', version: '0.1.0', description: DESCRIPTION },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ token: [] }],
    },
  });
  await app.register(swaggerUi, {
    routePrefix: PAGE,
    uiConfig: { persistAuthorization: true, docExpansion: 'list' },
  });
  const open = { open: true };
  const hidden = { hide: true };
  app.get('/openapi.json', { config: open, schema: hidden }, (_request, reply) => reply.send(app.swagger()));
  app.get('/', { config: open, schema: hidden }, (_request, reply) => reply.redirect(PAGE));
  app.get('/swagger-ui.html', { config: open, schema: hidden }, (_request, reply) => reply.redirect(PAGE));
}
