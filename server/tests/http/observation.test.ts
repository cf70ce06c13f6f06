/** What the log tells of requests when there are too many of them to tell of each. */
import type { FastifyRequest } from 'fastify';
import { pino } from 'pino';
import { expect, it, vi } from 'vitest';
import { observation, RequestFigures } from '../../src/http/observation.ts';

interface Line {
  msg: string;
  leftOut?: number;
}

function observed() {
  const lines: Line[] = [];
  const log = pino({}, { write: (text: string) => lines.push(JSON.parse(text) as Line) });
  const figures = new RequestFigures();
  const route = { method: 'POST' as const, url: '/reserve', handler: () => undefined };
  const tell = observation({ figures, log, accessLog: false, denied: () => undefined }, route);
  const answer = (status: number, elapsedMs = 1) => {
    const startedAt = performance.now() - elapsedMs;
    const request = { id: 'r', method: 'POST', url: '/reserve', ip: '127.0.0.1', caller: null, startedAt };
    tell(request as FastifyRequest, status);
  };
  return { lines, figures, answer };
}

it('writes few lines of an overload, says how many it left out, and counts all of it', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { lines, figures, answer } = observed();
    for (let count = 0; count < 1_000; count += 1) {
      answer(503);
      answer(401);
      answer(201, 2_000);
      answer(201);
    }
    const told = (text: string) => lines.filter(({ msg }) => msg === text).length;
    expect([told('request failed'), told('request denied'), told('slow request'), lines.length]).toEqual([
      10, 10, 10, 30,
    ]);
    vi.advanceTimersByTime(1_000);
    answer(503);
    expect(lines.at(-1)).toMatchObject({ msg: 'request failed', leftOut: 990 });
    expect(figures.text()).toContain(
      'holdfast_http_request_seconds_count{method="POST",route="/reserve",status="503"} 1001',
    );
  } finally {
    vi.useRealTimers();
  }
});
