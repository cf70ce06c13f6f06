/** The journal as a recorder reads it, and an engine that is filled again: the engine's side of rules 8, 15 and 17. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { chainedMark, type JournalEntry, journalEntryOf } from '../../../src/stock/redis/journal-entry.ts';
import { epochPrefix, headKey, journalKey, WAKE_CHANNEL } from '../../../src/stock/redis/keys.ts';
import type { RedisReply } from '../../../src/stock/redis/redis-connection.ts';
import { RedisJournal } from '../../../src/stock/redis/redis-journal.ts';
import type { SharedHead } from '../../../src/stock/shared-engine.ts';
import type { ImageChunk } from '../../../src/stock/stock-engine.ts';
import { type RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { HQ, reserveOf, unitsOf } from '../requests.ts';
import { EngineRig, headOf } from './engine-rig.ts';

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const PARTITION = partitionOf(HQ);
const JOURNAL = journalKey(PARTITION, 1);

describeWith(['redis'], 'the journal of the Redis engine', () => {
  let server: RedisTestServer;
  const rigs: EngineRig[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });
  beforeEach(() => server.ask('FLUSHALL'));
  afterAll(async () => {
    for (const rig of rigs) await rig.close();
    await server.stop();
  });

  async function open(): Promise<EngineRig> {
    const rig = await EngineRig.open({ kind: 'standalone', url: server.url });
    rigs.push(rig);
    return rig;
  }

  /** A store S1, a product P1, ten units of it: three entries, recorded. */
  async function stocked(): Promise<EngineRig> {
    const rig = await open();
    await rig.openEmpty();
    await rig.decided({ type: 'configure-store', storeId: 'S1', settings: { safetyStock: null, lowThreshold: 4 } });
    await rig.decided({ type: 'configure-product', productId: 'P1', settings: NO_SETTINGS });
    await rig.decided({ type: 'receive', items: [unitsOf(10)] }, 'stock');
    await rig.record();
    return rig;
  }

  const look = async (rig: EngineRig, head: SharedHead = rig.head()) => (await rig.journal.read([head], 100, 300))[0];

  async function everyKey(epoch: number): Promise<Record<string, RedisReply>> {
    const keys = (await server.ask('KEYS', `${epochPrefix(PARTITION, epoch)}*`)) as string[];
    const dump: Record<string, RedisReply> = {};
    for (const key of keys.sort()) {
      const name = key.slice(epochPrefix(PARTITION, epoch).length);
      if (name === 'journal' || name === 'begun') continue;
      dump[name] = await contentOf(key);
    }
    return dump;
  }

  async function contentOf(key: string): Promise<RedisReply> {
    switch (await server.ask('TYPE', key)) {
      case 'hash': {
        const pairs = (await server.ask('HGETALL', key)) as string[];
        const sorted = Object.entries(Object.groupBy(pairs, (_each, index) => String(Math.floor(index / 2))));
        // Marks of remembered operations are known to the engine that decided them alone.
        return sorted.map(([, pair]) => (pair as string[]).join(' ').replace(/^(\S+ \d+) [0-9a-f]{40}$/, '$1')).sort();
      }
      case 'zset':
        return (await server.ask('ZRANGE', key, '0', '-1', 'WITHSCORES')) as RedisReply;
      case 'list':
        return (await server.ask('LRANGE', key, '0', '-1')) as RedisReply;
      default:
        return (await server.ask('GET', key)) as RedisReply;
    }
  }

  it('wakes a reader that waits, and hands out what follows its head, in order', async () => {
    const rig = await stocked();
    const started = performance.now();
    const reading = rig.journal.read([...rig.heads.values()], 100, 10_000);
    await rig.decided(reserveOf(1), 'r1');
    expect(await reading).toMatchObject([{ kind: 'entries', batch: { entries: [{ entry: { seq: 4 } }] } }]);
    expect(performance.now() - started).toBeLessThan(8_000);
    await rig.decided(reserveOf(1), 'r2');
    const both = await look(rig);
    expect(both?.kind === 'entries' && both.batch.entries.map(({ entry }) => entry.seq)).toEqual([4, 5]);
  });

  it('looks at once at what was decided between the answer that all is recorded and its arrival', async () => {
    const rig = await stocked();
    const { connection } = rig;
    let beforeAnswer = async () => {};
    const journal = await RedisJournal.open(
      {
        async send(key, args) {
          const reply = await connection.send(key, args);
          if (args[1]?.endsWith('_recorded')) await beforeAnswer();
          return reply;
        },
        subscribe: (channel, listener) => connection.subscribe(channel, listener),
        masters: () => connection.masters(),
        close: async () => {},
      },
      rig.scripts,
    );
    const woken = Promise.withResolvers<void>();
    beforeAnswer = async () => {
      await connection.subscribe(WAKE_CHANNEL, () => woken.resolve());
      await rig.decided(reserveOf(1), 'r2');
      await woken.promise;
    };
    const before = rig.head();
    const { seq, at } = await rig.decided(reserveOf(1), 'r1');
    const [first] = await journal.read([before], 100, 10_000);
    const mark = first?.kind === 'entries' ? (first.batch.entries[0]?.mark as string) : '';
    const head = { ...before, seq, at, mark };
    await journal.recorded([head]);
    expect(await journal.read([head], 100, 20)).toMatchObject([{ batch: { entries: [{ entry: { seq: seq + 1 } }] } }]);
  });

  it('hands out at most what it is asked for, and nothing where nothing follows', async () => {
    const rig = await stocked();
    for (let index = 0; index < 10; index += 1) await rig.decided(reserveOf(1), `r${index}`);
    const some = await rig.journal.read([rig.head()], 3, 0);
    expect(some[0]?.kind === 'entries' && some[0].batch.entries.length).toBe(3);
    await rig.record();
    expect(await rig.journal.read([...rig.heads.values()], 100, 20)).toEqual([]);
  });

  it('keeps the recorded entry itself, and lets go of what is before it', async () => {
    const rig = await stocked();
    for (let index = 0; index < 300; index += 1) {
      await rig.decided({ type: 'issue', items: [unitsOf(1)] }, `i${index}`);
      if (index % 50 === 49) await rig.record();
    }
    const [[first], last] = [
      (await server.ask('XRANGE', JOURNAL, '-', '+', 'COUNT', '1')) as [[string]],
      (await server.ask('XREVRANGE', JOURNAL, '+', '-', 'COUNT', '1')) as [[string]],
    ];
    expect(Number(first?.[0]?.split('-')[1])).toBeGreaterThan(100);
    expect(last[0][0]).toBe(`1-${rig.head().seq}`);
  });

  it('rule 8: an engine behind the cursor, without a head, or of another lineage is lost', async () => {
    const rig = await stocked();
    const head = rig.head();
    const lost = async (reason: string) =>
      expect(await look(rig, head)).toMatchObject({
        kind: 'lost',
        partition: PARTITION,
        reason: expect.stringContaining(reason),
      });
    const kept = await server.ask('HGETALL', headKey(PARTITION));
    // A lagging replica that took over, on which a new entry was decided under the number of a recorded one.
    await server.ask('HSET', headKey(PARTITION), 'mark', 'f'.repeat(40));
    await lost('entry 3 of the engine is another one');
    await server.ask('HSET', headKey(PARTITION), 'seq', '2', 'recorded', '2');
    await lost('the engine is at entry 2, recorded is 3');
    await server.ask('HSET', headKey(PARTITION), 'epoch', '0');
    await lost('the engine is in epoch 0');
    await server.ask('DEL', headKey(PARTITION));
    await lost('no head');
    await server.ask('HSET', headKey(PARTITION), ...(kept as string[]));
    expect(await look(rig, head)).toBeUndefined();
  });

  it.each([
    [
      'the entry of the cursor is another one',
      async (fields: string[]) => fields.map((each, index) => (fields[index - 1] === 'mark' ? '0'.repeat(40) : each)),
      3,
    ],
    [
      'an entry was changed',
      async (fields: string[]) => fields.map((each) => each.replace('"subject":"tests"', '"subject":"other"')),
      4,
    ],
    ['an entry is missing', async () => null, 4],
  ])('rule 8: a journal in which %s is lost', async (_what, change, seq) => {
    const rig = await stocked();
    await rig.decided(reserveOf(1), 'r1');
    await rig.decided(reserveOf(1), 'r2');
    const entries = (await server.ask('XRANGE', JOURNAL, '-', '+')) as [string, string[]][];
    await server.ask('DEL', JOURNAL);
    for (const [id, fields] of entries) {
      const changed = id === `1-${seq}` ? await change(fields) : fields;
      if (changed !== null) await server.ask('XADD', JOURNAL, id, ...changed);
    }
    expect(await look(rig)).toMatchObject({ kind: 'lost' });
  });

  it('rule 8: in a fresh epoch the first entry must continue its start', async () => {
    const rig = await stocked();
    await rig.rebuild();
    await rig.decided(reserveOf(1), 'r1');
    expect(await look(rig)).toMatchObject({ kind: 'entries' });
    expect(
      await look(rig, { ...rig.head(), mark: headOf({ partition: PARTITION, epoch: 2, hash: 'other' }).mark }),
    ).toMatchObject({ kind: 'lost' });
  });

  it('rule 16: an entry of a version that is not known is no loss; what is before it is recorded first', async () => {
    const rig = await stocked();
    const before = rig.head();
    await rig.decided(reserveOf(1), 'r1');
    const [[, fields]] = (await server.ask('XREVRANGE', JOURNAL, '+', '-', 'COUNT', '1')) as [[string, string[]]];
    const written = journalEntryOf(['1-4', fields]) as JournalEntry;
    const newer = { ...written, seq: 5, version: '2' };
    const mark = chainedMark(written.mark, newer);
    const { at, request, decision } = newer;
    const values = ['version', '2', 'mark', mark, 'at', at, 'request', request, 'decision', decision];
    await server.ask('XADD', JOURNAL, '1-5', ...values);
    await server.ask('HSET', headKey(PARTITION), 'seq', '5', 'mark', mark);
    const reading = await look(rig, before);
    expect(reading?.kind === 'entries' && reading.batch.entries.map(({ entry }) => entry.seq)).toEqual([4]);
    const after = { ...before, seq: 4, mark: written.mark };
    expect(await look(rig, after)).toMatchObject({ kind: 'unreadable', reason: expect.stringContaining('version 2') });
  });

  it('rule 17: an engine that knows more as recorded is ahead, not lost', async () => {
    const rig = await stocked();
    const before = rig.head();
    await rig.decided(reserveOf(1), 'r1');
    await rig.record();
    expect(await look(rig, before)).toEqual({ kind: 'ahead', partition: PARTITION, epoch: 1, seq: 4 });
    await rig.rebuild();
    expect(await look(rig, before)).toEqual({ kind: 'ahead', partition: PARTITION, epoch: 2, seq: 4 });
  });

  it('rule 15: nobody sees an epoch before it is opened, and one that was overtaken is not opened any more', async () => {
    const rig = await stocked();
    const [stalled, swift] = [headOf({ ...rig.head(), epoch: 2 }), headOf({ ...rig.head(), epoch: 3 })];
    const [one, other] = [await rig.refill.refill([stalled]), await rig.refill.refill([swift])];
    for (const entry of rig.entries) await one.replay(entry);
    expect((await rig.decide(reserveOf(1), 'r1')).kind).toBe('decided');
    for (const entry of rig.entries) await other.replay(entry);
    await other.open();
    await expect(one.open()).rejects.toThrow('epoch 2 or a later one');
    rig.heads.set(PARTITION, swift);
    // What was decided and not recorded under the old epoch is gone, with its operation id.
    expect(await rig.decide(reserveOf(1), 'r1')).toMatchObject({ kind: 'decided', place: { epoch: 3, seq: 4 } });
    await rig.refill.settled();
    expect(await server.ask('KEYS', `${epochPrefix(PARTITION, 1)}*`)).toEqual([]);
    expect(await server.ask('KEYS', `${epochPrefix(PARTITION, 2)}*`)).toEqual([]);
  });

  it('rule 15: an empty partition is not opened under an epoch that was overtaken either', async () => {
    const rig = await stocked();
    const partition = PARTITION + 1;
    const [one, other] = [
      await rig.refill.refill([headOf({ partition, epoch: 2 })]),
      await rig.refill.refill([headOf({ partition, epoch: 3 })]),
    ];
    await other.open();
    await expect(one.open()).rejects.toThrow('epoch 2 or a later one');
    expect(await server.ask('HGET', headKey(partition), 'epoch')).toBe('3');
  });

  it('rule 15: an epoch that is counted a second time begins empty', async () => {
    const rig = await stocked();
    const head = headOf({ ...rig.head(), epoch: 2 });
    const first = await rig.refill.refill([head]);
    for (const entry of rig.entries) await first.replay(entry);
    // So many that they are sent before the other begins.
    const stores = Array.from({ length: 1_000 }, (_, index) => ({
      hqId: HQ,
      storeId: `S${index + 7}`,
      settings: NO_SETTINGS,
    }));
    await first.load({ kind: 'stores', rows: stores });
    const second = await rig.refill.refill([head]);
    for (const entry of rig.entries) await second.replay(entry);
    await second.open();
    rig.heads.set(PARTITION, head);
    expect(await rig.engine.levels(HQ, [{ storeId: 'S7', productId: 'P1' }])).toEqual([null]);
    expect(await rig.engine.totals(HQ, 'P1')).toMatchObject({ onHand: 10 });
  });

  it('does not open at a head up to which it was not filled', async () => {
    const rig = await stocked();
    const filling = await rig.refill.refill([headOf({ ...rig.head(), epoch: 2 })]);
    await expect(filling.open()).rejects.toThrow('filled up to entry 0');
  });

  it('filled from entries it is what it was, key by key', async () => {
    const rig = await stocked();
    const reserve = reserveOf(2, 1_000);
    const kept = reserveOf(1);
    await rig.decided({
      type: 'configure-level',
      storeId: 'S1',
      productId: 'P1',
      settings: { safetyStock: 1, lowThreshold: 2 },
    });
    await rig.decided({ type: 'receive', items: [{ ...unitsOf(7), storeId: 'HQ' }] }, 'pool');
    await rig.decided({ type: 'configure-product', productId: 'P1', settings: { safetyStock: 2, lowThreshold: null } });
    await rig.decided(
      { type: 'distribute', storeId: 'S1', items: [{ ...unitsOf(2), storeId: 'HQ' }], reason: 'r' },
      'd1',
    );
    await rig.decided(reserve, 'r1');
    await rig.decided(kept, 'r2');
    rig.clock.nowMs += 2_000;
    await rig.decided({ type: 'confirm', reservationId: reserve.reservationId, orderId: 'O1', keepRest: false }, 'c1');
    const counted = { storeId: 'S1', productId: 'P1', counted: 9, onHandThen: null, basedOn: null };
    await rig.decided({ type: 'count', countedAt: null, items: [counted], reason: 'r' }, 'n1');
    await rig.decided({ type: 'configure-level', storeId: 'S1', productId: 'P1', settings: NO_SETTINGS });
    await rig.record();
    const before = { keys: await everyKey(1), counts: await rig.engine.counts() };
    await rig.rebuild();
    // Everything but the epoch is as before; `removed` keeps the old one until the sweep.
    expect({ keys: await everyKey(2), counts: await rig.engine.counts() }).toEqual(before);
    expect(Object.keys(before.keys).length).toBeGreaterThan(9);
  });

  it('filled from an image it answers as the image says', async () => {
    const rig = await stocked();
    const head = { ...headOf({ ...rig.head(), epoch: 2 }), seq: 50 };
    const hold = { ...(await holdOf(rig)), reservationId: `rsv_${PARTITION}_${'a'.repeat(24)}` };
    const chunks: ImageChunk[] = [
      { kind: 'cursors', rows: [{ partition: PARTITION, seq: 50, hash: '', at: rig.clock.nowMs + 500 }] },
      { kind: 'stores', rows: [{ hqId: HQ, storeId: 'S1', settings: { safetyStock: null, lowThreshold: 3 } }] },
      { kind: 'products', rows: [{ hqId: HQ, productId: 'P1', settings: { safetyStock: 5, lowThreshold: null } }] },
      {
        kind: 'levels',
        rows: ['S1', 'HQ'].map((storeId, index) => ({
          hqId: HQ,
          storeId,
          productId: 'P1',
          onHand: 20,
          reserved: index === 0 ? 3 : 0,
          version: 9,
          safetyStock: index === 0 ? null : 1,
          lowThreshold: null,
          lastCount: null,
          updatedAt: 77,
        })),
      },
      { kind: 'holds', rows: [{ hqId: HQ, hold, closedAt: null }] },
      { kind: 'window', partition: PARTITION, afterSeq: 40 },
      { kind: 'operations', rows: [{ partition: PARTITION, seq: 45, at: 1, hqId: HQ, operationId: 'known' }] },
    ];
    const filling = await rig.refill.refill([head]);
    for (const chunk of chunks) await filling.load(chunk);
    await filling.open();
    rig.heads.set(PARTITION, head);
    expect(await rig.engine.levels(HQ, [{ storeId: 'S1', productId: 'P1' }])).toMatchObject([
      { onHand: 20, reserved: 3, safetyStock: 5, lowThreshold: 3, version: 9, hqOnHand: 40 },
    ]);
    expect(await rig.engine.totals(HQ, 'P1')).toEqual({
      productId: 'P1',
      onHand: 40,
      reserved: 3,
      safetyStock: 6,
      updatedAt: 77,
    });
    expect(await rig.engine.hold(hold.reservationId)).toMatchObject({ hqId: HQ, hold, head: { epoch: 2, seq: 50 } });
    expect(await rig.decide(reserveOf(1), 'known')).toEqual({
      kind: 'repeated',
      place: { partition: PARTITION, epoch: 2, seq: 45, mark: '' },
    });
    const receive = { type: 'receive' as const, items: [unitsOf(1)] };
    expect((await rig.decide(receive, 'new', { lookedUpAt: 39 })).kind).toBe('look-up-operation');
    const decided = await rig.decide(receive, 'new', { lookedUpAt: 40 });
    expect(decided).toMatchObject({ kind: 'decided', entry: { seq: 51, at: rig.clock.nowMs + 500 } });
    expect((await rig.engine.counts()).levels).toBe(2);
  });

  async function holdOf(rig: EngineRig) {
    const reserve = reserveOf(3);
    const { holds } = await rig.decided(reserve, 'hold');
    const [hold] = holds;
    if (hold === undefined) throw new Error('nothing was reserved');
    return hold;
  }
});
