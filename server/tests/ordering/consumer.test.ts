/** Lanes, pauses, bounds and offsets of the consumer, on a clock that the tests move. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AssignedPartition } from '../../src/ordering/consuming/message-source.ts';
import type { ConsumedMessage } from '../../src/ordering/messages/message.ts';
import { DONE, EARLY_MS, Member, type Plan, World } from './consumer-world.ts';

const PLACED = 'order.placed/0';
const SECOND = 1_000;
const RETRY = { status: 'retry', reason: 'no answer' } as const;

let world: World;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
  world = new World();
});

afterEach(() => {
  vi.useRealTimers();
  expect(world.violations).toEqual([]);
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const callsOf = (id: string) => world.calls.filter((call) => call.endsWith(` ${id}`));
const unless = (id: string, other: Plan): Plan => {
  return (eventId, tries) => (eventId === id ? other(eventId, tries) : DONE);
};

describe('a lane', () => {
  it('keeps the order of its key through retries, while other keys go on', async () => {
    const first = world.append(PLACED, 'a');
    world.append(PLACED, 'a');
    world.append(PLACED, 'b');
    world.plan = unless(first, (_id, tries) => (tries < 3 ? RETRY : DONE));
    const partition = new Member(world).assign(PLACED);
    await pass(50);
    expect(world.effects).toEqual([`${PLACED}/2`]);
    expect(partition.committable).toBeNull();
    await pass(2 * SECOND);
    expect(world.effects).toEqual([`${PLACED}/2`, `${PLACED}/0`, `${PLACED}/1`]);
    expect(partition.committable).toBe(3n);
  });

  it('is one for messages of a key that lie in two partitions', async () => {
    const first = world.append(PLACED, null);
    const second = world.append('order.placed/1', null);
    world.plan = unless(first, (_id, tries) => (tries < 2 ? RETRY : DONE));
    const member = new Member(world);
    member.assign(PLACED);
    await pass(10);
    member.assign('order.placed/1');
    await pass(SECOND);
    expect(world.effects).toEqual([first, second]);
  });

  it('has at most 1 024 messages under way in a process; those that pause are not among them', async () => {
    for (let key = 0; key < 4_000; key += 1) world.append(`order.placed/${key % 4}`, `k${key}`);
    world.handlingMs = () => 100;
    const member = new Member(world);
    for (let partition = 0; partition < 4; partition += 1) member.assign(`order.placed/${partition}`);
    await pass(50);
    expect([world.underWay.size, member.consumer.inFlight]).toEqual([1_024, 1_024]);
    world.plan = () => ({ status: 'early' });
    await pass(350);
    expect(new Set(world.calls).size).toBeGreaterThan(3 * 1_024);
    world.plan = () => DONE;
    await pass(5 * SECOND);
    expect(world.hadEffect.size).toBe(4_000);
    expect(member.consumer.inFlight).toBe(0);
  });
});

describe('a message', () => {
  it('that cannot be read is parked alone, and holds up nothing', async () => {
    world.append(PLACED, 'a');
    world.append(PLACED, 'a', { rubbish: true });
    world.append(PLACED, 'a');
    world.append(PLACED, 'a', { rubbish: true });
    const partition = new Member(world).assign(PLACED);
    await pass(100);
    expect(world.effects).toEqual([`${PLACED}/0`, `${PLACED}/2`]);
    expect(world.letters.kept).toMatchObject([
      { key: null, code: 'NOT_JSON', attempts: 1 },
      { key: null, code: 'NOT_JSON' },
    ]);
    expect(world.results.filter((result) => result.endsWith('unreadable'))).toHaveLength(2);
    expect(partition.committable).toBe(4n);
  });

  it('that fails while all is well is parked after three more tries; those of its key wait behind it', async () => {
    const failing = world.append(PLACED, 'a');
    world.append(PLACED, 'a');
    world.append(PLACED, 'b');
    world.plan = unless(failing, () => RETRY);
    const partition = new Member(world).assign(PLACED);
    await pass(10 * SECOND);
    expect(callsOf(failing)).toHaveLength(4);
    expect(world.letters.kept).toMatchObject([
      { key: 'a', code: 'KEEPS_FAILING', reason: 'no answer', attempts: 4, status: 'parked', orderId: 'a' },
      { key: 'a', code: 'BEHIND_A_PARKED_ONE', attempts: 0, status: 'waiting' },
    ]);
    expect(world.effects).toEqual([`${PLACED}/2`]);
    expect(partition.committable).toBe(3n);
  });

  it('that throws counts as one that fails', async () => {
    const failing = world.append(PLACED, 'a');
    world.plan = () => {
      throw new Error('a bug');
    };
    new Member(world).assign(PLACED);
    await pass(10 * SECOND);
    expect(callsOf(failing)).toHaveLength(4);
    expect(world.letters.kept).toMatchObject([{ code: 'KEEPS_FAILING', reason: 'a bug' }]);
  });

  it('that was encrypted is parked without what an error says, which may quote it', async () => {
    world.append(PLACED, 'a', { encrypted: true });
    world.append(PLACED, 'b', { unheardOf: true });
    world.append(PLACED, 'c', { unheardOf: true, encrypted: true });
    world.plan = () => {
      throw new Error('a bug');
    };
    new Member(world).assign(PLACED);
    await pass(10 * SECOND);
    expect(new Map(world.letters.kept.map(({ message, reason }) => [message.key, reason]))).toEqual(
      new Map([
        ['a', '(not shown: it was encrypted)'],
        ['b', 'it could not be read: no reader knows unheard of'],
        ['c', 'it could not be read: (not shown: it was encrypted)'],
      ]),
    );
  });

  it.each([
    ['nothing is ready', () => RETRY],
    ['the part itself says so', () => ({ ...RETRY, away: true })],
  ])('is tried for as long as %s', async (reason, outcome) => {
    const id = world.append(PLACED, 'a');
    world.ready = reason !== 'nothing is ready';
    world.plan = outcome;
    const partition = new Member(world).assign(PLACED);
    await pass(120 * SECOND);
    expect(world.letters.kept).toEqual([]);
    expect(callsOf(id).length).toBeGreaterThan(20);
    expect(partition.committable).toBeNull();
    world.ready = true;
    world.plan = () => DONE;
    await pass(6 * SECOND);
    expect(world.effects).toEqual([id]);
  });

  it('that is early is tried again with growing pauses, then given up and parked', async () => {
    const early = world.append(PLACED, 'a');
    world.append(PLACED, 'b');
    world.plan = unless(early, () => ({ status: 'early' }));
    const partition = new Member(world).assign(PLACED);
    await pass(EARLY_MS - 100);
    expect(callsOf(early).at(-1)).toBe(`handle ${early}`);
    expect(callsOf(early).length).toBeLessThan(60);
    expect(partition.committable).toBeNull();
    await pass(SECOND);
    expect(callsOf(early).filter((call) => call.startsWith('giveUp'))).toHaveLength(1);
    expect(world.letters.kept).toMatchObject([{ code: 'UNKNOWN_RESERVATION', reason: 'never heard of' }]);
    expect(partition.committable).toBe(2n);
  });

  it('that is early has its effect as soon as it may', async () => {
    const early = world.append(PLACED, 'a');
    world.plan = (_id, tries) => (tries < 5 ? { status: 'early' } : DONE);
    new Member(world).assign(PLACED);
    await pass(3 * SECOND);
    expect(world.effects).toEqual([early]);
    expect(world.letters.kept).toEqual([]);
  });

  it('is never passed over while nothing can be parked', async () => {
    world.append(PLACED, 'a', { rubbish: true });
    world.append(PLACED, 'b');
    const member = new Member(world);
    const partition = member.assign(PLACED);
    await pass(1);
    world.letters.away = true;
    await pass(60 * SECOND);
    expect(partition.committable).toBeNull();
    expect(member.consumer.degraded()).toContain('the table is away');
    world.letters.away = false;
    await pass(10 * SECOND);
    expect(world.letters.kept).toHaveLength(1);
    expect(partition.committable).toBe(2n);
    expect(member.consumer.degraded()).toBeNull();
  });
});

describe('blocked keys', () => {
  const parked = (key: string, offset = 0n, partition = 9) => {
    const message: ConsumedMessage = {
      topic: 'order.placed',
      partition,
      offset,
      key,
      headers: new Map(),
      value: null,
      at: 0,
    };
    const of = { hqId: 'HQ001', orderId: null, eventId: null, reason: '', attempts: 1 };
    world.letters.kept.push({ message, key, code: 'KEEPS_FAILING', status: 'parked', ...of });
  };

  it('are read before the first message is handled, however long that takes', async () => {
    parked('a');
    world.append(PLACED, 'a');
    const free = world.append(PLACED, 'b');
    world.letters.away = true;
    const partition = new Member(world).assign(PLACED);
    await pass(20 * SECOND);
    expect(world.calls).toEqual([]);
    world.letters.away = false;
    await pass(SECOND);
    expect(world.effects).toEqual([free]);
    expect(world.letters.kept.at(-1)).toMatchObject({ key: 'a', status: 'waiting' });
    expect(partition.committable).toBe(2n);
  });

  it('are free as soon as their letters are redriven elsewhere', async () => {
    parked('a');
    const member = new Member(world);
    member.assign(PLACED);
    await pass(100);
    for (const letter of world.letters.kept) letter.status = 'redriven';
    const next = world.append(PLACED, 'a');
    await pass(100);
    expect(world.effects).toEqual([next]);
    expect(world.letters.kept).toHaveLength(1);
    await pass(2 * SECOND);
    const asked = world.letters.calls;
    world.append(PLACED, 'a');
    await pass(100);
    expect(world.letters.calls, 'nothing is asked for a key that is free').toBe(asked);
  });

  it('stay blocked for what comes later, while what came before their letters is handled again', async () => {
    const before = world.append(PLACED, 'a');
    for (let more = 0; more < 2; more += 1) world.append(PLACED, 'a');
    parked('a', 1n, 0);
    new Member(world).assign(PLACED);
    await pass(100);
    expect(world.effects).toEqual([before]);
    expect(world.letters.kept.map(({ status, message }) => [status, message.offset])).toEqual([
      ['parked', 1n],
      ['waiting', 2n],
    ]);
  });

  it('are learnt of by looking again and again', async () => {
    new Member(world).assign(PLACED);
    await pass(100);
    parked('a');
    await pass(5 * SECOND);
    world.append(PLACED, 'a');
    await pass(100);
    expect(world.effects).toEqual([]);
    expect(world.letters.kept.at(-1)).toMatchObject({ key: 'a', status: 'waiting' });
  });

  it('stay blocked though a look that began before answers after the parking', async () => {
    world.letters.answerMs = 40;
    new Member(world).assign(PLACED);
    // It is parked from 1 976 to 2 016 at the latest, and the look goes from 2 000 to 2 040.
    await pass(1_970);
    const failing = world.append(PLACED, 'a');
    world.plan = unless(failing, () => ({ status: 'park', code: 'OTHER_LINES', reason: '' }));
    await pass(48);
    expect(world.letters.open()).toHaveLength(1);
    await pass(30);
    world.append(PLACED, 'a');
    await pass(200);
    expect(world.effects).toEqual([]);
    expect(world.letters.open()).toHaveLength(2);
  });
});

describe('room', () => {
  const flood = async (partition: AssignedPartition, messages: readonly ConsumedMessage[]) => {
    const taken = { all: false };
    void partition.take(messages).then(() => {
      taken.all = true;
    });
    await pass(2 * SECOND);
    return taken;
  };

  it.each([
    ['2 048 messages', 3_000, 0, 2_048],
    ['4 MiB', 100, 100_000, 42],
  ])('of a partition ends at %s', async (_what, count, bytes, expected) => {
    for (let key = 0; key < count; key += 1) world.append(PLACED, `k${key}`, { bytes });
    world.plan = () => ({ status: 'early' });
    const member = new Member(world);
    member.assign(PLACED);
    await pass(2 * SECOND);
    const begun = new Set(world.calls).size;
    expect(begun).toBe(expected);
    world.plan = () => DONE;
    await pass(10 * SECOND);
    expect(world.hadEffect.size).toBe(count);
  });

  it('ends 100 000 messages after the oldest that is not finished, and not before', async () => {
    const late = world.append(PLACED, 'late');
    for (let key = 0; key < 110_000; key += 1) world.append(PLACED, `k${key}`);
    world.plan = unless(late, () => ({ status: 'early' }));
    world.owners.set(PLACED, new Member(world));
    const partition = (world.owners.get(PLACED) as Member).consumer.assign('order.placed', 0);
    const taken = await flood(partition, world.log.get(PLACED) ?? []);
    expect(taken.all).toBe(false);
    expect(world.hadEffect.size).toBe(99_999);
    expect(partition.committable).toBeNull();
    world.plan = () => DONE;
    await pass(10 * SECOND);
    expect(taken.all).toBe(true);
    expect(partition.committable).toBe(110_001n);
  }, 60_000);
});

describe('a partition that is revoked', () => {
  it('begins nothing more, waits for what is under way and counts it', async () => {
    for (let index = 0; index < 10; index += 1) world.append(PLACED, index < 5 ? 'a' : `k${index}`);
    world.handlingMs = () => 100;
    const member = new Member(world);
    const partition = member.assign(PLACED);
    await pass(50);
    const committed = await member.revoke(PLACED);
    const begun = world.calls.length;
    expect(begun).toBe(6);
    expect(committed).toBe(1n);
    await pass(10 * SECOND);
    expect(world.calls).toHaveLength(begun);
    await partition.take([]);
  });

  it('leaves what pauses to the next member, which has it in order', async () => {
    const early = world.append(PLACED, 'a');
    world.append(PLACED, 'a');
    world.append(PLACED, 'b');
    world.plan = unless(early, () => ({ status: 'early' }));
    const first = new Member(world);
    first.assign(PLACED);
    await pass(SECOND);
    expect(await first.revoke(PLACED)).toBeNull();
    const begun = world.calls.length;
    await pass(60 * SECOND);
    expect(world.calls).toHaveLength(begun);
    world.plan = () => DONE;
    const partition = new Member(world).assign(PLACED);
    await pass(SECOND);
    expect(world.effects).toEqual([`${PLACED}/2`, `${PLACED}/0`, `${PLACED}/1`]);
    expect(world.results.at(-1)).toBe('order.placed done');
    expect(partition.committable).toBe(3n);
  });

  it('passes over what a source reads again, and takes no more', async () => {
    for (let index = 0; index < 3; index += 1) world.append(PLACED, 'a');
    const member = new Member(world);
    const partition = member.assign(PLACED);
    await pass(100);
    await partition.take(world.log.get(PLACED) ?? []);
    await pass(100);
    expect(world.calls).toHaveLength(3);
    await member.consumer.stop();
    world.append(PLACED, 'a');
    await partition.take(world.log.get(PLACED) ?? []);
    member.partitions.clear();
    await pass(100);
    expect(world.calls).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
  });
});
