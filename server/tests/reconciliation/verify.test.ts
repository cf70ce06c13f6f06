import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chainHash } from '../../src/ledger/chain.ts';
import { InvalidHead } from '../../src/reconciliation/verify.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/stock/entry-codec.ts';
import { HQ, Installation, PARTITION } from '../projections/installation.ts';
import { everyCommand } from './every-command.ts';

const STORE = 'STORE-A';
const item = { storeId: STORE, productId: 'P1' };

let holdfast: Installation;

afterEach(() => holdfast.dispose());

async function startStocked(): Promise<void> {
  holdfast = await Installation.start();
  await holdfast.stock([STORE, 'STORE-B'], ['P1', 'P2']);
}

/** The files of an installation at rest, made once; each test spoils a copy of them. */
function spoilCopies(): void {
  let template: Installation;
  beforeAll(async () => {
    await startStocked();
    await everyCommand(holdfast);
    await holdfast.projected();
    await holdfast.stop();
    template = holdfast;
  });
  beforeEach(() => {
    holdfast = Installation.copyOf(template);
  });
  afterAll(() => template.dispose());
}

/** Writes another text for an entry, and the hashes of all entries from it on: a forgery that the chain alone cannot show. */
function rewrite(seq: number, change: (entry: Entry) => void): void {
  const stored = holdfast.ledgerRows<{ seq: number; hash: string; body: string }>(
    'select seq, hash, body from entries order by seq',
  );
  let { hash } = stored[seq - 2] ?? { hash: '' };
  for (const row of stored.slice(seq - 1)) {
    const entry = decodeEntry(row.body);
    if (row.seq === seq) change(entry);
    const body = encodeEntry(entry);
    hash = chainHash(hash, body);
    holdfast.forge(
      'update entries set body = ?, hash = ? where partition_id = ? and seq = ?',
      body,
      hash,
      PARTITION,
      row.seq,
    );
  }
  holdfast.tamper(holdfast.ledgerFile, 'update cursors set hash = ? where partition_id = ?', hash, PARTITION);
  holdfast.tamper(holdfast.file, 'update cursors set hash = ? where partition_id = ?', hash, PARTITION);
}

const onlyFinding = async (withEngine = false) => {
  const report = await holdfast.verify({}, withEngine);
  expect(report.ok).toBe(false);
  return report.findings.join('\n');
};

describe('verify', () => {
  beforeEach(startStocked);

  it('finds nothing wrong with one of every command, twice, and after a restart', async () => {
    await everyCommand(holdfast);
    const progress: [number, number][] = [];
    const report = await holdfast.verify({ onProgress: (done, total) => progress.push([done, total]) });
    expect(report).toMatchObject({ ok: true, findings: [], levels: 5, openReservations: 1 });
    expect(report.entries).toBe(report.partitions[0]?.seq);
    expect(progress.at(-1)).toEqual([report.entries, report.entries]);
    await holdfast.stop();
    await holdfast.start();
    expect(await holdfast.verify()).toEqual(report);
  });

  it('finds nothing wrong with a system that serves meanwhile', async () => {
    let stop = false;
    const sell = async () => {
      while (!stop) {
        const reservationId = await holdfast.reserve([{ ...item, quantity: 1 }]);
        await holdfast.entry({ type: 'release', reservationId });
        await delay(1);
      }
    };
    const selling = Promise.all([sell(), sell(), sell()]);
    const reports = [await holdfast.verify(), await holdfast.verify()];
    stop = true;
    await selling;
    for (const { findings } of reports) expect(findings).toEqual([]);
  }, 60_000);

  it('agrees with a head that was kept, and finds another', async () => {
    await everyCommand(holdfast);
    const [head = { partition: 0, seq: 0, hash: '' }] = (await holdfast.verify()).partitions;
    await holdfast.reserve([{ ...item, quantity: 1 }]);
    const text = ({ seq, hash }: { seq: number; hash: string }) => `${PARTITION}:${seq}:${hash}`;
    expect((await holdfast.verify({ head: text(head) })).ok).toBe(true);
    expect((await holdfast.verify({ head: text({ ...head, hash: 'a'.repeat(64) }) })).findings.join()).toContain(
      'the ledger was rewritten',
    );
    expect((await holdfast.verify({ head: text({ ...head, seq: 999 }) })).findings.join()).toContain(
      'entries were removed',
    );
    await expect(holdfast.verify({ head: 'nonsense' })).rejects.toThrow(InvalidHead);
    await expect(holdfast.verify({ head: text(head).replace(/^\d+/, '64') })).rejects.toThrow(InvalidHead);
  });
});

describe('verify finds in the ledger', () => {
  spoilCopies();

  it('an edited text', async () => {
    holdfast.forge("update entries set body = replace(body, 'found', 'stolen') where type = 'adjust'");
    expect(await onlyFinding()).toMatch(/^entry 10 of partition 9: its text was changed, or the entry before it/);
  });

  it('a swapped hash', async () => {
    holdfast.forge('update entries set hash = (select hash from entries where seq = 3) where seq = 7');
    expect(await onlyFinding()).toContain('entry 7 of partition 9: its text was changed');
  });

  it('a removed last entry', async () => {
    holdfast.forge('delete from entries where seq = (select max(seq) from entries)');
    expect(await onlyFinding()).toMatch(/partition 9 ends at entry (\d+), its cursor at \d+: entries were removed/);
  });

  it('a removed last entry, with the cursor moved back', async () => {
    holdfast.forge('delete from entries where seq = (select max(seq) from entries)');
    holdfast.tamper(
      holdfast.ledgerFile,
      `update cursors set (seq, hash) = (select seq, hash from entries order by seq desc limit 1) where partition_id = ${PARTITION}`,
    );
    expect(await onlyFinding()).toContain('was projected: entries were removed');
  });

  it('a removed entry in the middle', async () => {
    holdfast.forge('delete from entries where seq = 9');
    expect(await onlyFinding()).toContain(
      'entry 10 of partition 9: it follows entry 8: the entries between them are missing',
    );
  });

  it.each([
    ['hq_id', "'HQ-X'"],
    ['operation_id', "'another'"],
    ['type', "'issue'"],
    ['at', '1'],
  ])('a column %s that contradicts the text', async (column, value) => {
    holdfast.forge(`update entries set ${column} = ${value} where seq = 10`);
    expect(await onlyFinding()).toMatch(/^entry 10 of partition 9: its column/);
  });

  it('a quantity changed with every hash after it made anew', async () => {
    rewrite(10, (entry) => {
      const [line] = entry.lines;
      if (line !== undefined) line.onHandChange = 4;
    });
    const found = await onlyFinding();
    expect(found).toContain('entry 10 of partition 9: it says lines');
    expect(found).toContain('it read level STORE-A/P1');
    expect(found).not.toContain('its text was changed');
  });

  it('an outcome, a hold and a time changed with every hash made anew', async () => {
    rewrite(17, (entry) => {
      entry.outcome = { status: 'done' };
      entry.at = 1;
    });
    expect(await onlyFinding()).toContain('it says outcome');
    rewrite(18, (entry) => {
      const [hold] = entry.holds;
      if (hold !== undefined) hold.transactionId = 'another';
    });
    const found = await onlyFinding();
    expect(found).toContain('entry 18 of partition 9: it says holds');
    expect(found).toContain('its time is before that of the entry before it');
  });

  it('what nobody but a kept head shows: the last entry changed by rule, with its hashes', async () => {
    const [head = { seq: 0, hash: '' }] = (await holdfast.verify({}, false)).partitions;
    rewrite(head.seq, (entry) => {
      entry.actor = { subject: 'innocent', role: 'admin' };
    });
    const report = await holdfast.verify({ head: `${PARTITION}:${head.seq}:${head.hash}` }, false);
    expect(report.findings.join('\n')).toContain('the ledger was rewritten');
  });
});

describe('verify finds in the projections', () => {
  spoilCopies();

  it.each([
    ['update levels set on_hand = on_hand + 1 where level_id = 2', 'on_hand|onHand'],
    ['update levels set safety_stock = 1 where level_id = 2', 'safetyStock'],
    ['update levels set counted_at = null where counted_at is not null', 'countedAt'],
    ['delete from levels where level_id = 2', 'levels; the entries make 5'],
    ['update movements set reserved = reserved + 1 where seq = 20 and line = 0', 'movement 0'],
    ['delete from movements where seq = 20', 'movement 0 is missing'],
    ['insert into movements values (1, 9999, 0, 1, 1, 1, 1, 1, 1)', "the projection's table movements has"],
    ['update counts set difference = difference + 1', 'the count of'],
    ['delete from movement_references', 'reference O-1 is missing'],
    ['update open_reservations set hold = replace(hold, \'"O-3"\', \'"O-4"\')', 'should be'],
    ['delete from open_reservations', 'has 0 open reservations'],
    [
      'insert into open_reservations (reservation_key, hq_no, hold) select reservation_key, hq_no, hold from closed_reservations limit 1',
      'is not open',
    ],
    [
      'update closed_reservations set hold = replace(hold, \'"O-1"\', \'"O-9"\') where hold like \'%"O-1"%\'',
      'should be',
    ],
    ['update closed_reservations set closed_at = closed_at + 1', 'should be'],
    ["delete from closed_reservations where hold like '%O-5%'", 'is missing in the projection'],
    ['update audit set actor_no = actor_no + 1 where seq = 12', 'its audit is missing or differs'],
    ['delete from audit where seq = 12', 'its audit is missing or differs'],
    ["update settings set low_threshold = 99 where kind = 'store'", 'its setting'],
    ["update level_keys set product_id = 'P9' where level_id = 2", 'P9'],
  ])('%s', async (sql, sentence) => {
    holdfast.tamper(holdfast.file, sql);
    expect(await onlyFinding()).toMatch(new RegExp(sentence));
  });

  it('that they stand still', async () => {
    await holdfast.start();
    holdfast.tamper(holdfast.file, 'update levels set version = version + 1');
    await holdfast.entry({ type: 'issue', items: [{ ...item, quantity: 1 }] });
    expect(await onlyFinding()).toContain('the projections of partition 9 stand at entry');
  });
});

describe('verify finds in the engine', () => {
  beforeEach(async () => {
    await startStocked();
    await everyCommand(holdfast);
  });

  const replaced = (
    name: 'levels' | 'totals' | 'hold' | 'counts',
    change: (answer: Record<string, unknown>) => void,
  ) => {
    const original = holdfast.engine[name].bind(holdfast.engine) as (...args: unknown[]) => unknown;
    Object.assign(holdfast.engine, {
      [name]: (...args: unknown[]) => {
        const answer = structuredClone(original(...args)) as Record<string, unknown> | Record<string, unknown>[] | null;
        for (const each of Array.isArray(answer) ? answer : [answer]) if (each !== null) change(each);
        return answer;
      },
    });
  };

  it('a level that another hand changed', async () => {
    replaced('levels', (level) => {
      if (level.storeId === STORE && level.productId === 'P1') level.reserved = 77;
    });
    const found = await onlyFinding(true);
    expect(found).toContain('the engine says of level HQ001/STORE-A/P1');
    expect(found).toContain("the engine's totals of HQ001/P1");
  });

  it('a level that fell behind', async () => {
    replaced('levels', (level) => {
      if (level.storeId === STORE && level.productId === 'P2') level.version = 0;
    });
    expect(await onlyFinding(true)).toContain('it has reached version 1');
  });

  it('a level that is ahead of all that is recorded', async () => {
    replaced('levels', (level) => {
      if (level.storeId === STORE && level.productId === 'P2') level.version = 9;
    });
    expect(await onlyFinding(true)).toContain('it has not passed version 1');
  });

  it('safety stock that nobody set', async () => {
    replaced('levels', (level) => {
      if (level.storeId === STORE && level.productId === 'P2') level.safetyStock = 1;
    });
    expect(await onlyFinding(true)).toContain('the engine says of level HQ001/STORE-A/P2');
  });

  it('totals that are not the sum', async () => {
    replaced('totals', (totals) => {
      if (totals.productId === 'P2') totals.onHand = 1;
    });
    expect(await onlyFinding(true)).toContain("the engine's totals of HQ001/P2");
  });

  it('a hold that is not as it was recorded', async () => {
    replaced('hold', ({ hold }) => {
      (hold as { expiresAt: number }).expiresAt = 1;
    });
    expect(await onlyFinding(true)).toContain('the engine says of reservation');
  });

  it('levels and holds that no entry made', async () => {
    replaced('counts', (counts) => {
      counts.openHolds = 2;
    });
    expect(await onlyFinding(true)).toContain(
      'the engine has 5 levels and 2 open reservations; the entries make 5 and 1',
    );
  });

  it('nothing, when it was filled anew', async () => {
    await holdfast.stop();
    await holdfast.start();
    expect(HQ).toBe('HQ001');
    expect((await holdfast.verify()).findings).toEqual([]);
  });
});
