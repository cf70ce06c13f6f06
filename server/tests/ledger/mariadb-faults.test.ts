/** A ledger on a server and a network that fail: what is said of a batch is what became of it. */
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mariadb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { chainHash, genesisHash } from '../../src/ledger/chain.ts';
import { LedgerUnavailable } from '../../src/ledger/ledger.ts';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import type { SharedRecordResult } from '../../src/ledger/shared-ledger.ts';
import type { SharedHead } from '../../src/stock/shared-engine.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { type PairControl, TcpProxy } from '../support/tcp-proxy.ts';
import { recordOf } from './ledger-adapters.ts';

/** Twice what the longest call may take: a tried batch, then the question what became of its commit. */
const ANSWER_MS_MAX = 30_000;
const COMMIT = Buffer.from('\u0003commit');

describeWith(['mariadb'], 'ledger on MariaDB when things fail', () => {
  let server: MariadbTestServer;
  let access: MariadbAccess;
  let proxy: TcpProxy;
  let ledger: MariadbLedger;

  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    access = await freshDatabase(server);
    proxy = await TcpProxy.to(access);
    ledger = await MariadbLedger.open({ ...access, port: proxy.port });
  });
  afterEach(async () => {
    await ledger.close();
    await proxy.close();
  });

  async function headOf(partition: number): Promise<SharedHead> {
    return (await ledger.headsOf([partition]))[0] as SharedHead;
  }

  /** Does something to the connection that sends the next commit. */
  function atCommit(what: keyof PairControl): void {
    proxy.onClientData = (data, pair) => {
      if (!data.includes(COMMIT)) return;
      proxy.onClientData = null;
      pair[what]();
    };
  }

  it('rule 10: a commit whose answer is lost is found out to be recorded', async () => {
    const [three, nine] = [await headOf(3), await headOf(9)];
    atCommit('swallowAnswer');
    const result = await ledger.record([recordOf(nine, {}), recordOf(three, { operationId: 'b' })]);
    expect(result).toMatchObject({
      status: 'recorded',
      heads: [
        { partition: 9, seq: 1 },
        { partition: 3, seq: 1 },
      ],
    });
    expect(await ledger.entries(9, 0, 10)).toHaveLength(1);
  });

  it(
    'rule 10: a commit that never reached the server is found out to be rolled back, though the server holds its locks',
    async () => {
      const head = await headOf(3);
      atCommit('swallow');
      expect(await ledger.record([recordOf(head, {})])).toMatchObject({ status: 'rolled-back' });
      expect(await headOf(3)).toEqual(head);
      expect(await ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
    },
    ANSWER_MS_MAX,
  );

  it(
    'rule 10: a commit that reaches the server after its connection was lost is waited for',
    async () => {
      const head = await headOf(3);
      atCommit('deliverLate');
      expect(await ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
      expect((await headOf(3)).seq).toBe(1);
    },
    ANSWER_MS_MAX,
  );

  it('rule 10: a connection that is reset at its commit tells nothing by itself', async () => {
    const head = await headOf(3);
    atCommit('reset');
    const result = await ledger.record([recordOf(head, {})]);
    expect(result.status).toBe('rolled-back');
    expect((await headOf(3)).seq).toBe(0);
  });

  it(
    'rule 10: a batch whose connection is lost before its commit is recorded on the next',
    async () => {
      const head = await headOf(3);
      await ledger.record([recordOf(await headOf(9), { operationId: 'warm' })]);
      proxy.swallowAll();
      expect(await ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
      expect(await ledger.entries(3, 0, 10)).toHaveLength(1);
    },
    ANSWER_MS_MAX,
  );

  it(
    'rule 10: a batch that waits for another transaction’s lock is tried again',
    async () => {
      const head = await headOf(3);
      const other = await createConnection({ ...access });
      await other.query('begin');
      await other.query('select * from cursors where partition_id = 3 for update');
      const recording = ledger.record([recordOf(head, {})]);
      await delay(3_500);
      await other.query('rollback');
      expect(await recording).toMatchObject({ status: 'recorded' });
      await other.end();
    },
    ANSWER_MS_MAX,
  );

  it('rule 11: of two recorders at the same head one records, and the other hears of the conflict', async () => {
    const second = await MariadbLedger.open(access);
    let head = await headOf(3);
    for (let round = 0; round < 30; round += 1) {
      const ids = [`a${round}`, `b${round}`];
      const results = await Promise.all(
        [ledger, second].map((each, index) => each.record([recordOf(head, { operationId: ids[index] as string })])),
      );
      expect(results.map(({ status }) => status).toSorted()).toEqual(['conflict', 'recorded']);
      head = await headOf(3);
      expect(head.seq).toBe(round + 1);
    }
    await second.close();
  });

  it(
    'rule 10: a server that is silent is waited for within a bound, and nothing is said that is not so',
    async () => {
      const head = await headOf(3);
      server.suspend();
      // Its threads stop one after the other, and one of them may have an answer under way.
      await delay(200);
      const startedAt = performance.now();
      const [record, read] = await Promise.allSettled([ledger.record([recordOf(head, {})]), ledger.heads()]);
      expect(performance.now() - startedAt).toBeLessThan(ANSWER_MS_MAX);
      server.resume();
      expect(record).toMatchObject({ value: { status: 'rolled-back' } });
      expect(read).toMatchObject({ reason: expect.any(LedgerUnavailable) });
      await expect.poll(() => headOf(3), { timeout: 10_000 }).toEqual(head);
      expect(await ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
    },
    ANSWER_MS_MAX,
  );

  it('rule 10: nothing recorded is lost by kill -9 in mid-load, nothing rolled back is there, and it goes on by itself', async () => {
    const said = new Map<number, SharedRecordResult['status'][]>();
    let stopped = false;
    const load = (async () => {
      let head = await headOf(3);
      for (let batch = 0; !stopped; batch += 1) {
        const rows = Array.from({ length: 20 }, (_, index) => ({ operationId: `op-${batch}-${index}` }));
        const result = await ledger.record([recordOf(head, ...rows)]);
        said.set(batch, [...(said.get(batch) ?? []), result.status]);
        if (result.status === 'recorded') head = result.heads[0] as SharedHead;
        else head = await untilAnswered(() => headOf(3));
      }
    })();
    for (let kill = 0; kill < 3; kill += 1) {
      await delay(300);
      await server.kill();
      await delay(kill * 400);
      await server.start();
    }
    await delay(300);
    stopped = true;
    await load;
    await checkWhatWasSaid(said);
  }, 60_000);

  async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof LedgerUnavailable)) throw error;
        await delay(50);
      }
    }
  }

  async function checkWhatWasSaid(said: ReadonlyMap<number, SharedRecordResult['status'][]>): Promise<void> {
    const counts = new Map<number, number>();
    for (const batch of said.keys()) {
      const ids = Array.from({ length: 20 }, (_, index) => `op-${batch}-${index}`);
      counts.set(batch, (await ledger.findOperations('HQ001', ids)).length);
    }
    for (const [batch, statuses] of said) {
      if (statuses.includes('recorded')) expect([batch, counts.get(batch)]).toEqual([batch, 20]);
      if (statuses.includes('rolled-back')) expect([batch, counts.get(batch)]).toEqual([batch, 0]);
      expect([0, 20]).toContain(counts.get(batch));
    }
    expect([...said.values()].filter((statuses) => statuses.includes('recorded')).length).toBeGreaterThan(10);
    await checkChain();
  }

  async function checkChain(): Promise<void> {
    const { installationId } = await ledger.identity();
    let hash = genesisHash(installationId, 3);
    let seq = 0;
    for (;;) {
      const entries = await ledger.entries(3, seq, 1_000);
      if (entries.length === 0) break;
      for (const entry of entries) {
        seq += 1;
        hash = chainHash(hash, entry.body);
        expect([entry.seq, entry.hash]).toEqual([seq, hash]);
      }
    }
    expect(await headOf(3)).toMatchObject({ seq, hash });
  }
});
