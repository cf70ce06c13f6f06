/** Counts of one store are computed one after the other; what is right does not depend on it. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeLock } from '../../src/locking/lock-key.ts';
import { TestServer } from './support/test-server.ts';

describe('a stock-take', () => {
  let server: TestServer;
  let countedAt: string;

  beforeAll(async () => {
    server = await TestServer.start();
    await server.stockUp();
    await delay(5);
    countedAt = new Date().toISOString();
    await delay(5);
  });

  afterAll(() => server.stop());

  const count = (transactionId: string) =>
    server.ask('POST', '/api/v1/admin/inventory/count', {
      body: {
        storeId: 'STORE001',
        countedAt,
        items: [{ productId: 'PRD001', counted: 98 }],
        reason: 'count',
        transactionId,
      },
    });

  async function metric(name: string): Promise<number> {
    const text = await server.application.telemetry.registry.metrics();
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  }

  it('waits for another one of its store, and is booked', async () => {
    const acquisition = await server.application.locks.acquire([storeLock('HQ001', 'STORE001')]);
    if (acquisition.status !== 'held') throw new Error('it is held by somebody else');
    const answer = count('count-1');
    expect(await Promise.race([answer.then(() => 'answered'), delay(50, 'waiting')])).toBe('waiting');
    await acquisition.held.release();
    expect((await answer).status).toBe(200);
    expect(await server.application.locks.lock.holders()).toEqual([]);
    expect(await metric('holdfast_lock_contentions_total\\{kind="store"\\}')).toBe(1);
  });

  it('is booked though the lock stays with somebody else', async () => {
    const acquisition = await server.application.locks.acquire([storeLock('HQ001', 'STORE001')]);
    if (acquisition.status !== 'held') throw new Error('it is held by somebody else');
    expect((await count('count-2')).status).toBe(200);
    expect(acquisition.held.held).toBe(true);
    await acquisition.held.release();
  });

  it('holds nothing afterwards, also when it is refused', async () => {
    countedAt = '2026-01-01T00:00:00.000Z';
    expect((await count('count-3')).status).toBe(409);
    expect(await server.application.locks.lock.holders()).toEqual([]);
  });
});
