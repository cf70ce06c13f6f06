/** How often a token subject is let in, and that nobody pays for another's requests. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RateLimit } from '../../src/http/rate-limit.ts';
import { TestServer } from './support/test-server.ts';

describe('a bucket', () => {
  it('lets in one second of requests at once, and then the rate', () => {
    let now = 5_000;
    const limit = new RateLimit(3, () => now);
    const take = () => limit.take('till');
    expect([take(), take(), take()]).toEqual([0, 0, 0]);
    expect(take()).toBeCloseTo(1_000 / 3);
    now += 400;
    expect(take()).toBe(0);
    expect(take()).toBeGreaterThan(0);
    now += 10_000;
    expect([take(), take(), take()]).toEqual([0, 0, 0]);
    expect(take()).toBeGreaterThan(0);
  });

  it('never lets in more than the rate and one burst, and lets in who waits as told', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), steps, (perSecond, waits) => {
        let now = 0;
        let admitted = 0;
        const limit = new RateLimit(perSecond, () => now);
        for (const waitMs of waits) {
          now += waitMs;
          const refusedMs = limit.take('till');
          if (refusedMs > 0) {
            now += refusedMs;
            expect(limit.take('till')).toBe(0);
          }
          admitted += 1;
          expect(admitted).toBeLessThanOrEqual(perSecond + (now / 1_000) * perSecond + 1e-3);
        }
      }),
    );
  });

  it('of each subject is its own, and is forgotten when it is full again', () => {
    let now = 0;
    const limit = new RateLimit(1, () => now);
    for (let subject = 0; subject < 30_000; subject += 1) {
      expect(limit.take(`till-${subject}`)).toBe(0);
      now += 1;
    }
    expect(limit.take('till-29999')).toBeGreaterThan(0);
    expect(limit.take('till-0')).toBe(0);
  });
});

describe('a server with a rate limit', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(undefined, 2);
  });
  afterAll(() => server.stop());

  it('refuses what is too often, before the body is read, and answers health all the while', async () => {
    const body = JSON.stringify({ padding: 'x'.repeat(257 * 1024) });
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1)
      statuses.push((await server.ask('POST', '/api/v1/inventory/reserve', { body })).status);
    expect(statuses).toEqual([413, 413, 429, 429, 429]);
    const other = await server.token('viewer', 'HQ002');
    expect((await server.ask('GET', '/api/v1/stock', { token: other })).status).toBe(200);
    for (let count = 0; count < 5; count += 1) expect((await server.ask('GET', '/health/live')).status).toBe(200);
  });

  it('asks for a token first', async () => {
    for (let count = 0; count < 5; count += 1)
      expect((await server.ask('GET', '/api/v1/stock', { token: null })).status).toBe(401);
  });
});
