import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConnection } from '../../src/ledger/sqlite/open-database.ts';
import { SqliteLedgerStore } from '../../src/ledger/sqlite/sqlite-ledger-store.ts';
import { HistoryBehind } from '../../src/projections/history-reads.ts';
import { PROJECTION_NAMES } from '../../src/projections/projection.ts';
import type { PartitionStop } from '../../src/projections/projection-store.ts';
import { UnknownProjection } from '../../src/projections/projections.ts';
import { openProjections } from '../../src/projections/sqlite/open-projections.ts';
import { Projector } from '../../src/projections/sqlite/projector.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { HQ, Installation, MINUTE, PARTITION, UNSET, until } from './installation.ts';

const STORE = 'STORE-A';
const item = { storeId: STORE, productId: 'P1' };
const ALL = { hqId: HQ, cursor: null, limit: 500 };

let holdfast: Installation;

beforeEach(async () => {
  holdfast = await Installation.start();
  await holdfast.stock([STORE, 'STORE-B'], ['P1', 'P2']);
});

afterEach(() => holdfast.dispose());

async function reserveMany(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => holdfast.reserve([{ ...item, quantity: 1 }])));
}

/** All that can be read of the history, for comparison. */
async function everything() {
  const { history } = holdfast;
  return {
    levels: (await history.levels(ALL)).items,
    movements: (await history.movements(ALL)).items,
    audit: (await history.audit(ALL)).items,
  };
}

/** A projector over the files of a stopped installation, driven by hand. */
function handDriven(stops: PartitionStop[] = [], notes: string[] = []) {
  const source = new SqliteLedgerStore(openConnection(holdfast.ledgerFile, { readOnly: true }));
  const { installationId } = source.identity();
  const { database } = openProjections(holdfast.file, installationId, Date.now());
  const projector = new Projector({
    database,
    file: holdfast.file,
    installationId,
    source,
    onStopped: (stop) => stops.push(stop),
    onResumed: () => undefined,
    onNote: (note) => notes.push(note),
  });
  const close = () => {
    database.close();
    source.close();
  };
  return { projector, close };
}

describe('a projector that is interrupted', () => {
  it('goes on from its cursor, with rows and cursor of one transaction', async () => {
    await reserveMany(30);
    const whole = await everything();
    await holdfast.stop();
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(holdfast.file + suffix)) writeFileSync(holdfast.file + suffix, '');
    }
    // Three batches by hand, as if the process had been killed after the third.
    const { projector, close } = handDriven();
    for (let batch = 0; batch < 3; batch += 1) expect(projector.serve(5)).toBeGreaterThan(0);
    const reached = projector.seq(PARTITION);
    close();
    const [{ rows } = { rows: -1 }] = holdfast.rows<{ rows: number }>('select count(*) as "rows" from audit');
    const cursors = holdfast.rows<{ seq: number }>(
      'select distinct seq from cursors where partition_id = ?',
      PARTITION,
    );
    expect(cursors).toEqual([{ seq: reached }]);
    expect(rows).toBe(reached);

    await holdfast.start();
    expect(await everything()).toEqual(whole);
    expect((await holdfast.verify()).findings).toEqual([]);
  });

  it('leaves nothing of a batch that was not committed', async () => {
    await reserveMany(10);
    await holdfast.stop();
    const { projector, close } = handDriven();
    const before = holdfast.rows('select * from cursors');
    close();
    expect(projector.seq(PARTITION)).toBeGreaterThan(10);
    expect(holdfast.rows('select * from cursors')).toEqual(before);
  });
});

describe('a batch of large entries', () => {
  it('is written in several parts, and none of them is lost', async () => {
    const productIds = Array.from({ length: 300 }, (_, index) => `SKU-${index}`);
    const storeIds = Array.from({ length: 20 }, (_, index) => `STORE-${index}`);
    await holdfast.stock(storeIds, productIds);
    const whole = await everything();
    await holdfast.stop();
    for (const suffix of ['', '-wal', '-shm']) rmSync(holdfast.file + suffix, { force: true });
    const { projector, close } = handDriven();
    expect(projector.serve(2_000)).toBeGreaterThan(300);
    const reached = projector.seq(PARTITION);
    close();
    await holdfast.start();
    expect(holdfast.engine.head(HQ).seq).toBe(reached);
    expect(await everything()).toEqual(whole);
    expect((await holdfast.verify()).findings).toEqual([]);
  });
});

describe('an entry that contradicts the projection', () => {
  const other = ['HQ-B', 'HQ-C', 'HQ-D'].find((hqId) => partitionOf(hqId) !== PARTITION) ?? '';

  it('stops its partition, and no other', async () => {
    await holdfast.stock([STORE], ['P1'], other);
    await holdfast.projected();
    holdfast.tamper(
      holdfast.file,
      "update levels set on_hand = 99 where level_id = (select level_id from level_keys where store_id = 'STORE-A' and product_id = 'P1' limit 1)",
    );
    const lastGood = await holdfast.entry({
      type: 'issue',
      items: [{ storeId: 'STORE-B', productId: 'P1', quantity: 1 }],
    });
    await holdfast.reserve([{ ...item, quantity: 1 }]);
    await holdfast.reserve([{ storeId: 'STORE-B', productId: 'P1', quantity: 1 }]);

    await expect(holdfast.history.levels(ALL)).rejects.toThrow(HistoryBehind);
    await until(() => holdfast.projections.status().some(({ stopped }) => stopped !== undefined));
    const stopped = holdfast.projections.status().find(({ partition }) => partition === PARTITION);
    expect(stopped?.seq).toBe(lastGood.seq);
    expect(stopped?.stopped).toContain(
      'STORE-A/P1 was read as on hand 100, reserved 0, version 1; the projection has on hand 99',
    );
    expect(holdfast.log.join('\n')).toContain('stands still');
    expect(holdfast.projections.lag()).toBe(2);

    await holdfast.reserve([{ ...item, quantity: 1 }], { hqId: other });
    expect((await holdfast.history.levels({ ...ALL, hqId: other })).items[0]?.reserved).toBe(1);
  });

  it('goes on after a rebuild', async () => {
    await holdfast.projected();
    holdfast.tamper(holdfast.file, 'update levels set version = version + 1');
    await holdfast.reserve([{ ...item, quantity: 1 }]);
    await expect(holdfast.history.levels(ALL)).rejects.toThrow(HistoryBehind);
    await holdfast.projections.rebuild('levels');
    expect((await holdfast.history.levels(ALL)).items[0]).toMatchObject({ onHand: 100, reserved: 1 });
    await until(() => holdfast.projections.status().every(({ stopped }) => stopped === undefined));
    expect((await holdfast.verify()).findings).toEqual([]);
  });

  it('fills no engine from the rows that are not to be believed', async () => {
    await holdfast.projected();
    holdfast.tamper(holdfast.file, 'update levels set on_hand = on_hand + 1000');
    await holdfast.reserve([{ ...item, quantity: 1 }]);
    await holdfast.stop();
    await holdfast.start();
    expect(holdfast.engine.levels(HQ, [item])[0]).toMatchObject({ onHand: 100, reserved: 1 });
    const tooMany = await holdfast.entry({ type: 'issue', items: [{ ...item, quantity: 100 }] });
    expect(tooMany.outcome.status).toBe('insufficient');
  });

  it('is found in a reservation as well', async () => {
    const [reservationId = ''] = await reserveMany(1);
    await holdfast.projected();
    holdfast.tamper(holdfast.file, "update open_reservations set hold = replace(hold, 'STORE-A', 'STORE-B')");
    await holdfast.entry({ type: 'release', reservationId });
    await until(() => holdfast.projections.status().some(({ stopped }) => stopped?.includes(reservationId) === true));
  });

  it('is found in the ledger as a broken chain', async () => {
    await holdfast.projected();
    await holdfast.stop();
    const { projector, close } = handDriven();
    const seq = projector.seq(PARTITION);
    close();
    holdfast.tamper(holdfast.file, 'update cursors set hash = ? where partition_id = ?', 'f'.repeat(64), PARTITION);
    const stops: PartitionStop[] = [];
    handDriven(stops).close();
    expect(stops).toMatchObject([
      { partition: PARTITION, kind: 'ledger-went-back', reason: expect.stringContaining(`entry ${seq}`) },
    ]);
    await expect(holdfast.start()).rejects.toThrow('The ledger was replaced by an older copy');
  });

  it('stops at an edited entry', async () => {
    await holdfast.projected();
    await holdfast.stop();
    holdfast.forge("update entries set body = replace(body, 'DELIVERY-1', 'DELIVERY-2') where type = 'receive'");
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(holdfast.file + suffix)) writeFileSync(holdfast.file + suffix, '');
    }
    const stops: PartitionStop[] = [];
    const { projector, close } = handDriven(stops);
    while (projector.serve(100) > 0);
    expect(projector.seq(PARTITION)).toBe(4);
    close();
    expect(stops).toMatchObject([
      { partition: PARTITION, kind: 'unreadable', reason: expect.stringContaining('entry 5') },
    ]);
  });

  it('never leaves a level below zero', async () => {
    await holdfast.projected();
    expect(() => holdfast.tamper(holdfast.file, 'update levels set reserved = -1')).toThrow('CHECK constraint');
    expect(() => holdfast.tamper(holdfast.file, 'update movements set on_hand = -1')).toThrow('CHECK constraint');
  });
});

describe('a rebuild', () => {
  it.each([null, ...PROJECTION_NAMES])(
    'of %s goes on beside reads and new entries, then takes their place',
    async (name) => {
      const [first = '', ...rest] = await reserveMany(40);
      await holdfast.entry({ type: 'release', reservationId: first });
      await holdfast.projected();
      const before = holdfast.rows('select name, generation from projections order by name');

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
      expect(report.entries).toBeGreaterThan(40);
      expect(holdfast.rows('select name, generation from projections order by name')).not.toEqual(before);
      expect(holdfast.rows("select 1 from projections where state = 'building'")).toEqual([]);
      expect(holdfast.rows("select name from sqlite_master where name like '%_next'")).toEqual([]);
      expect((await holdfast.history.reservation(rest[0] ?? ''))?.hold.status).toBe('active');
      expect((await holdfast.verify()).findings).toEqual([]);
      await holdfast.projections.rebuild(name);
      expect((await holdfast.verify()).findings).toEqual([]);
    },
  );

  it('repairs what was changed by hand', async () => {
    await reserveMany(3);
    await holdfast.projected();
    const whole = await everything();
    holdfast.tamper(holdfast.file, 'delete from audit');
    expect((await everything()).audit).toEqual([]);
    await holdfast.projections.rebuild('audit');
    expect(await everything()).toEqual(whole);
  });

  it('is refused for what is no projection', async () => {
    await expect(holdfast.projections.rebuild('nothing')).rejects.toThrow(UnknownProjection);
  });

  it('that was killed goes on at the next start', async () => {
    await reserveMany(40);
    await holdfast.stop();
    const killed = handDriven();
    killed.projector.startRebuild(['movements', 'levels']);
    expect(killed.projector.build(10)).toBe(10);
    killed.close();
    const notes: string[] = [];
    const next = handDriven([], notes);
    expect(next.projector.rebuildProgress()).toMatchObject({ building: ['levels', 'movements'], done: 10 });
    while (next.projector.rebuildProgress().building.length > 0) next.projector.build(10);
    next.close();
    expect(notes.join()).toContain('levels, movements: built anew');
    await holdfast.start();
    expect((await holdfast.verify()).findings).toEqual([]);
  });

  it('happens by itself when the version of a projection changed', async () => {
    await reserveMany(10);
    const whole = await everything();
    await holdfast.stop();
    holdfast.tamper(holdfast.file, "update projections set version = 0 where name = 'movements'");
    await holdfast.start();
    await until(async () => (await holdfast.projections.store.rebuildProgress()).building.length === 0);
    expect(await everything()).toEqual(whole);
    expect(holdfast.log.join('\n')).toContain('movements has a new version');
    expect((await holdfast.verify()).findings).toEqual([]);
  });
});

describe('projections.db', () => {
  const damaged = () =>
    readdirSync(holdfast.folder).filter((name) => /^projections\.db\.damaged-[^-]+-\d\d-\d\dT[\d-]+Z$/.test(name));

  it('is projected anew when it is missing', async () => {
    await reserveMany(5);
    const whole = await everything();
    await holdfast.stop();
    const { renameSync } = await import('node:fs');
    renameSync(holdfast.file, `${holdfast.file}.kept`);
    await holdfast.start();
    expect(await everything()).toEqual(whole);
  });

  it('is put aside when it is damaged, and projected anew', async () => {
    await reserveMany(5);
    const whole = await everything();
    await holdfast.stop();
    writeFileSync(holdfast.file, 'this is no database'.repeat(1_000));
    await holdfast.start();
    expect(await everything()).toEqual(whole);
    expect(damaged()).toHaveLength(1);
    expect(holdfast.log.join('\n')).toContain('nothing is lost');
  });

  it('is put aside at the next start when it was found damaged in use', async () => {
    await holdfast.stop();
    writeFileSync(`${holdfast.file}.damaged`, '');
    await holdfast.start();
    expect(damaged()).toHaveLength(1);
    expect(existsSync(`${holdfast.file}.damaged`)).toBe(false);
    expect((await holdfast.history.levels(ALL)).items).toHaveLength(4);
  });

  it('of another installation is refused', async () => {
    await holdfast.stop();
    holdfast.tamper(holdfast.file, "update installation set installation_id = 'another'");
    await expect(holdfast.start()).rejects.toMatchObject({
      name: 'ProjectionsUnusable',
      code: 'PROJECTIONS_FOREIGN',
      message: expect.stringContaining('another installation'),
    });
  });

  it.each(['pragma user_version = 2', "update projections set version = 99 where name = 'levels'"])(
    'of a newer version is refused: %s',
    async (sql) => {
      await holdfast.stop();
      const database = new DatabaseSync(holdfast.file);
      database.exec(sql);
      database.close();
      await expect(holdfast.start()).rejects.toMatchObject({ code: 'PROJECTIONS_TOO_NEW' });
    },
  );
});

describe('an engine', () => {
  it('is filled with all that it knew', async () => {
    await holdfast.entry({
      type: 'configure-store',
      storeId: 'STORE-EMPTY',
      settings: { safetyStock: null, lowThreshold: 4 },
    });
    await holdfast.entry({
      type: 'configure-product',
      productId: 'P-EMPTY',
      settings: { safetyStock: 2, lowThreshold: null },
    });
    await holdfast.entry({ type: 'configure-product', productId: 'P1', settings: { safetyStock: 3, lowThreshold: 9 } });
    await holdfast.entry({ type: 'configure-level', ...item, settings: { safetyStock: 5, lowThreshold: null } });
    await holdfast.entry({
      type: 'count',
      countedAt: null,
      reason: 'r',
      items: [{ storeId: STORE, productId: 'P2', counted: 7, onHandThen: null, basedOn: null }],
    });
    const [open = '', released = ''] = await reserveMany(2);
    await holdfast.entry({ type: 'release', reservationId: released });
    holdfast.nowMs += 2 * 60 * MINUTE;
    await holdfast.expire();
    const late = await holdfast.reserve([{ storeId: STORE, productId: 'P2', quantity: 2 }]);

    const keys = [STORE, 'STORE-B', 'STORE-EMPTY', 'HQ'].flatMap((storeId) =>
      ['P1', 'P2', 'P-EMPTY'].map((productId) => ({ storeId, productId })),
    );
    const known = () => ({
      levels: holdfast.engine.levels(HQ, keys),
      totals: ['P1', 'P2'].map((productId) => ({ ...holdfast.engine.totals(HQ, productId), updatedAt: 0 })),
      late: holdfast.engine.hold(late)?.hold,
      counts: { ...holdfast.engine.counts(), rememberedOperations: 0 },
    });
    const before = known();
    await holdfast.stop();
    await holdfast.start();
    expect(known()).toEqual(before);
    expect(holdfast.engine.hold(open)?.hold.status).toBe('expired');
    expect(holdfast.engine.hold(released)).toBeNull();
    expect((await holdfast.verify()).findings).toEqual([]);
    expect(await holdfast.execute({ type: 'release', reservationId: released })).toMatchObject({ status: 'recorded' });
    // The last count of a level is among what it knew: an older one comes too late.
    const older = { storeId: STORE, productId: 'P2', counted: 1, onHandThen: 1, basedOn: null };
    const superseded = await holdfast.entry({ type: 'count', countedAt: 1, reason: 'r', items: [older] });
    expect(superseded.outcome.status).toBe('count-superseded');
  });

  it('is told of levels, settings and holds in one snapshot, in chunks', async () => {
    await reserveMany(3);
    await holdfast.projected();
    const kinds: string[] = [];
    for await (const chunk of holdfast.projections.images.image(0)) {
      kinds.push(chunk.kind);
      if (chunk.kind === 'cursors') expect(chunk.rows).toMatchObject([{ partition: PARTITION, seq: 8 }]);
    }
    expect(kinds).toEqual(['cursors', 'stores', 'products', 'levels', 'holds']);
    expect(UNSET).toEqual({ safetyStock: null, lowThreshold: null });
  });
});
