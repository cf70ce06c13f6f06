/** Deciding in Redis: rules 1 to 7 of the recording protocol, each where it would be broken. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { newReservationId, partitionOf } from '../../../src/stock/identifiers.ts';
import { epochPrefix, headKey } from '../../../src/stock/redis/keys.ts';
import { type RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { HQ, reserveOf, unitsOf } from '../requests.ts';
import { EngineRig, type RigOptions } from './engine-rig.ts';

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const PARTITION = partitionOf(HQ);
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
});
