import type { LoadShape } from './closed-loop.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  /** May hold `OPERATION_ID_PLACE` once; each request gets an id of its own there. */
  body: string | null;
}

/** As long as the ids that take its place. */
export const OPERATION_ID_PLACE = '00000000-0000-0000-0000-000000000000';

export interface HttpLoad {
  port: number;
  request: HttpRequest;
  expectedStatus: number;
  shape: LoadShape;
}

/** The request as it goes over the wire. */
export function textOf({ method, path, headers, body }: HttpRequest): string {
  const all: Record<string, string> = { host: '127.0.0.1', ...headers };
  if (body !== null) all['content-length'] = String(body.length);
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}
