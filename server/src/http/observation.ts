/** What is kept of each request: figures for all, a line in the log for those that failed or were slow. */
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Logger } from 'pino';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SLOW_MS = 1_000;

interface Series {
  buckets: number[];
  count: number;
  sum: number;
}

/**
 * Durations by method, route and status. Kept by hand, for a library's labels cost as much as a tenth of a request;
 * written in Prometheus' text format when asked.
 */
export class RequestFigures {
  readonly #series = new Map<string, Map<number, Series>>();

  observe(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route}`;
    let byStatus = this.#series.get(key);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.#series.set(key, byStatus);
    }
    let series = byStatus.get(status);
    if (series === undefined) {
      series = { buckets: SECONDS.map(() => 0), count: 0, sum: 0 };
      byStatus.set(status, series);
    }
    series.count += 1;
    series.sum += seconds;
    const bucket = SECONDS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
  }

  text(): string {
    const name = 'holdfast_http_request_seconds';
    const lines = [`# HELP ${name} Time to answer a request, by route and status`, `# TYPE ${name} histogram`];
    for (const [key, byStatus] of this.#series) {
      const [method, route] = key.split(' ');
      for (const [status, series] of byStatus) {
        const labels = `method="${method}",route="${route}",status="${status}"`;
        let cumulative = 0;
        for (const [index, bound] of SECONDS.entries()) {
          cumulative += series.buckets[index] ?? 0;
          lines.push(`${name}_bucket{${labels},le="${bound}"} ${cumulative}`);
        }
        lines.push(`${name}_bucket{${labels},le="+Inf"} ${series.count}`);
        lines.push(`${name}_sum{${labels}} ${series.sum}`, `${name}_count{${labels}} ${series.count}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }
}

export interface Observers {
  figures: RequestFigures;
  log: Logger;
  /** Log every request, not only those that failed or were slow. */
  accessLog: boolean;
  /** Requests refused for want of a token or a right. */
  denied: (status: number) => void;
}

export function observation({ figures, log, accessLog, denied }: Observers) {
  return (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    const { statusCode } = reply;
    const durationMs = reply.elapsedTime;
    figures.observe(request.method, request.routeOptions.url ?? 'none', statusCode, durationMs / 1_000);
    const refused = statusCode === 401 || statusCode === 403;
    if (refused) denied(statusCode);
    // Who asks for health knows the answer; while it starts or stops that would fill the log.
    const failed = statusCode >= 500 && request.routeOptions.config.open !== true;
    if (accessLog || refused || failed || durationMs > SLOW_MS) {
      const line = {
        requestId: request.id,
        method: request.method,
        url: request.url,
        status: statusCode,
        durationMs: Math.round(durationMs * 10) / 10,
        address: request.ip,
        ...(request.caller === null ? {} : { subject: request.caller.subject, role: request.caller.role }),
      };
      if (failed) log.warn(line, 'request failed');
      else if (refused) log.warn(line, 'request denied');
      else log.info(line, durationMs > SLOW_MS ? 'slow request' : 'request');
    }
    done();
  };
}
