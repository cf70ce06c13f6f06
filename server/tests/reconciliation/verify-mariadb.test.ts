/** Verify on MariaDB: the walk is the one of SQLite, so each kind of row and of entry is spoilt once. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HQ, PARTITION } from '../projections/installation.ts';
import { describeMariadb } from '../projections/installations.ts';
import { MariadbInstallation } from '../projections/mariadb-installation.ts';
import { asAdmin, freshDatabase } from '../support/mariadb-database.ts';
import { everyCommand } from './every-command.ts';

const STORE = 'STORE-A';
const item = { storeId: STORE, productId: 'P1' };
const THE_LEVEL = `where hq_id = '${HQ}' and store_id = '${STORE}' and product_id = 'P1'`;

describeMariadb('verify on MariaDB', (server) => {
  let holdfast: MariadbInstallation;
  let template: MariadbInstallation;

  beforeAll(async () => {
    template = new MariadbInstallation(await freshDatabase(server()));
    await template.start();
    await template.stock([STORE, 'STORE-B'], ['P1', 'P2']);
    await everyCommand(template);
    await template.projected();
    await template.stop();
  });
  beforeEach(async () => {
    const access = await freshDatabase(server());
    const from = template.access.database;
    const tables = await asAdmin<{ name: string }>(server(), [
      `select table_name as name from information_schema.tables where table_schema = '${from}'`,
    ]);
    await asAdmin(
      server(),
      tables.flatMap(({ name }) => [
        `create table ${access.database}.${name} like ${from}.${name}`,
        `insert into ${access.database}.${name} select * from ${from}.${name}`,
      ]),
    );
    holdfast = new MariadbInstallation(access);
    holdfast.nowMs = template.nowMs + 60_000;
  });
  afterEach(() => holdfast.dispose());

  const onlyFinding = async () => {
    const report = await holdfast.verify({}, false);
    expect(report.ok).toBe(false);
    return report.findings.join('\n');
  };

  it('finds nothing wrong with one of every command, at rest, running, and with the engine', async () => {
    const progress: [number, number][] = [];
    const report = await holdfast.verify({ onProgress: (done, total) => progress.push([done, total]) }, false);
    expect(report).toMatchObject({ ok: true, findings: [], levels: 5, openReservations: 1 });
    expect(report.entries).toBe(report.partitions[0]?.seq);
    expect(progress.at(-1)).toEqual([report.entries, report.entries]);
    await holdfast.start();
    expect(await holdfast.verify()).toEqual(report);
  });

  it('finds nothing wrong with a system that serves meanwhile', async () => {
    await holdfast.start();
    let stop = false;
    const sell = async () => {
      while (!stop) {
        const reservationId = await holdfast.reserve([{ ...item, quantity: 1 }]);
        await holdfast.entry({ type: 'release', reservationId });
        await delay(1);
      }
    };
    const selling = Promise.all([sell(), sell()]);
    const { findings } = await holdfast.verify();
    stop = true;
    await selling;
    expect(findings).toEqual([]);
  }, 60_000);

  it('agrees with a head that was kept, and finds another', async () => {
    const [head = { seq: 0, hash: '' }] = (await holdfast.verify({}, false)).partitions;
    const text = (seq: number, hash: string) => ({ head: `${PARTITION}:${seq}:${hash}` });
    expect((await holdfast.verify(text(head.seq, head.hash), false)).ok).toBe(true);
    const rewritten = await holdfast.verify(text(head.seq, 'a'.repeat(64)), false);
    expect(rewritten.findings.join()).toContain('the ledger was rewritten');
    expect((await holdfast.verify(text(999, head.hash), false)).findings.join()).toContain('entries were removed');
  });

  it('finds what the engine says otherwise', async () => {
    await holdfast.start();
    const levels = holdfast.engine.levels.bind(holdfast.engine);
    holdfast.engine.levels = (hqId, keys) =>
      levels(hqId, keys).map((level) => (level === null ? null : { ...level, reserved: level.reserved + 1 }));
    const { findings } = await holdfast.verify();
    expect(findings.join('\n')).toContain('the engine says of level HQ001/STORE-A/P1');
  });

  describe('finds in the ledger', () => {
    it.each([
      ["update entries set body = replace(body, 'found', 'stolen') where type = 'adjust'", 'its text was changed'],
      ['update entries set hash = repeat("0", 64) where seq = 7', 'entry 7 of partition 9: its text was changed'],
      ['delete from entries where seq = 9', 'it follows entry 8: the entries between them are missing'],
      ['delete from entries order by seq desc limit 1', 'entries were removed'],
      ["update entries set operation_id = 'another' where seq = 10", 'entry 10 of partition 9: its column'],
    ])('%s', async (sql, sentence) => {
      await holdfast.change(sql);
      expect(await onlyFinding()).toContain(sentence);
    });
  });

  describe('finds in the projections', () => {
    it.each([
      [`update {levels} set on_hand = on_hand + 1 ${THE_LEVEL}`, 'onHand'],
      [`update {levels} set safety_stock = 1 ${THE_LEVEL}`, 'safetyStock'],
      ['update {levels} set counted_at = null where counted_at is not null', 'countedAt'],
      [`delete from {levels} ${THE_LEVEL}`, 'levels; the entries make 5'],
      [`update {levels} set product_id = 'P9' ${THE_LEVEL}`, 'P9 is in the projection, but no entry made it'],
      ['update {movements} set reserved = reserved + 1 where seq = 20 and line = 0', 'movement 0'],
      ['delete from {movements} where seq = 20', 'movement 0 is missing'],
      [
        `insert into {movements} values (9, '${HQ}', 'A', 'B', 9999, 0, 1, 1, 1, 1, 1, 1)`,
        "the projection's table movements has",
      ],
      ['update {counts} set difference = difference + 1', 'the count of'],
      ["delete from {movement_references} where reference = 'O-1'", 'reference O-1 is missing'],
      ['update {open_reservations} set hold = replace(hold, \'"O-3"\', \'"O-4"\')', 'should be'],
      ['delete from {open_reservations}', 'has 0 open reservations'],
      [
        `insert into {open_reservations} select partition_id, json_value(hold, '$[0]'), hq_id, hold
         from {closed_reservations} limit 1`,
        'is not open',
      ],
      ['update {closed_reservations} set closed_at = closed_at + 1', 'should be'],
      ["delete from {closed_reservations} where hold like '%O-5%'", 'is missing in the projection'],
      ["update {audit} set actor = 'another' where seq = 12", 'its audit is missing or differs'],
      ['delete from {audit} where seq = 12', 'its audit is missing or differs'],
      ["update {settings} set low_threshold = 99 where kind = 'store'", 'its setting'],
    ])('%s', async (sql, sentence) => {
      await holdfast.change(sql);
      expect(await onlyFinding()).toContain(sentence);
    });

    it('that they stand still', async () => {
      await holdfast.start();
      await holdfast.change('update {levels} set version = version + 1');
      await holdfast.entry({ type: 'issue', items: [{ ...item, quantity: 1 }] });
      expect(await onlyFinding()).toContain('the projections of partition 9 stand at entry');
    });
  });
});
