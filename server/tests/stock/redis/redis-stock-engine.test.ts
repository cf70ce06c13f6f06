/** Deciding in Redis: rules 1 to 7 of the recording protocol, each where it would be broken. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { newReservationId, partitionOf, reservationIdOfOrder } from '../../../src/stock/identifiers.ts';
import { WINDOW_BOUNDS } from '../../../src/stock/operation-memory.ts';
import { chainedMark, type JournalEntry, journalEntryOf } from '../../../src/stock/redis/journal-entry.ts';
import { epochPrefix, headKey } from '../../../src/stock/redis/keys.ts';
import type { RedisReply } from '../../../src/stock/redis/redis-connection.ts';
import { startMark } from '../../../src/stock/shared-engine.ts';
import { type RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { HQ, reserveOf, unitsOf } from '../requests.ts';
import { EngineRig, type RigOptions } from './engine-rig.ts';

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const PARTITION = partitionOf(HQ);
const MINUTE_MS = 60_000;
const LEVEL = { storeId: 'S1', productId: 'P1' };

describeWith(['redis'], 'the Redis engine', () => {
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

  async function open(options: RigOptions = {}): Promise<EngineRig> {
    const rig = await EngineRig.open({ kind: 'standalone', url: server.url }, options);
    rigs.push(rig);
    return rig;
  }

  /** A store S1, a product P1, and this many units of it. */
  async function stocked(quantity: number, options: RigOptions = {}): Promise<EngineRig> {
    const rig = await open(options);
    await rig.openEmpty();
    await rig.decided({ type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS });
    await rig.decided({ type: 'configure-product', productId: 'P1', settings: NO_SETTINGS });
    await rig.decided({ type: 'receive', items: [unitsOf(quantity)] }, 'stock');
    return rig;
  }

  it('decides, journals, and is recorded', async () => {
    const rig = await stocked(10);
    const reserve = reserveOf(4);
    await rig.decided(reserve, 'r1');
    await rig.decided({ type: 'confirm', reservationId: reserve.reservationId, orderId: 'O1', keepRest: false }, 'c1');
    await rig.decided({ type: 'issue', items: [unitsOf(1)] }, 'i1');
    const types = (await rig.record()).map(({ command }) => command.type);
    expect(types).toEqual(['configure-store', 'configure-product', 'receive', 'reserve', 'confirm', 'issue']);
    expect((await rig.engine.levels(HQ, [LEVEL]))[0]).toMatchObject({
      onHand: 5,
      reserved: 0,
      version: 4,
      hqOnHand: 5,
    });
    expect((await rig.engine.counts()).unrecorded).toBe(0);
  });

  it('rule 1: a decision whose entry the journal refuses changes nothing', async () => {
    const rig = await stocked(10);
    const before = await server.ask('HGETALL', `${epochPrefix(PARTITION, 1)}level:${HQ}:S1:P1`);
    const head = await server.ask('HGETALL', headKey(PARTITION));
    await server.ask('XADD', `${epochPrefix(PARTITION, 1)}journal`, '1-99', 'by', 'hand');
    const reserve = reserveOf(4);
    await expect(rig.decide(reserve, 'r1')).rejects.toThrow('XADD');
    expect(await server.ask('HGETALL', `${epochPrefix(PARTITION, 1)}level:${HQ}:S1:P1`)).toEqual(before);
    expect(await server.ask('HGETALL', headKey(PARTITION))).toEqual(head);
    expect(await rig.engine.hold(reserve.reservationId)).toBeNull();
    expect(await server.ask('HGET', `${epochPrefix(PARTITION, 1)}operations`, `${HQ}/r1`)).toBeNull();
  });

  it('rule 2: an engine without a head, of another epoch or behind the recorded head answers nothing', async () => {
    const rig = await stocked(10);
    await rig.record();
    const head = rig.head();
    const expectLost = async (reason: string) => {
      rig.lost.length = 0;
      // None of these may be answered from what is, or is not, there.
      const unknown = { type: 'issue' as const, items: [{ storeId: 'S1', productId: 'P9', quantity: 1 }] };
      const closed = { kind: 'unavailable', reason: 'not-open' };
      expect(await rig.decide(reserveOf(1), 'late')).toEqual(closed);
      expect(await rig.decide(unknown, 'unknown', { lookedUpAt: 99 })).toEqual(closed);
      await expect(rig.engine.levels(HQ, [LEVEL])).rejects.toThrow(reason);
      await expect(rig.engine.totals(HQ, 'P1')).rejects.toThrow(reason);
      await expect(rig.engine.hold(newReservationId(PARTITION))).rejects.toThrow(reason);
      await expect(rig.engine.head(HQ)).rejects.toThrow(reason);
      expect(await rig.engine.expireDue()).toEqual({ holds: 0, latestMs: 0 });
      expect(rig.lost.length).toBe(7);
      expect(rig.lost.every((each) => each.includes(reason))).toBe(true);
    };
    rig.heads.set(PARTITION, { ...head, seq: head.seq + 1 });
    await expectLost('recorded is 4');
    rig.heads.set(PARTITION, { ...head, epoch: 2 });
    await expectLost('in epoch 1, the caller in epoch 2');
    rig.heads.set(PARTITION, head);
    await server.ask('DEL', headKey(PARTITION));
    await expectLost('has no head');
  });

  it('rule 3: marks chain all fields, each apart, from a start that names epoch and ledger', () => {
    const entry = { epoch: 1, seq: 12, version: '1', mark: '', at: '5', request: 'r', decision: 'd' };
    const marks = [
      chainedMark('m', entry),
      chainedMark('m', { ...entry, epoch: 11, seq: 2 }),
      chainedMark('n', entry),
      chainedMark('m', { ...entry, at: '6' }),
      chainedMark('m', { ...entry, request: 'rd', decision: '' }),
      chainedMark('m', { ...entry, request: '', decision: 'rd' }),
      startMark(1, '2'),
      startMark(12, ''),
    ];
    expect(new Set(marks).size).toBe(marks.length);
  });

  it('rule 3: an entry of the journal is named by epoch and seq, and continues the one before it', async () => {
    const rig = await stocked(10);
    const [first, second] = await rig.record();
    expect([first?.seq, second?.seq]).toEqual([1, 2]);
    await rig.rebuild();
    const decision = await rig.decide(reserveOf(1), 'r1');
    expect(decision).toMatchObject({ kind: 'decided', place: { epoch: 2, seq: 4 } });
    const journal = (await server.ask('XRANGE', `${epochPrefix(PARTITION, 2)}journal`, '-', '+')) as RedisReply[];
    const [entry] = journal.map((each) => journalEntryOf(each as RedisReply));
    expect(entry).toMatchObject({ epoch: 2, seq: 4 });
    expect(entry?.mark).toBe(chainedMark(rig.head().mark, entry as JournalEntry));
    expect(decision.kind === 'decided' && decision.place.mark).toBe(entry?.mark);
  });

  it('rule 4: every answer names the head on which it rests, and one that sticks makes an entry', async () => {
    const rig = await stocked(10);
    const reserve = reserveOf(4);
    const release = { type: 'release' as const, reservationId: reserve.reservationId };
    await rig.decided(reserve, 'r1');
    expect(await rig.decide(release, null)).toMatchObject({ kind: 'decided', place: { seq: 5 } });
    const head = await rig.engine.head(HQ);
    expect(head).toMatchObject({ epoch: 1, seq: 5 });
    // Released already: nothing changes. Without an operation id it rests on the head, with one it sticks.
    expect(await rig.decide(release, null)).toEqual({
      kind: 'observed',
      outcome: { status: 'released' },
      hold: (await rig.engine.hold(reserve.reservationId))?.hold,
      head,
    });
    expect((await rig.engine.hold(reserve.reservationId))?.head).toEqual(head);
    const again = await rig.decide(release, 'release-1', { lookedUpAt: 99 });
    expect(again).toMatchObject({ kind: 'decided', entry: { lines: [], holds: [] }, place: { seq: 6 } });
    const refused = await rig.decide(reserveOf(99), 'too-many');
    expect(refused).toMatchObject({
      kind: 'decided',
      entry: { outcome: { status: 'insufficient' } },
      place: { seq: 7 },
    });
    // A replay names its first entry, recorded or not, never a result.
    const { place } = refused as { place: unknown };
    expect(await rig.decide(reserveOf(1), 'too-many')).toEqual({ kind: 'repeated', place });
  });

  it('rule 5: a hold is known to its own HQ and store alone', async () => {
    const rig = await stocked(10);
    const reserve = reserveOf(4);
    await rig.decided(reserve, 'r1');
    const { reservationId } = reserve;
    const unknown = { kind: 'observed', outcome: { status: 'unknown-reservation' } };
    const commands = [
      { type: 'confirm' as const, reservationId, orderId: 'O1', keepRest: false },
      { type: 'release' as const, reservationId },
      { type: 'extend' as const, reservationId, ttlMs: MINUTE_MS },
    ];
    const otherHq = Array.from({ length: 10_000 }, (_, index) => `HQ${index}`).find(
      (hqId) => hqId !== HQ && partitionOf(hqId) === PARTITION,
    ) as string;
    for (const command of commands) {
      const looked = { lookedUpAt: 99 };
      expect(await rig.decide({ ...command, storeScope: 'S2' }, null, looked)).toMatchObject(unknown);
      expect(await rig.decide(command, null, { ...looked, hqId: otherHq })).toMatchObject(unknown);
    }
    expect((await rig.engine.levels(HQ, [LEVEL]))[0]).toMatchObject({ onHand: 10, reserved: 4 });
  });

  it('rule 6: nothing younger than it may be is forgotten; a full window refuses', async () => {
    const rig = await stocked(100, { bounds: { ...WINDOW_BOUNDS, countMax: 2, countHard: 12, keepMs: 120_000 } });
    const first = reserveOf(1);
    await rig.decided(first, 'r0');
    for (let index = 1; index <= 12; index += 1) {
      const decision = await rig.decide(reserveOf(1), `r${index}`);
      if (decision.kind !== 'decided') expect(decision).toEqual({ kind: 'unavailable', reason: 'window-full' });
    }
    expect(await rig.decide(reserveOf(1), 'one-more')).toEqual({ kind: 'unavailable', reason: 'window-full' });
    expect((await rig.decide(first, 'r0')).kind).toBe('repeated');
    // Old enough, but not recorded: the ledger could not be asked for it.
    rig.clock.nowMs += 130_000;
    expect(await rig.decide(reserveOf(1), 'one-more')).toEqual({ kind: 'unavailable', reason: 'window-full' });
    await rig.record();
    expect((await rig.decide(reserveOf(1), 'one-more')).kind).toBe('decided');
    const late = { type: 'receive' as const, items: [unitsOf(1)] };
    expect((await rig.decide(late, 'r0')).kind).toBe('look-up-operation');
    expect((await rig.decide(late, 'new', { lookedUpAt: 3 })).kind).toBe('look-up-operation');
    expect((await rig.decide(late, 'new', { lookedUpAt: rig.head().seq })).kind).toBe('decided');
  });

  it('rule 6: more ids than it should hold, all recorded, and yet too young to be forgotten', async () => {
    const rig = await stocked(100, { bounds: { ...WINDOW_BOUNDS, countMax: 2 }, forgetsAtOnce: true });
    const first = reserveOf(1);
    await rig.decided(first, 'r0');
    for (let index = 1; index < 8; index += 1) await rig.decided(reserveOf(1), `r${index}`);
    await rig.record();
    rig.clock.nowMs += 119_000;
    await rig.decided(reserveOf(1), 'young');
    expect((await rig.decide(first, 'r0')).kind).toBe('repeated');
    rig.clock.nowMs += 2_000;
    await rig.decided(reserveOf(1), 'old');
    // A reserve can be undone, so it is decided again, and the ledger finds the first.
    const again = { ...first, reservationId: newReservationId(PARTITION) };
    expect((await rig.decide(again, 'r0')).kind).toBe('decided');
  });

  it('rule 14: a reserve by event is looked up once the window has forgotten it, also when it was sold since', async () => {
    const rig = await stocked(100, { bounds: { ...WINDOW_BOUNDS, countMax: 0, keepMs: -1 }, forgetsAtOnce: true });
    const id = 'order/placed/O1';
    const order = { ...reserveOf(2), reservationId: reservationIdOfOrder(HQ, 'O1'), orderId: 'O1' };
    const { reservationId } = order;
    await rig.decided(order, id);
    await rig.decided({ type: 'confirm', reservationId, orderId: 'O1', keepRest: false }, 'paid');
    await rig.record();
    await rig.decided(reserveOf(1), 'other');
    await rig.record();
    await rig.decided(reserveOf(1), 'one-more');
    expect(await rig.engine.hold(reservationId)).toBeNull();
    expect((await rig.decide(order, id)).kind).toBe('look-up-operation');
    expect((await rig.decide(order, id, { lookedUpAt: 3 })).kind).toBe('look-up-operation');
    const issue = { type: 'issue' as const, items: [unitsOf(1)] };
    for (const other of ['order/x', 'sku/created/P1', 'undo/1/2'])
      expect((await rig.decide(issue, other)).kind, other).toBe('look-up-operation');
    expect((await rig.decide(reserveOf(1), 'by-a-till')).kind).toBe('decided');
    expect((await rig.decide(reserveOf(1), 'orders/17')).kind).toBe('decided');
  });

  it('refuses as a bug a reserve whose reservation is there, open or closed, and changes nothing', async () => {
    const rig = await stocked(10);
    const order = { ...reserveOf(2), reservationId: reservationIdOfOrder(HQ, 'O1') };
    await rig.decided(order, 'order/placed/O1');
    const again = { ...order, items: [unitsOf(1)] };
    await expect(rig.decide(again, 'order/placed/O2')).rejects.toThrow('is there already');
    await rig.decided({ type: 'release', reservationId: order.reservationId }, 'order/cancelled/O1');
    await expect(rig.decide(again, 'order/placed/O2')).rejects.toThrow('is there already');
    const held = await rig.engine.hold(order.reservationId);
    expect(held?.hold).toMatchObject({ status: 'released', items: [{ reserved: 2 }] });
    expect(held?.head.seq).toBe(5);
  });

  it('rule 6: a closed hold is remembered for the window; a later confirmation brings it in, once', async () => {
    const rig = await stocked(10, { forgetsAtOnce: true });
    const reserve = reserveOf(4);
    await rig.decided(reserve, 'r1');
    rig.clock.nowMs += 2 * MINUTE_MS;
    await rig.engine.expireDue();
    await rig.record();
    const projectedHold = (await rig.engine.hold(reserve.reservationId))?.hold ?? null;
    expect(projectedHold?.status).toBe('expired');
    rig.clock.nowMs += 59 * MINUTE_MS;
    await rig.decided(reserveOf(1), 'r2');
    expect(await rig.engine.hold(reserve.reservationId)).not.toBeNull();
    rig.clock.nowMs += 2 * MINUTE_MS;
    await rig.decided(reserveOf(1), 'r3');
    expect(await rig.engine.hold(reserve.reservationId)).toBeNull();
    const confirm = { type: 'confirm' as const, reservationId: reserve.reservationId, orderId: 'O1', keepRest: false };
    const looked = { lookedUpAt: Number.MAX_SAFE_INTEGER };
    expect((await rig.decide(confirm, 'c1', looked)).kind).toBe('look-up-hold');
    const both = await Promise.all(
      ['c1', 'c2'].map((id) => rig.decide({ ...confirm, orderId: id }, id, { ...looked, projectedHold })),
    );
    // Both were given the hold as the projection has it; the second sees what the first made of it.
    expect(both.map((each) => each.kind === 'decided' && each.entry.outcome)).toEqual([
      { status: 'confirmed', late: true },
      { status: 'reservation-confirmed' },
    ]);
    expect((await rig.engine.levels(HQ, [LEVEL]))[0]).toMatchObject({ onHand: 6 });
  });

  it('rule 7: time never falls, not over a rebuild either', async () => {
    const rig = await stocked(10);
    const startedAt = rig.clock.nowMs;
    rig.clock.nowMs -= 10_000;
    expect((await rig.decided(reserveOf(1), 'r1')).at).toBe(startedAt);
    await rig.record();
    await rig.rebuild();
    expect((await rig.decided(reserveOf(1), 'r2')).at).toBe(startedAt);
  });

  it('rule 7: a clock that runs more than 2 s ahead expires nothing, and is told', async () => {
    const ahead = await stocked(10, { engineAheadMs: 3_000 });
    const reserve = reserveOf(4, 1_000);
    const { at } = await ahead.decided(reserve, 'r1');
    expect(at).toBe(ahead.clock.nowMs + 2_000);
    ahead.clock.nowMs += 1_500;
    expect(await ahead.engine.expireDue()).toEqual({ holds: 0, latestMs: 0 });
    expect(ahead.clockAhead).toContain(3_000);
    const confirm = { type: 'confirm' as const, reservationId: reserve.reservationId, orderId: 'O1', keepRest: false };
    expect((await ahead.decided(confirm, 'c1')).outcome).toEqual({ status: 'confirmed', late: false });
  });

  it('rule 7: a due hold is expired in the same step before it is confirmed or extended', async () => {
    const rig = await stocked(10);
    const reserve = reserveOf(4, 1_000);
    const { reservationId } = reserve;
    await rig.decided(reserve, 'r1');
    rig.clock.nowMs += 1_000;
    const extended = await rig.decided({ type: 'extend', reservationId, ttlMs: 5_000 }, 'e1');
    expect(extended).toMatchObject({ seq: 6, outcome: { status: 'reservation-expired' } });
    const types = (await rig.record()).slice(-2).map(({ command, at }) => [command.type, at]);
    expect(types).toEqual([
      ['expire', rig.clock.nowMs],
      ['extend', rig.clock.nowMs],
    ]);
    expect((await rig.engine.counts()).openHolds).toBe(0);
  });

  it('rule 7: expiry closes bounded batches of one HQ each, whoever calls it, however often', async () => {
    const rig = await stocked(1_000);
    for (let index = 0; index < 150; index += 1) await rig.decided(reserveOf(2, 1_000), `r${index}`);
    rig.clock.nowMs += 1_250;
    const closed = await Promise.all([rig.engine.expireDue(), rig.engine.expireDue(), rig.engine.expireDue()]);
    expect(closed.map(({ holds }) => holds)).toEqual([100, 50, 0]);
    expect(closed[0]?.latestMs).toBe(250);
    const expiries = (await rig.record()).filter(({ command }) => command.type === 'expire');
    expect(expiries.map(({ holds }) => holds.length)).toEqual([100, 50]);
    expect((await rig.engine.levels(HQ, [LEVEL]))[0]).toMatchObject({ onHand: 1_000, reserved: 0 });
  });

  it('keeps to the clock of the server itself', async () => {
    const rig = await stocked(10, { engineAheadMs: 'own' });
    rig.clock.nowMs = Date.now();
    const { at } = await rig.decided(reserveOf(1), 'r1');
    expect(Math.abs(at - Date.now())).toBeLessThan(5_000);
  });

  it('refuses a command that names a level twice, and changes nothing', async () => {
    const rig = await stocked(10);
    const twice = { ...reserveOf(1), items: [unitsOf(6), unitsOf(6)] };
    await expect(rig.decide(twice, 'twice')).rejects.toThrow('names a level twice');
    expect((await rig.engine.levels(HQ, [LEVEL]))[0]).toMatchObject({ onHand: 10, reserved: 0, version: 1 });
  });

  it('counts sums beyond what Lua writes by itself', async () => {
    const rig = await stocked(0);
    const most = 1_000_000_000_000;
    const names = Array.from({ length: 200 }, (_, index) => `L${index}`);
    for (const storeId of names) await rig.decided({ type: 'configure-store', storeId, settings: NO_SETTINGS });
    const items = names.map((storeId) => ({ storeId, productId: 'P1', quantity: most - 1 }));
    await rig.decided({ type: 'receive', items }, 'much');
    expect(await rig.engine.totals(HQ, 'P1')).toMatchObject({ onHand: 200 * (most - 1) });
    await rig.record();
    const limit = await rig.decided(
      { type: 'receive', items: [{ storeId: 'L0', productId: 'P1', quantity: 2 }] },
      'over',
    );
    expect(limit.outcome).toEqual({ status: 'level-limit', storeId: 'L0', productId: 'P1' });
    expect(limit.read.totals).toEqual([{ productId: 'P1', onHand: 200 * (most - 1), reserved: 0, safetyStock: 0 }]);
  });
});
