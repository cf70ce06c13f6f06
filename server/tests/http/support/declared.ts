/** Holds every reply against what the API page says of its route: status, media type and shape. */
import Schema from 'typebox/schema';

interface Media {
  schema: object;
}
interface Operation {
  responses: Record<string, { content?: Record<string, Media> }>;
  parameters?: { name: string; in: string; required?: boolean; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, Media> };
}

export interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

export interface DeclaredRoute {
  method: string;
  /** As the page has it: `/api/v1/inventory/{skuId}`. */
  path: string;
  operation: Operation;
}

interface Reply {
  status: number;
  type: string;
  text: string;
}

type Check = (value: unknown) => string | null;

export class Declared {
  readonly routes: DeclaredRoute[];
  readonly #checks = new Map<string, Check>();

  constructor(document: OpenApi) {
    this.routes = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
  }

  /** Literal parts win over parameters, as in the router. */
  find(method: string, url: string): DeclaredRoute | undefined {
    const [path = ''] = url.split('?');
    const parts = path.split('/');
    const fitting = this.routes.filter((route) => route.method === method && fits(route.path.split('/'), parts));
    return fitting.toSorted((one, other) => parameters(one.path) - parameters(other.path))[0];
  }

  /** What the reply breaks; null: nothing, or its address is not on the page. */
  breach(method: string, url: string, { status, type, text }: Reply): string | null {
    const route = this.find(method, url);
    if (route === undefined) return null;
    const response = route.operation.responses[status];
    const name = `${method} ${route.path}`;
    if (response === undefined) return `${name} answered ${status}, which it does not declare: ${text}`;
    const [mediaType = ''] = type.split(';');
    const media = response.content?.[mediaType];
    if (media === undefined) return `${name} answered ${status} as "${type}", which it does not declare`;
    if (!mediaType.includes('json')) return null;
    const found = this.#check(`${name} ${status}`, media.schema)(JSON.parse(text));
    return found === null ? null : `${name} answered ${status} with a body unlike its schema: ${found}\n${text}`;
  }

  #check(key: string, schema: object): Check {
    const known = this.#checks.get(key);
    if (known !== undefined) return known;
    const compiled = Schema.Compile(schema);
    const check: Check = (value) =>
      compiled.Check(value) ? null : JSON.stringify(compiled.Errors(value)[1].slice(0, 3));
    this.#checks.set(key, check);
    return check;
  }
}

function parameters(path: string): number {
  return path.split('{').length;
}

function fits(pattern: readonly string[], parts: readonly string[]): boolean {
  return (
    pattern.length === parts.length &&
    pattern.every((part, index) => (part.startsWith('{') ? parts[index] !== '' : part === parts[index]))
  );
}
