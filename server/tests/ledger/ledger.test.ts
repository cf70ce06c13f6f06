/** What every ledger promises, on SQLite and on MariaDB. Rules are those of the recording protocol. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { chainHash, genesisHash } from '../../src/ledger/chain.ts';
import { type Ledger, LedgerConflict, undoIdOf } from '../../src/ledger/ledger.ts';
import { encodeEntry } from '../../src/stock/entry-codec.ts';
import { PARTITION_COUNT } from '../../src/stock/limits.ts';
import type { RecordedHead } from '../../src/stock/stock-engine.ts';
import { describeLedgers, type LedgerFixture, recordOf } from './ledger-adapters.ts';
import { sampleEntry } from './sample-entry.ts';

describeLedgers('ledger', (fresh) => {
  let fixture: LedgerFixture;
  let ledger: Ledger;

  beforeEach(async () => {
    fixture = await fresh();
    ledger = await fixture.open();
  });
  afterEach(async () => {
    await ledger.close();
    await fixture.remove();
  });

  async function headOf(partition: number): Promise<RecordedHead> {
    const head = (await ledger.heads()).find((each) => each.partition === partition);
    if (head === undefined) throw new Error(`no head of partition ${partition}`);
    return head;
  }

  async function recorded(...records: ReturnType<typeof recordOf>[]): Promise<RecordedHead[]> {
    const result = await ledger.record(records);
    if (result.status !== 'recorded') throw new Error(JSON.stringify(result));
    return result.heads;
  }

  it('is an installation of its own, and stays it', async () => {
    const { installationId, createdAt } = await ledger.identity();
    const heads = await ledger.heads();
    expect(heads).toHaveLength(PARTITION_COUNT);
    expect(heads.map(({ hash }) => hash)).toEqual(heads.map((_, index) => genesisHash(installationId, index)));
    await ledger.close();
    ledger = await fixture.open();
    expect(await ledger.identity()).toEqual({ installationId, createdAt });
    expect(await ledger.heads()).toEqual(heads);
  });

  it('rule 10: records entries of several partitions, each chained to the one before, byte for byte', async () => {
    const texts = ['{"a":"서울 1호점 🛒 \\u0000"}', `{"long":"${'x'.repeat(200_000)}"}`, "{'quotes':\"\\\\'\"}"];
    const [three, nine] = await Promise.all([headOf(3), headOf(9)]);
    const bodies = texts.map((body, index) => ({ body, operationId: `text-${index}` }));
    const heads = await recorded(recordOf(nine, {}), recordOf(three, ...bodies));
    expect(heads).toMatchObject([
      { partition: 9, seq: 1 },
      { partition: 3, seq: 3 },
    ]);
    expect([await headOf(9), await headOf(3)]).toEqual(heads);
    const stored = await ledger.entries(3, 0, 10);
    let { hash } = three;
    for (const [index, body] of texts.entries()) {
      hash = chainHash(hash, body);
      expect(stored[index]).toEqual({ partition: 3, seq: index + 1, hash, body });
    }
    await recorded(recordOf(heads[1] as RecordedHead, { operationId: 'next' }));
    expect((await headOf(3)).seq).toBe(4);
  });

  it('rule 10: records nothing at all when one cursor stands elsewhere, and names it', async () => {
    const [three, nine] = await Promise.all([headOf(3), headOf(9)]);
    await recorded(recordOf(three, {}));
    const result = await ledger.record([recordOf(nine, { operationId: 'n' }), recordOf(three, { operationId: 'm' })]);
    expect(result).toEqual({ status: 'conflict', partitions: [3] });
    expect(await headOf(9)).toEqual(nine);
    expect((await headOf(3)).seq).toBe(1);
    expect(await ledger.entries(9, 0, 10)).toEqual([]);
  });

  it('rule 10: tells a recorder that was overtaken so, and not that its entries are duplicates', async () => {
    const head = await headOf(3);
    await recorded(recordOf(head, {}, {}));
    expect(await ledger.record([recordOf(head, {}, {})])).toEqual({ status: 'conflict', partitions: [3] });
  });

  it('rule 14: names every operation id of a batch that is taken, and records nothing of it', async () => {
    const head = await headOf(3);
    const [first] = await recorded(recordOf(head, { operationId: 'a' }, { operationId: 'b' }));
    const again = recordOf(first as RecordedHead, { operationId: 'b' }, { operationId: 'c' }, { operationId: 'a' });
    const result = await ledger.record([again, recordOf(await headOf(9), { operationId: 'd' })]);
    if (result.status !== 'duplicate') throw new Error(JSON.stringify(result));
    expect(result.found.toSorted((one, other) => one.seq - other.seq)).toEqual([
      { hqId: 'HQ001', operationId: 'a', partition: 3, seq: 1, fingerprint: 'fingerprint-1' },
      { hqId: 'HQ001', operationId: 'b', partition: 3, seq: 2, fingerprint: 'fingerprint-2' },
    ]);
    expect(await headOf(3)).toEqual(first);
    expect((await headOf(9)).seq).toBe(0);
    expect(await ledger.findOperations('HQ001', ['c', 'd'])).toEqual([]);
  });

  it('rule 14: keeps ids apart by HQ and by letter case', async () => {
    const ids = [{ operationId: 'a' }, { operationId: 'A' }, { operationId: 'a', hqId: 'hq001' }];
    await recorded(recordOf(await headOf(3), ...ids));
    expect(await ledger.findOperations('hq001', ['a', 'A'])).toMatchObject([{ seq: 3 }]);
    expect(await ledger.findOperations('HQ001', ['A'])).toMatchObject([{ seq: 2 }]);
  });

  it('rule 14: remembers what was decided twice until its undoing is recorded', async () => {
    const body = (seq: number) => encodeEntry(sampleEntry({ partition: 3, seq }));
    const head = await headOf(3);
    const second = { operationId: null, duplicateOf: 1, body: body(2) };
    const [after] = await recorded(recordOf(head, { body: body(1) }, second, { ...second, body: body(3) }));
    expect((await ledger.pendingUndos()).map(({ seq }) => seq)).toEqual([2, 3]);
    await recorded(recordOf(after as RecordedHead, { operationId: undoIdOf(3, 2), body: body(4) }));
    expect((await ledger.pendingUndos()).map(({ seq }) => seq)).toEqual([3]);
  });

  it('records nothing of a batch that holds an operation id twice', async () => {
    const head = await headOf(3);
    const result = await ledger.record([recordOf(head, { operationId: 'a' }, { operationId: 'a' })]);
    expect(result.status).not.toBe('recorded');
    expect(await headOf(3)).toEqual(head);
  });

  it('rule 15: opens an epoch in all of the given partitions or in none, and never on a cursor that moved', async () => {
    const [three, nine] = await Promise.all([headOf(3), headOf(9)]);
    const [moved] = await recorded(recordOf(three, {}));
    await expect(ledger.openEpoch([nine, three])).rejects.toThrow(LedgerConflict);
    await expect(ledger.openEpoch([nine, three])).rejects.toThrow('partition 3 was moved');
    expect((await headOf(9)).epoch).toBe(0);
    const opened = await ledger.openEpoch([nine, moved as RecordedHead]);
    expect(opened).toMatchObject([
      { partition: 9, epoch: 1, seq: 0, hash: nine.hash },
      { partition: 3, epoch: 1, seq: 1, hash: moved?.hash },
    ]);
    expect([await headOf(9), await headOf(3)]).toEqual(opened);
  });

  it('rule 11: refuses a recorder of an epoch that is over', async () => {
    const head = await headOf(3);
    const [opened] = await ledger.openEpoch([head]);
    expect(await ledger.record([recordOf(head, {})])).toEqual({ status: 'conflict', partitions: [3] });
    await recorded(recordOf(opened as RecordedHead, {}));
  });

  it('reads entries in order, as many as asked for, fewer when they are large, none only at the end', async () => {
    const [head] = await recorded(recordOf(await headOf(3), ...Array.from({ length: 300 }, () => ({}))));
    const seqs = async (after: number, limit: number) => (await ledger.entries(3, after, limit)).map(({ seq }) => seq);
    expect(await seqs(0, 3)).toEqual([1, 2, 3]);
    expect(await seqs(298, 10)).toEqual([299, 300]);
    expect(await seqs(300, 10)).toEqual([]);
    expect(await seqs(0, 1_000)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    const large = Array.from({ length: 9 }, (_, index) => ({
      body: String(index).repeat(900_000),
      operationId: `l${index}`,
    }));
    await recorded(recordOf(head as RecordedHead, ...large));
    const read = await seqs(300, 1_000);
    expect(read.length).toBeGreaterThan(0);
    let after = 300;
    while (after < 309) after = (await seqs(after, 1_000)).at(-1) ?? Number.NaN;
    expect(after).toBe(309);
  });

  it('reads single entries, operations, and the last entry before an instant', async () => {
    const at = [10, 10, 20, 30];
    const rows = at.map((each, index) => ({
      at: each,
      body: encodeEntry(sampleEntry({ partition: 3, seq: index + 1 })),
      operationId: index === 1 ? null : `op-${index + 1}`,
    }));
    await recorded(recordOf(await headOf(3), ...rows));
    expect(await ledger.entry(3, 2)).toEqual(sampleEntry({ partition: 3, seq: 2 }));
    expect(await ledger.entry(3, 5)).toBeNull();
    const instants = [9, 10, 11, 20, 21, 31];
    expect(await Promise.all(instants.map((instant) => ledger.seqBefore(3, instant)))).toEqual([0, 0, 2, 2, 3, 4]);
    expect(await ledger.seqBefore(4, 100)).toBe(0);
    expect(await ledger.operations(3, 1, 10)).toEqual([
      { partition: 3, seq: 3, at: 20, hqId: 'HQ001', operationId: 'op-3' },
      { partition: 3, seq: 4, at: 30, hqId: 'HQ001', operationId: 'op-4' },
    ]);
    expect(await ledger.operations(3, 0, 1)).toMatchObject([{ seq: 1 }]);
  });

  it('finds the operations of a long list', async () => {
    await recorded(recordOf(await headOf(3), ...Array.from({ length: 1_200 }, () => ({}))));
    const ids = Array.from({ length: 1_300 }, (_, index) => `operation-${index + 1}`);
    expect(await ledger.findOperations('HQ001', ids)).toHaveLength(1_200);
  });

  it('keeps entries from being changed', async () => {
    await recorded(recordOf(await headOf(3), {}));
    await expect(fixture.sql("update entries set body = 'x'")).rejects.toThrow('append-only');
    await expect(fixture.sql('delete from entries')).rejects.toThrow('append-only');
    expect(await ledger.entries(3, 0, 10)).toHaveLength(1);
  });

  it('refuses a schema of a newer version, and says what to do', async () => {
    await fixture.sql("insert into kysely_migration (name, timestamp) values ('9999-later', 'now')");
    const opening = fixture.open();
    await expect(opening).rejects.toMatchObject({ name: 'LedgerUnusable', code: 'LEDGER_TOO_NEW' });
    await expect(opening).rejects.toThrow('9999-later');
  });

  it('refuses a ledger whose cursor does not stand on its last entry', async () => {
    await recorded(recordOf(await headOf(3), {}, {}));
    await fixture.sql('update cursors set seq = 1 where partition_id = 3');
    await expect(fixture.open()).rejects.toMatchObject({ name: 'LedgerUnusable', code: 'LEDGER_CORRUPT' });
  });
});
