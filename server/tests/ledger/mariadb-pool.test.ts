/** Connections are shared fairly, given back whatever happens, and nobody waits for ever. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { LedgerUnavailable } from '../../src/ledger/ledger.ts';
import { MariadbPool } from '../../src/ledger/mariadb/mariadb-pool.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';

const WAIT_MS_MAX = 10_000;

describeWith(['mariadb'], 'connections to MariaDB', () => {
  let server: MariadbTestServer;
  let pool: MariadbPool;

  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    pool = new MariadbPool(server.access, { autocommit: true, connectionsMax: 2 });
  });
  afterEach(() => pool.close());

  const threadId = (holdMs = 0) =>
    pool.use(async (connection) => {
      await delay(holdMs);
      return connection.threadId;
    });

  it('serve any number of callers, no more of them at once than there may be', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => threadId(5)));
    expect(new Set(ids).size).toBe(2);
  });

  it('are not lost by callers that gave up waiting, nor by work that fails', async () => {
    const holding = [threadId(400), threadId(400)];
    const late = Promise.allSettled([pool.read('select 1', [], 50), pool.read('select 2', [], 50)]);
    const patient = threadId();
    for (const outcome of await late) expect(outcome).toMatchObject({ reason: expect.any(LedgerUnavailable) });
    await Promise.all([...holding, patient]);
    const fails = Array.from({ length: 6 }, () => pool.read('select nonsense').catch(() => 'failed'));
    expect(await Promise.all(fails)).toEqual(Array.from({ length: 6 }, () => 'failed'));
    expect(await Promise.all([threadId(), threadId(), threadId()])).toHaveLength(3);
  });

  it('are refused to all who wait while the server is away, and there again at once when it is back', async () => {
    await threadId();
    await server.kill();
    const startedAt = performance.now();
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => pool.read('select 1')));
    expect(performance.now() - startedAt).toBeLessThan(WAIT_MS_MAX);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(LedgerUnavailable) });
    await server.start();
    expect(await Promise.all(Array.from({ length: 12 }, () => pool.read('select 1')))).toHaveLength(12);
  });

  it('are cut off when a statement takes too long', async () => {
    await expect(pool.read('select sleep(60)', [], 200)).rejects.toThrow(LedgerUnavailable);
    expect(await threadId()).toBeGreaterThan(0);
  });
});
