/** Who records which partitions: fair shares, quick takeovers. Only MariaDB is shared by several recorders. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import { MariadbOwnership } from '../../src/ledger/mariadb/mariadb-ownership.ts';
import { PARTITION_COUNT } from '../../src/stock/limits.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';

const RENEW_EVERY_MS = 500;
const TAKEOVER_MS_MAX = 3_000;

describeWith(['mariadb'], 'ownership of partitions', () => {
  let server: MariadbTestServer;
  let ledger: MariadbLedger;
  const node = (id: string) => new MariadbOwnership(ledger.connections.writer, id);

  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    ledger = await MariadbLedger.open(await freshDatabase(server));
  });
  afterEach(async () => {
    vi.useRealTimers();
    await ledger.close();
  });

  /** Each renews in its turn until nothing changes any more; what each of them owns then. */
  async function settled(nodes: readonly MariadbOwnership[]): Promise<number[][]> {
    for (let round = 0; round < nodes.length; round += 1) for (const each of nodes) await each.renew();
    return Promise.all(nodes.map((each) => each.renew()));
  }

  it('gives one recorder everything, and several an equal share each, every partition to exactly one', async () => {
    const nodes = ['a', 'b', 'c'].map(node);
    expect(await settled(nodes.slice(0, 1))).toEqual([Array.from({ length: PARTITION_COUNT }, (_, index) => index)]);
    const two = await settled(nodes.slice(0, 2));
    expect(two.map(({ length }) => length)).toEqual([32, 32]);
    const three = await settled(nodes);
    expect(three.map(({ length }) => length).toSorted()).toEqual([20, 22, 22]);
    expect(new Set(three.flat()).size).toBe(PARTITION_COUNT);
  });

  it('shares out at once when all begin at the same time', async () => {
    const nodes = ['a', 'b', 'c', 'd'].map(node);
    await Promise.all(nodes.map((each) => each.renew()));
    const shares = await settled(nodes);
    expect(shares.map(({ length }) => length)).toEqual([16, 16, 16, 16]);
    expect(new Set(shares.flat()).size).toBe(PARTITION_COUNT);
  });

  it('hands over at once what a recorder leaves', async () => {
    const [a, b] = [node('a'), node('b')];
    await settled([a, b]);
    await a.leave();
    expect(await b.renew()).toHaveLength(PARTITION_COUNT);
  });

  it('hands over what a dead recorder had, within 3 s, and nothing of one that lives', async () => {
    const [dead, alive] = [node('dead'), node('alive')];
    await settled([dead, alive]);
    const lastRenewal = performance.now();
    let owned = await alive.renew();
    expect(owned).toHaveLength(32);
    let lateMs = 0;
    while (owned.length < PARTITION_COUNT && performance.now() - lastRenewal < 30_000) {
      const startedAt = performance.now();
      await delay(RENEW_EVERY_MS);
      owned = await alive.renew();
      lateMs += performance.now() - startedAt - RENEW_EVERY_MS;
    }
    // A busy machine renews more seldom than a recorder does.
    const tookMs = performance.now() - lastRenewal - lateMs;
    expect(owned).toHaveLength(PARTITION_COUNT);
    expect(tookMs).toBeGreaterThan(RENEW_EVERY_MS);
    expect(tookMs).toBeLessThan(TAKEOVER_MS_MAX);
    expect((await settled([dead, alive])).map(({ length }) => length)).toEqual([32, 32]);
  });

  it('goes by the clock of the database, not by that of a node', async () => {
    const [a, b] = [node('a'), node('b')];
    await settled([a, b]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    expect(await b.renew()).toHaveLength(32);
    vi.setSystemTime(Date.now() - 7_200_000);
    await b.renew();
    vi.useRealTimers();
    expect(await a.renew()).toHaveLength(32);
  });
});
