/** What is kept of each request: figures for all, a line in the log for those that failed or were slow. */
import type { FastifyRequest, RouteOptions } from 'fastify';
import type { Logger } from 'pino';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers over a while; observed once the answer is at its end. */
    streams?: boolean;
  }
  interface FastifyRequest {
    /** By `performance.now`. */
    startedAt: number;
  }
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SLOW_MS = 1_000;
const SECOND_MS = 1_000;
/** Of one kind about one route. */
const LINES_PER_SECOND_MAX = 10;

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
  readonly #routes: { method: string; route: string; byStatus: Map<number, Series> }[] = [];

  /** Where the durations of one route go. */
  of(method: string, route: string): (status: number, seconds: number) => void {
    const byStatus = new Map<number, Series>();
    this.#routes.push({ method, route, byStatus });
    return (status, seconds) => {
      let series = byStatus.get(status);
      if (series === undefined) {
        series = { buckets: SECONDS.map(() => 0), count: 0, sum: 0 };
        byStatus.set(status, series);
      }
      add(series, seconds);
    };
  }

  text(): string {
    const name = 'holdfast_http_request_seconds';
    const lines = [`# HELP ${name} Time to answer a request, by route and status`, `# TYPE ${name} histogram`];
    for (const { method, route, byStatus } of this.#routes) {
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

function add(series: Series, seconds: number): void {
  series.count += 1;
  series.sum += seconds;
  for (let index = 0; index < SECONDS.length; index += 1) {
    if (seconds > (SECONDS[index] as number)) continue;
    series.buckets[index] = (series.buckets[index] as number) + 1;
    return;
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

/**
 * Tells of the requests of one route. A whole answer is observed when it is handed to the connection, which is cheaper
 * than to listen for its end.
 */
export function observe(observers: Observers, route: RouteOptions): void {
  const tell = observation(observers, route);
  if (route.config?.streams === true) {
    route.onResponse = (request, reply, done) => {
      tell(request, reply.statusCode);
      done();
    };
    return;
  }
  // A route for HEAD has a hook already: the one that leaves out the body.
  const others = [route.onSend ?? []].flat();
  route.onSend = [
    (request, reply, _payload, done) => {
      tell(request, reply.statusCode);
      done();
    },
    ...others,
  ];
}

/** What one route tells of its requests. Made once for each: to ask a request for its route costs as much as a header. */
export function observation(
  observers: Observers,
  route: RouteOptions,
): (request: FastifyRequest, status: number) => void {
  const { figures, log, accessLog, denied } = observers;
  const count = figures.of(String(route.method), route.url);
  // Who asks for health knows the answer; while the service starts or stops that would fill the log.
  const tellsFailures = route.config?.open !== true;
  const tellFailed = sparingly((line) => log.warn(line, 'request failed'));
  const tellDenied = sparingly((line) => log.warn(line, 'request denied'));
  const tellSlow = sparingly((line) => log.info(line, 'slow request'));
  return (request, status) => {
    const durationMs = performance.now() - request.startedAt;
    count(status, durationMs / 1_000);
    const refused = status === 401 || status === 403;
    if (refused) denied(status);
    if (status >= 500 && tellsFailures) tellFailed(request, status, durationMs);
    else if (refused) tellDenied(request, status, durationMs);
    else if (durationMs > SLOW_MS) tellSlow(request, status, durationMs);
    else if (accessLog) log.info(lineOf(request, status, durationMs), 'request');
  };
}

/**
 * The first lines of each second, and with the next one after it how many were left out: under an overload they would
 * come by the thousand, and whoever reads the log slowly would hold up the answers.
 */
function sparingly(write: (line: object) => void): (...about: Parameters<typeof lineOf>) => void {
  let beganAt = Number.NEGATIVE_INFINITY;
  let written = 0;
  let leftOut = 0;
  return (request, status, durationMs) => {
    const now = performance.now();
    if (now - beganAt >= SECOND_MS) {
      beganAt = now;
      written = 0;
    }
    if (written >= LINES_PER_SECOND_MAX) {
      leftOut += 1;
      return;
    }
    written += 1;
    const line = lineOf(request, status, durationMs);
    write(leftOut === 0 ? line : { ...line, leftOut });
    leftOut = 0;
  };
}

function lineOf(request: FastifyRequest, status: number, durationMs: number): object {
  const { id, method, url, ip, caller } = request;
  const who = caller === null ? {} : { subject: caller.subject, role: caller.role };
  return { requestId: id, method, url, status, durationMs: Math.round(durationMs * 10) / 10, address: ip, ...who };
}
