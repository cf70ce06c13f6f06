import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { sendProblem } from './errors.ts';
import { Problem } from './problems.ts';

/** Which methods each address takes: for 405, and for OPTIONS. Looked at only when no route was found. */
export class AddressTable {
  readonly #routes: { pattern: RegExp; methods: string[] }[] = [];

  add({ url, method }: RouteOptions): void {
    const methods = Array.isArray(method) ? method : [method];
    const pattern = url
      .split('/')
      .map((part) =>
        part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join('/');
    this.#routes.push({ pattern: new RegExp(`^${pattern}$`), methods });
  }

  /** Sorted; empty: there is no such address. */
  methodsOf(path: string): string[] {
    const found = this.#routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
    return found.length === 0 ? [] : [...new Set([...found, 'OPTIONS'])].sort();
  }
}

export function notFound(addresses: AddressTable) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-request-id', request.id);
    const [path = ''] = request.url.split('?');
    const methods = addresses.methodsOf(path);
    if (methods.length === 0) {
      sendProblem(reply, request.id, new Problem('NOT_FOUND', `There is nothing at ${path}.`));
      return;
    }
    reply.header('allow', methods.join(', '));
    if (request.method === 'OPTIONS') {
      reply.code(204).send();
      return;
    }
    const detail = `${path} takes ${methods.join(', ')}.`;
    sendProblem(reply, request.id, new Problem('METHOD_NOT_ALLOWED', detail));
  };
}
