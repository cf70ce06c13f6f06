/** A ledger on a server and a network that fail: what is said of a batch is what became of it. */
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mariadb';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

class Network {
  readonly access: MariadbAccess;
  readonly proxy: TcpProxy;
  readonly ledger: MariadbLedger;

  constructor(access: MariadbAccess, proxy: TcpProxy, ledger: MariadbLedger) {
    this.access = access;
    this.proxy = proxy;
    this.ledger = ledger;
  }

  readonly headOf = async (partition: number): Promise<SharedHead> => {
    return (await this.ledger.headsOf([partition]))[0] as SharedHead;
  };

  /** Does something to the connection that sends the next commit. */
  atCommit(what: keyof PairControl): void {
    this.proxy.onClientData = (data, pair) => {
      if (!data.includes(COMMIT)) return;
      this.proxy.onClientData = null;
      pair[what]();
    };
  }
}

describeWith(['mariadb'], 'ledger on MariaDB when things fail', () => {
  let server: MariadbTestServer;

  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());

  /** A ledger of its own for each, so that those that mostly wait can wait side by side. */
  async function withNetwork(work: (network: Network) => Promise<void>): Promise<void> {
    const access = await freshDatabase(server);
    const proxy = await TcpProxy.to(access);
    const ledger = await MariadbLedger.open({ ...access, port: proxy.port });
    try {
      await work(new Network(access, proxy, ledger));
    } finally {
      await ledger.close();
      await proxy.close();
    }
  }

  it.concurrent(
    'rule 10: a commit whose answer is lost is found out to be recorded',
    () =>
      withNetwork(async (network) => {
        const [three, nine] = [await network.headOf(3), await network.headOf(9)];
        network.atCommit('swallowAnswer');
        const result = await network.ledger.record([recordOf(nine, {}), recordOf(three, { operationId: 'b' })]);
        expect(result).toMatchObject({
          status: 'recorded',
          heads: [
            { partition: 9, seq: 1 },
            { partition: 3, seq: 1 },
          ],
        });
        expect(await network.ledger.entries(9, 0, 10)).toHaveLength(1);
      }),
    ANSWER_MS_MAX,
  );

  it.concurrent(
    'rule 10: a commit that never reached the server is found out to be rolled back, though the server holds its locks',
    () =>
      withNetwork(async (network) => {
        const head = await network.headOf(3);
        network.atCommit('swallow');
        expect(await network.ledger.record([recordOf(head, {})])).toMatchObject({ status: 'rolled-back' });
        expect(await network.headOf(3)).toEqual(head);
        expect(await network.ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
      }),
    ANSWER_MS_MAX,
  );

  it.concurrent(
    'rule 10: a commit that reaches the server after its connection was lost is waited for',
    () =>
      withNetwork(async (network) => {
        const head = await network.headOf(3);
        network.atCommit('deliverLate');
        expect(await network.ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
        expect((await network.headOf(3)).seq).toBe(1);
      }),
    ANSWER_MS_MAX,
  );

  it.concurrent(
    'rule 10: a connection that is reset at its commit tells nothing by itself',
    () =>
      withNetwork(async (network) => {
        const head = await network.headOf(3);
        network.atCommit('reset');
        const result = await network.ledger.record([recordOf(head, {})]);
        expect(result.status).toBe('rolled-back');
        expect((await network.headOf(3)).seq).toBe(0);
      }),
    ANSWER_MS_MAX,
  );

  it.concurrent(
    'rule 10: a batch whose connection is lost before its commit is recorded on the next',
    () =>
      withNetwork(async (network) => {
        const head = await network.headOf(3);
        await network.ledger.record([recordOf(await network.headOf(9), { operationId: 'warm' })]);
        network.proxy.swallowAll();
        expect(await network.ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
        expect(await network.ledger.entries(3, 0, 10)).toHaveLength(1);
      }),
    ANSWER_MS_MAX,
  );

  it.concurrent(
    'rule 10: a batch that waits for another transaction’s lock is tried again',
    () =>
      withNetwork(async (network) => {
        const head = await network.headOf(3);
        const other = await createConnection({ ...network.access });
        await other.query('begin');
        await other.query('select * from cursors where partition_id = 3 for update');
        const recording = network.ledger.record([recordOf(head, {})]);
        await delay(3_500);
        await other.query('rollback');
        expect(await recording).toMatchObject({ status: 'recorded' });
        await other.end();
      }),
    ANSWER_MS_MAX,
  );

  it.concurrent(
    'rule 11: of two recorders at the same head one records, and the other hears of the conflict',
    () =>
      withNetwork(async (network) => {
        const second = await MariadbLedger.open(network.access);
        let head = await network.headOf(3);
        for (let round = 0; round < 30; round += 1) {
          const ids = [`a${round}`, `b${round}`];
          const results = await Promise.all(
            [network.ledger, second].map((each, index) =>
              each.record([recordOf(head, { operationId: ids[index] as string })]),
            ),
          );
          expect(results.map(({ status }) => status).toSorted()).toEqual(['conflict', 'recorded']);
          head = await network.headOf(3);
          expect(head.seq).toBe(round + 1);
        }
        await second.close();
      }),
    ANSWER_MS_MAX,
  );

  it(
    'rule 10: a server that is silent is waited for within a bound, and nothing is said that is not so',
    () =>
      withNetwork(async (network) => {
        const head = await network.headOf(3);
        server.suspend();
        // Its threads stop one after the other, and one of them may have an answer under way.
        await delay(200);
        const startedAt = performance.now();
        const [record, read] = await Promise.allSettled([
          network.ledger.record([recordOf(head, {})]),
          network.ledger.heads(),
        ]);
        expect(performance.now() - startedAt).toBeLessThan(ANSWER_MS_MAX);
        server.resume();
        expect(record).toMatchObject({ value: { status: 'rolled-back' } });
        expect(read).toMatchObject({ reason: expect.any(LedgerUnavailable) });
        await expect.poll(() => network.headOf(3)).toEqual(head);
        expect(await network.ledger.record([recordOf(head, {})])).toMatchObject({ status: 'recorded' });
      }),
    ANSWER_MS_MAX,
  );

  it(
    'rule 10: nothing recorded is lost by kill -9 in mid-load, nothing rolled back is there, and it goes on by itself',
    () =>
      withNetwork(async (network) => {
        const said = new Map<number, SharedRecordResult['status'][]>();
        let stopped = false;
        const load = (async () => {
          let head = await network.headOf(3);
          for (let batch = 0; !stopped; batch += 1) {
            const rows = Array.from({ length: 20 }, (_, index) => ({ operationId: `op-${batch}-${index}` }));
            const result = await network.ledger.record([recordOf(head, ...rows)]);
            said.set(batch, [...(said.get(batch) ?? []), result.status]);
            if (result.status === 'recorded') head = result.heads[0] as SharedHead;
            else head = await untilAnswered(() => network.headOf(3));
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
        await checkWhatWasSaid(network, said);
      }),
    60_000,
  );

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

  async function checkWhatWasSaid(
    network: Network,
    said: ReadonlyMap<number, SharedRecordResult['status'][]>,
  ): Promise<void> {
    const counts = new Map<number, number>();
    for (const batch of said.keys()) {
      const ids = Array.from({ length: 20 }, (_, index) => `op-${batch}-${index}`);
      counts.set(batch, (await network.ledger.findOperations('HQ001', ids)).length);
    }
    for (const [batch, statuses] of said) {
      if (statuses.includes('recorded')) expect([batch, counts.get(batch)]).toEqual([batch, 20]);
      if (statuses.includes('rolled-back')) expect([batch, counts.get(batch)]).toEqual([batch, 0]);
      expect([0, 20]).toContain(counts.get(batch));
    }
    expect([...said.values()].filter((statuses) => statuses.includes('recorded')).length).toBeGreaterThan(10);
    await checkChain(network);
  }

  async function checkChain({ ledger, headOf }: Network): Promise<void> {
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
