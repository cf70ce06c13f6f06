/** What only projections in a shared database do: several projectors at once, generations of tables, stops that all see. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MariadbPool } from '../../src/ledger/mariadb/mariadb-pool.ts';
import { HistoryBehind } from '../../src/projections/history-reads.ts';
import { Generations } from '../../src/projections/mariadb/generations.ts';
import { readLayout } from '../../src/projections/mariadb/layout.ts';
import { readInstallationId } from '../../src/projections/mariadb/ledger-rows.ts';
import { MariadbProjectionStore } from '../../src/projections/mariadb/mariadb-projection-store.ts';
import { ProjectedBatch } from '../../src/projections/mariadb/projected-batch.ts';
import { Projector } from '../../src/projections/mariadb/projector.ts';
import { PROJECTION_NAMES } from '../../src/projections/projection.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { asAdmin, freshDatabase } from '../support/mariadb-database.ts';
import { HQ, PARTITION, until } from './installation.ts';
import { describeMariadb } from './installations.ts';
import { MariadbInstallation } from './mariadb-installation.ts';

const STORE = 'STORE-A';
const item = { storeId: STORE, productId: 'P1' };
const ALL = { hqId: HQ, cursor: null, limit: 500 };
const OTHER = ['HQ-B', 'HQ-C', 'HQ-D'].find((hqId) => partitionOf(hqId) !== PARTITION) ?? '';

describeMariadb('projections in MariaDB', (server) => {
  let holdfast: MariadbInstallation;
  const opened: { close(): Promise<unknown> }[] = [];

  beforeEach(async () => {
    holdfast = new MariadbInstallation(await freshDatabase(server()));
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
    await holdfast.dispose();
  });

  async function start(projects: boolean): Promise<void> {
    holdfast.projects = projects;
    await holdfast.start();
    await holdfast.stock([STORE, 'STORE-B'], ['P1', 'P2']);
  }

  const reserveMany = (count: number) =>
    Promise.all(Array.from({ length: count }, () => holdfast.reserve([{ ...item, quantity: 1 }])));

  async function everything() {
    const { history } = holdfast;
    return {
      levels: (await history.levels(ALL)).items,
      movements: (await history.movements(ALL)).items,
      audit: (await history.audit(ALL)).items,
    };
  }

  /** A projector of another process, driven by hand. */
  async function handDriven(notes: string[] = []) {
    const pool = new MariadbPool(holdfast.access, { connectionsMax: 4, autocommit: true });
    const writer = new MariadbPool(holdfast.access, { connectionsMax: 2, autocommit: false });
    opened.push(pool, writer);
    const installationId = await pool.use(readInstallationId);
    const generations = new Generations({ pool, installationId, now: Date.now });
    const projector = new Projector({
      pool,
      writer,
      generations,
      isMine: () => true,
      onNote: (note) => notes.push(note),
    });
    const seq = async (state = 'serving') => {
      const [row] = await pool.read<{ seq: number }>(
        'select seq from projection_cursors where state = ? and partition_id = ?',
        [state, PARTITION],
      );
      return row?.seq ?? 0;
    };
    const projectAll = async () => {
      while ((await projector.serve(100)) > 0);
    };
    return { pool, writer, generations, projector, seq, projectAll };
  }

  const stops = () => holdfast.projections.status().filter(({ stopped }) => stopped !== undefined);

  describe('several projectors', () => {
    it('rule 18: project every entry once, side by side', async () => {
      await start(true);
      const other = await MariadbProjectionStore.open({ access: holdfast.access, projects: true });
      opened.push(other);
      const { projector } = await handDriven();
      let stop = false;
      const third = (async () => {
        while (!stop) await projector.serve(7);
      })();
      for (let round = 0; round < 8; round += 1) {
        const ids = await reserveMany(20);
        await Promise.all(ids.slice(5).map((reservationId) => holdfast.entry({ type: 'release', reservationId })));
        await holdfast.stock([STORE], [`P-${round}`], OTHER);
      }
      await holdfast.projected();
      stop = true;
      await third;
      expect(stops()).toEqual([]);
      const [level] = (await holdfast.history.levels({ ...ALL, storeId: STORE, productId: 'P1' })).items;
      expect(level).toMatchObject({ onHand: 100, reserved: 40, version: 1 + 8 * 35 });
      const [rows] = await holdfast.read<Record<string, number>>(
        `select (select count(*) from {movements}) as movements, (select count(*) from {audit}) as audit,
           (select count(*) from {open_reservations}) as open, (select count(*) from {closed_reservations}) as closed`,
      );
      const entries = await holdfast.sql<{ seq: number }[]>('select cast(sum(seq) as signed) as seq from cursors');
      expect(rows).toEqual({ movements: 4 + 8 * 36, audit: entries[0]?.seq, open: 40, closed: 120 });
    });

    it('rule 18: one that was overtaken writes nothing', async () => {
      await start(false);
      const { pool, projectAll, projector } = await handDriven();
      const stalled = await pool.use(readLayout);
      const from = stalled.serving.cursors[PARTITION];
      const entries = await holdfast.running.ledger.entries(PARTITION, 0, 3);
      const batch = new ProjectedBatch(stalled.serving);
      batch.add(from as NonNullable<typeof from>, entries);
      await projectAll();
      await projector.serve(100);
      await pool.use(async (connection) => {
        await connection.query('begin');
        expect(await batch.lock(connection)).toBe(false);
        await connection.query('rollback');
      });
    });

    it('one that stalls with a cursor in its hands is overtaken', async () => {
      await start(false);
      const stalled = await handDriven();
      const { serving } = await stalled.pool.use(readLayout);
      const batch = new ProjectedBatch(serving);
      const from = serving.cursors[PARTITION];
      batch.add(from as NonNullable<typeof from>, await holdfast.running.ledger.entries(PARTITION, 0, 3));
      const { projectAll, seq } = await handDriven();
      let reached = 0;
      const stalling = stalled.writer.use(async (connection) => {
        expect(await batch.lock(connection)).toBe(true);
        await until(async () => {
          await projectAll();
          reached = await seq();
          return reached === 5;
        }, 15_000);
        await batch.write(connection);
      }, 20_000);
      await expect(stalling).rejects.toMatchObject({ name: 'LedgerUnavailable' });
      expect(reached).toBe(5);
    });

    it('one that was too late to switch keeps no cursor', async () => {
      await start(false);
      const [one, other] = [await handDriven(), await handDriven()];
      await one.projectAll();
      await one.generations.startRebuild(['settings']);
      await Promise.all(Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? one : other).projector.build(100)));
      const open = await asAdmin<{ transactions: number }>(server(), [
        'select count(*) as transactions from information_schema.innodb_trx where trx_rows_locked > 0',
      ]);
      expect(open).toEqual([{ transactions: 0 }]);
    });

    it('rule 18: one that has missed a switch writes nothing into the tables of before', async () => {
      await start(false);
      const { pool, projectAll, projector, generations } = await handDriven();
      await projectAll();
      const stalled = await pool.use(readLayout);
      await generations.startRebuild(PROJECTION_NAMES);
      while ((await generations.progress()).building.length > 0) await projector.build(100);
      const { seq } = await holdfast.entry({ type: 'issue', items: [{ ...item, quantity: 1 }] });
      const batch = new ProjectedBatch(stalled.serving);
      const from = stalled.serving.cursors[PARTITION];
      batch.add(from as NonNullable<typeof from>, await holdfast.running.ledger.entries(PARTITION, seq - 1, 1));
      await pool.use(async (connection) => {
        await connection.query('begin');
        expect(await batch.lock(connection)).toBe(false);
        await connection.query('rollback');
      });
    });

    it('share the partitions by leases, and take over those of one that has left', async () => {
      await start(true);
      const shares = async () => {
        const rows = await holdfast.sql<{ partitions: number }[]>(
          'select count(*) as partitions from projection_owners where node_id is not null group by node_id',
        );
        return rows.map(({ partitions }) => partitions);
      };
      const other = await MariadbProjectionStore.open({ access: holdfast.access, projects: true });
      await until(async () => (await shares()).join() === '32,32');
      await other.close();
      await until(async () => (await shares()).join() === '64');
    });

    it('go on by themselves when the database was killed and is back', async () => {
      await start(false);
      await reserveMany(50);
      const head = (await holdfast.running.ledger.heads())[PARTITION];
      await holdfast.stop();
      const store = await MariadbProjectionStore.open({ access: holdfast.access, projects: true });
      opened.push(store);
      await server().kill();
      await server().start();
      expect(await store.waitFor(PARTITION, head?.seq ?? -1, 15_000)).toBe(true);
      await holdfast.start();
      expect((await holdfast.history.levels(ALL)).items[0]?.reserved).toBe(50);
    });

    it('leave rows and cursor as one transaction left them', async () => {
      await start(false);
      await reserveMany(30);
      const { projector, seq } = await handDriven();
      for (let batch = 0; batch < 3; batch += 1) expect(await projector.serve(5)).toBe(5);
      const [rows] = await holdfast.read<{ rows: number }>('select count(*) as `rows` from {audit}');
      expect(await seq()).toBe(15);
      expect(rows?.rows).toBe(15);
    });
  });

  describe('a process that does not project', () => {
    it('sees what it was answered, once another has projected it', async () => {
      await start(false);
      const { projectAll } = await handDriven();
      const reading = holdfast.history.levels(ALL);
      await projectAll();
      expect((await reading).items).toHaveLength(4);
    });

    it('is told of no projector within a bound', async () => {
      await start(false);
      expect(await holdfast.projections.store.waitFor(PARTITION, 1, 50)).toBe(false);
    });

    it('builds a projection anew, from any node', async () => {
      await start(true);
      await reserveMany(3);
      const other = await MariadbProjectionStore.open({ access: holdfast.access, projects: false });
      opened.push(other);
      await other.startRebuild(['levels']);
      await until(async () => (await other.rebuildProgress()).building.length === 0);
      expect(await other.rebuildProgress()).toMatchObject({ failure: null });
      expect((await holdfast.history.levels(ALL)).items[0]?.reserved).toBe(3);
    });
  });

  describe('an entry that contradicts the projection', () => {
    it('stops its partition, and no other, for all to see', async () => {
      await start(true);
      await holdfast.stock([STORE], ['P1'], OTHER);
      await holdfast.projected();
      await holdfast.change(
        'update {levels} set on_hand = 99 where hq_id = ? and store_id = ? and product_id = ?',
        HQ,
        STORE,
        'P1',
      );
      const lastGood = await holdfast.entry({
        type: 'issue',
        items: [{ storeId: 'STORE-B', productId: 'P1', quantity: 1 }],
      });
      await holdfast.reserve([{ ...item, quantity: 1 }]);
      await holdfast.reserve([{ storeId: 'STORE-B', productId: 'P1', quantity: 1 }]);
      await expect(holdfast.history.levels(ALL)).rejects.toThrow(HistoryBehind);
      await until(() => stops().length > 0);
      const [stopped] = stops();
      expect(stopped?.partition).toBe(PARTITION);
      await until(() => stops()[0]?.seq === lastGood.seq);
      expect(stopped?.stopped).toContain(
        'STORE-A/P1 was read as on hand 100, reserved 0, version 1; the projection has on hand 99',
      );
      await until(() => holdfast.projections.lag() === 2);
      await holdfast.reserve([{ ...item, quantity: 1 }], { hqId: OTHER });
      expect((await holdfast.history.levels({ ...ALL, hqId: OTHER })).items[0]?.reserved).toBe(1);
      const reader = await MariadbProjectionStore.open({ access: holdfast.access, projects: false });
      opened.push(reader);
      expect(await reader.nextReport()).toMatchObject({ kind: 'stopped', stop: { partition: PARTITION } });
    });

    it('goes on after a rebuild', async () => {
      await start(true);
      await holdfast.projected();
      await holdfast.change('update {levels} set version = version + 1');
      await holdfast.reserve([{ ...item, quantity: 1 }]);
      await expect(holdfast.history.levels(ALL)).rejects.toThrow(HistoryBehind);
      await holdfast.projections.rebuild('levels');
      await until(() => stops().length === 0);
      expect((await holdfast.history.levels(ALL)).items[0]).toMatchObject({ onHand: 100, reserved: 1 });
    });

    it('is found in a reservation as well, and in one that should be new', async () => {
      await start(true);
      const [first = '', second = ''] = await reserveMany(2);
      await holdfast.projected();
      await holdfast.change("update {open_reservations} set hold = replace(hold, 'STORE-A', 'STORE-B')");
      await holdfast.entry({ type: 'release', reservationId: first });
      await holdfast.entry({ type: 'release', reservationId: second });
      await until(() => stops().some(({ stopped }) => stopped?.includes(first) === true));
    });

    it('fills no engine from the rows that are not to be believed', async () => {
      await start(true);
      await holdfast.projected();
      await holdfast.change('update {levels} set on_hand = on_hand + 1000');
      await holdfast.reserve([{ ...item, quantity: 1 }]);
      await until(() => stops().length > 0);
      holdfast.projects = false;
      await holdfast.stop();
      await holdfast.start();
      expect(holdfast.engine.levels(HQ, [item])[0]).toMatchObject({ onHand: 100, reserved: 1 });
    });

    it('stops at an edited entry', async () => {
      await start(false);
      await holdfast.sql('drop trigger entries_no_update');
      await holdfast.change(
        "update entries set body = replace(body, 'DELIVERY-1', 'DELIVERY-2') where type = 'receive'",
      );
      const { projectAll, seq } = await handDriven();
      await projectAll();
      expect(await seq()).toBe(4);
      await until(() => stops().some(({ stopped }) => stopped?.startsWith('entry 5') === true));
    });

    it('never leaves a level below zero', async () => {
      await start(true);
      await holdfast.projected();
      await expect(holdfast.change('update {levels} set reserved = -1')).rejects.toThrow('CONSTRAINT');
      await expect(holdfast.change('update {movements} set on_hand = -1')).rejects.toThrow('CONSTRAINT');
    });
  });

  describe('a ledger that went back', () => {
    it('rule 17: stops the partition for whoever projects, whatever is recorded there afterwards', async () => {
      await start(false);
      const { projector, projectAll, seq } = await handDriven();
      await projectAll();
      const reached = await seq();
      await holdfast.sql('drop trigger entries_no_delete');
      await holdfast.sql('delete from entries where partition_id = ? and seq > 3', PARTITION);
      await holdfast.sql(
        'update cursors set seq = 3, hash = (select hash from entries where partition_id = ? and seq = 3) where partition_id = ?',
        PARTITION,
        PARTITION,
      );
      await projector.serve(100);
      await until(() => stops().length === 1);
      expect(stops()[0]?.stopped).toContain(`entry ${reached} was seen as recorded, and the ledger no longer holds it`);
    });

    it('rule 17: is known by what was seen of it, where the projections went back with it', async () => {
      await start(false);
      const { projector, projectAll } = await handDriven();
      await projectAll();
      await holdfast.sql('drop trigger entries_no_delete');
      await holdfast.sql('delete from entries where partition_id = ?', PARTITION);
      const { pool } = await handDriven();
      const { serving } = await pool.use(readLayout);
      const genesis = serving.cursors[0]?.hash ?? '';
      await holdfast.sql('update cursors set seq = 0, hash = ? where partition_id = ?', genesis, PARTITION);
      await holdfast.sql("update projection_cursors set seq = 0, hash = ? where state = 'serving'", genesis);
      await projector.serve(100);
      await until(() => stops().length === 1);
      expect(stops()[0]?.stopped).toContain('entry 5 was seen as recorded');

      // An operator accepts the ledger as it is, and the partition goes on under a new epoch.
      await holdfast.sql('update cursors set epoch = epoch + 1 where partition_id = ?', PARTITION);
      await holdfast.sql(
        'replace into partition_states (partition_id, accepted_epoch) select partition_id, epoch from cursors where partition_id = ?',
        PARTITION,
      );
      await projector.serve(100);
      expect((await pool.use(readLayout)).stops).toEqual([]);
    });
  });

  describe('a rebuild', () => {
    it.each([null, ...PROJECTION_NAMES])(
      'of %s goes on beside reads, new entries and other projectors',
      async (name) => {
        await start(true);
        const other = await MariadbProjectionStore.open({ access: holdfast.access, projects: true });
        opened.push(other);
        const [first = '', ...rest] = await reserveMany(40);
        await holdfast.entry({ type: 'release', reservationId: first });
        const before = await holdfast.tables();
        let done = false;
        const rebuilt = holdfast.projections.rebuild(name).finally(() => {
          done = true;
        });
        do {
          await holdfast.reserve([{ storeId: 'STORE-B', productId: 'P2', quantity: 1 }]);
          expect((await holdfast.history.reservation(first))?.hold.status).toBe('released');
        } while (!done);
        const report = await rebuilt;
        expect(report.projections).toEqual(name === null ? PROJECTION_NAMES : [name]);
        const after = await holdfast.tables();
        for (const each of PROJECTION_NAMES) {
          const table = each === 'reservations' ? 'open_reservations' : each;
          expect(after(table) !== before(table)).toBe(name === null || name === each);
        }
        expect((await holdfast.history.reservation(rest[0] ?? ''))?.hold.status).toBe('active');
        await holdfast.projected();
        expect(stops()).toEqual([]);
      },
    );

    it('that was left half done goes on in another process', async () => {
      await start(false);
      await reserveMany(40);
      const first = await handDriven();
      await first.projectAll();
      await first.generations.startRebuild(['movements', 'levels']);
      const notes: string[] = [];
      const { generations, projector } = await handDriven(notes);
      await expect(generations.startRebuild(['audit'])).rejects.toThrow('a rebuild of');
      while ((await generations.progress()).building.length > 0) await projector.build(10);
      expect(notes.join()).toContain('levels, movements: built anew');
      expect(await generations.progress()).toMatchObject({ done: 45, total: 45, failure: null });
    });

    it('repairs what was changed by hand', async () => {
      await start(true);
      await reserveMany(3);
      const whole = await everything();
      await holdfast.change('delete from {audit}');
      expect((await everything()).audit).toEqual([]);
      await holdfast.projections.rebuild('audit');
      expect(await everything()).toEqual(whole);
    });

    it('tells why it failed, and leaves what is read', async () => {
      await start(true);
      const whole = await everything();
      await holdfast.sql('drop trigger entries_no_update');
      await holdfast.change(
        "update entries set body = replace(body, 'DELIVERY-1', 'DELIVERY-2') where type = 'receive'",
      );
      await expect(holdfast.projections.rebuild('levels')).rejects.toThrow(
        /the rebuild failed: entry 5 of partition 9/,
      );
      expect((await everything()).levels).toEqual(whole.levels);
    });

    it('happens by itself when the version of a projection changed', async () => {
      await start(true);
      await reserveMany(10);
      const whole = await everything();
      await holdfast.stop();
      await holdfast.sql("update projections set version = 0 where name = 'movements'");
      await holdfast.start();
      await until(async () => (await holdfast.projections.store.rebuildProgress()).building.length === 0);
      expect(await everything()).toEqual(whole);
      expect(holdfast.log.join('\n')).toContain('movements has a new version');
    });

    it('is refused, like everything, by a program older than the tables', async () => {
      await start(true);
      await holdfast.stop();
      await holdfast.sql("update projections set version = 99 where name = 'levels'");
      await expect(holdfast.start()).rejects.toMatchObject({ code: 'PROJECTIONS_TOO_NEW' });
    });
  });
});
