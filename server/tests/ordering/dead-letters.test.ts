import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { InvalidCursor } from '../../src/events/event-feed.ts';
import type { DeadLetter, DeadLetters, NewLetter, OpenKey } from '../../src/ordering/letters/dead-letters.ts';
import { describeLetters, type LetterFixture, letter } from './letter-adapters.ts';

const TOPIC = 'order.completed';
const OPEN = { topic: TOPIC, key: 'ORD1', hqId: 'HQ001' } as const;
const every = { hqId: null, cursor: null, limit: 50 };

describeLetters('dead letters', (fresh) => {
  let fixture: LetterFixture;
  let letters: DeadLetters;
  beforeEach(async () => {
    fixture = await fresh();
    letters = fixture.letters;
  });
  afterEach(() => fixture.close());

  const all = async (): Promise<DeadLetter[]> => (await letters.list(every)).items;
  const blocked = async (): Promise<OpenKey[]> =>
    (await letters.blockedKeys(new Map())).keys.map(({ topic, key, hqId }) => ({ topic, key, hqId }));
  const parked = async (new_: NewLetter): Promise<DeadLetter> => {
    await letters.park(new_);
    const [found] = await all();
    return found as DeadLetter;
  };

  it('keeps bytes, headers and ids as they came', async () => {
    const value = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const headers = new Map([
      ['holdfast-key-id', '2026-11'],
      ['note', 'Grüße, 안녕 "x"'],
    ]);
    const message = { ...letter(1).message, offset: 9_007_199_254_740_993n, key: '주문 1 ', value, headers };
    const given = { ...letter(1), message, key: '주문 1 ', code: 'NOT_AUTHENTIC' as const };
    const found = await parked(given);
    expect(found).toEqual({
      ...given,
      id: found.id,
      status: 'parked',
      corrected: false,
      receivedAt: found.receivedAt,
      changedBy: null,
      changedAt: null,
    });
    expect(Math.abs(found.receivedAt - Date.now())).toBeLessThan(60_000);
    expect(await letters.get(found.id)).toEqual(found);
    for (const id of ['ltr_999', 'ltr_0', 'nonsense', '1']) expect(await letters.get(id)).toBeNull();
  });

  it('keeps a message once, and one of a topic that was made anew beside it', async () => {
    const first = await parked(letter(1));
    await letters.park(letter(1, { reason: 'another' }));
    expect(await all()).toEqual([first]);
    const anew = letter(1);
    await letters.park({ ...anew, message: { ...anew.message, at: anew.message.at + 86_400_000 } });
    expect(await all()).toHaveLength(2);
  });

  it('cuts what is too large, and says so; what names no HQ by an id names none', async () => {
    const large = letter(1, { code: 'TOO_LARGE', key: null, hqId: 'no id', orderId: 'x'.repeat(10_000) });
    large.message.value = new Uint8Array(2_097_152).fill(7);
    large.message.headers = new Map(Array.from({ length: 100 }, (_, index) => [`h${index}`, 'v'.repeat(2_000)]));
    const found = await parked(large);
    expect(found.message.value?.byteLength).toBe(1_048_576);
    expect(found.reason).toContain('Of its 2097152 bytes only the first 1048576 are kept.');
    expect(found.message.headers.size).toBeLessThan(33);
    expect([found.hqId, found.orderId?.length]).toEqual([null, 255]);
    const whole = letter(2, { key: null });
    whole.message.value = new Uint8Array(1_048_576).fill(7);
    expect((await parked(whole)).reason).toBe(whole.reason);
  });

  it('queues behind open letters of the same key and topic alone', async () => {
    expect(await letters.queueBehind(letter(2))).toBe(false);
    const first = await parked(letter(1));
    const other = letter(5);
    expect(await letters.queueBehind({ ...other, message: { ...other.message, topic: 'order.placed' } })).toBe(false);
    expect(await letters.queueBehind(letter(6, { key: 'ord1' }))).toBe(false);
    expect(await letters.queueBehind(letter(6, { key: 'ORD1 ' }))).toBe(false);
    expect(await letters.queueBehind(letter(2, { code: 'BEHIND_A_PARKED_ONE' }))).toBe(true);
    expect(await letters.queueBehind(letter(2))).toBe(true);
    expect(await letters.queueBehind(letter(1))).toBe(true);
    expect(await letters.counts()).toEqual({ parked: 1, waiting: 1 });
    expect(await blocked()).toEqual([OPEN]);
    await letters.drop(first.id, 'anna');
    expect(await letters.queueBehind(letter(3))).toBe(true);
    const next = await letters.claimNext(OPEN);
    expect(next?.letter.message.offset).toBe(2n);
    await next?.done();
    await (await letters.claimNext(OPEN))?.done();
    expect(await letters.queueBehind(letter(4))).toBe(false);
    expect(await letters.queueBehind(letter(2))).toBe(true);
    expect(await blocked()).toEqual([]);
    expect((await all()).map(({ status }) => status)).toEqual(['redriven', 'redriven', 'dropped']);
  });

  it('lets one HQ wait behind its own letters alone', async () => {
    const { id } = await parked(letter(1));
    const other = (offset: number) => letter(offset, { hqId: 'HQ002' });
    expect(await letters.queueBehind(other(2))).toBe(false);
    await letters.park(other(2));
    expect(await letters.queueBehind(letter(3))).toBe(true);
    expect(await letters.queueBehind(other(4))).toBe(true);
    expect((await blocked()).map(({ hqId }) => hqId).sort()).toEqual(['HQ001', 'HQ002']);
    await (await letters.claim(id, 'anna'))?.done();
    expect(await letters.strandedKeys(10)).toEqual([OPEN]);
    expect(await letters.claimNext({ ...OPEN, hqId: 'HQ002' })).toBeNull();
    const next = await letters.claimNext(OPEN);
    expect(next?.letter.message.offset).toBe(3n);
    expect(await letters.strandedKeys(10)).toEqual([]);
    await next?.done();
    expect((await blocked()).map(({ hqId }) => hqId)).toEqual(['HQ002']);
  });

  it('lets no message wait behind one that came after it, for it was here before', async () => {
    const first = letter(10);
    await letters.park(first);
    expect(await letters.queueBehind(letter(9)), 'offsets are numbers, not texts').toBe(false);
    expect(await letters.queueBehind(letter(100)), 'offsets are numbers, not texts').toBe(true);
    const { message } = letter(9);
    const anew = { ...letter(9), message: { ...message, at: message.at + 86_400_000 } };
    expect(await letters.queueBehind(anew), 'of a topic that was made anew').toBe(true);
    const elsewhere = { ...letter(9, { key: 'ORD2' }), message: { ...message, partition: 4 } };
    await letters.park(letter(11, { key: 'ORD2' }));
    expect(await letters.queueBehind(elsewhere), 'nobody knows which of two partitions came first').toBe(true);
    await letters.park(letter(20, { key: 'ORD3' }));
    await letters.park(letter(15, { key: 'ORD3' }));
    expect(await letters.queueBehind(letter(17, { key: 'ORD3' })), 'one that came before is parked too').toBe(true);
  });

  it('lets nothing wait behind what could not be read', async () => {
    await letters.park(letter(1, { key: null, code: 'NOT_JSON' }));
    const keyed = letter(2, { code: 'NOT_JSON' });
    await letters.park({ ...keyed, key: null });
    expect(await letters.queueBehind(letter(3))).toBe(false);
    expect(await blocked()).toEqual([]);
    expect(await letters.claimNext(OPEN)).toBeNull();
    expect((await letters.list({ ...every, key: 'ORD1' })).items).toHaveLength(1);
  });

  it('is claimed by one alone, who says what became of it', async () => {
    const { id } = await parked(letter(1));
    const claims = await Promise.all(Array.from({ length: 8 }, () => letters.claim(id, 'anna')));
    const [mine, ...others] = claims.filter((claim) => claim !== null);
    expect(others).toEqual([]);
    expect(await letters.drop(id, 'anna')).toBe(false);
    expect(await letters.correct(id, correctionTo('{}'), 'anna')).toBe(false);
    await mine?.parkAgain('KEEPS_FAILING', 'still');
    expect(await letters.get(id)).toMatchObject({
      status: 'parked',
      code: 'KEEPS_FAILING',
      reason: 'still',
      attempts: 4,
    });
    const again = await letters.claim(id, 'anna');
    await again?.release();
    expect(await letters.get(id)).toMatchObject({ status: 'parked', attempts: 4 });
    await (await letters.claim(id, 'anna'))?.done();
    expect(await letters.get(id)).toMatchObject({ status: 'redriven', attempts: 5 });
    expect(await letters.claim(id, 'anna')).toBeNull();
    await mine?.parkAgain('KEEPS_FAILING', 'too late');
    expect(await letters.get(id)).toMatchObject({ status: 'redriven', reason: 'still' });
  });

  it('lets another have it once the lease is over, and hears no more of the first', async () => {
    const { id } = await parked(letter(1));
    const first = await fixture.withLease(150).claim(id, 'anna');
    expect(await letters.claim(id, 'anna')).toBeNull();
    await delay(400);
    const second = await letters.claim(id, 'anna');
    expect(second).not.toBeNull();
    await first?.done();
    expect((await letters.get(id))?.status).toBe('parked');
    await second?.done();
    expect((await letters.get(id))?.status).toBe('redriven');
  });

  it('gives those that wait in their order, one after the other, none while one is parked', async () => {
    await letters.park(letter(1));
    for (const offset of [2, 3, 4]) await letters.queueBehind(letter(offset));
    const [, , , { id }] = (await all()) as [DeadLetter, DeadLetter, DeadLetter, DeadLetter];
    expect(await letters.claimNext(OPEN)).toBeNull();
    expect(await letters.strandedKeys(10)).toEqual([]);
    await (await letters.claim(id, 'anna'))?.done();
    expect(await letters.strandedKeys(10)).toEqual([OPEN]);
    const two = await letters.claimNext(OPEN);
    expect(two?.letter.message.offset).toBe(2n);
    expect(await letters.claimNext(OPEN)).toBeNull();
    expect(await letters.strandedKeys(10)).toEqual([]);
    await two?.done();
    const three = await letters.claimNext(OPEN);
    await three?.parkAgain('OTHER_LINES', 'other lines');
    expect(await letters.claimNext(OPEN)).toBeNull();
    expect((await all()).map(({ status }) => status)).toEqual(['waiting', 'parked', 'redriven', 'redriven']);
  });

  it('never misses the end of a line: each message waits, or is handled by whoever brings it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = `ORD-${round}`;
      const { id } = await parked(letter(round * 10, { key }));
      const bring = async () => {
        const waiting: boolean[] = [];
        for (const more of [1, 2, 3, 4]) waiting.push(await letters.queueBehind(letter(round * 10 + more, { key })));
        return waiting;
      };
      const redrive = async () => {
        const followed: bigint[] = [];
        await (await letters.claim(id, 'anna'))?.done();
        for (let next = await letters.claimNext({ ...OPEN, key }); next !== null; ) {
          followed.push(next.letter.message.offset);
          await next.done();
          next = await letters.claimNext({ ...OPEN, key });
        }
        return followed;
      };
      const [waiting, followed] = await Promise.all([bring(), redrive()]);
      const queued = waiting.lastIndexOf(true) + 1;
      // What was let through came after the end of the line: nothing behind it waits, and nothing is left.
      expect(waiting).toEqual(waiting.map((_, index) => index < queued));
      expect(followed).toEqual(Array.from({ length: queued }, (_, index) => BigInt(round * 10 + index + 1)));
    }
    expect(await letters.counts()).toEqual({ parked: 0, waiting: 0 });
  });

  it('tells who saw to it last, and when; those that follow, whom they followed', async () => {
    await letters.park(letter(1));
    await letters.park(letter(2));
    for (const offset of [3, 4, 5]) await letters.queueBehind(letter(offset));
    const changers = async () => (await all()).map(({ changedBy }) => changedBy).reverse();
    const [first, second] = (await all()).reverse() as [DeadLetter, DeadLetter];
    await (await letters.claim(first.id, 'anna'))?.release();
    expect(await letters.correct('ltr_77', correctionTo('{}'), 'anna')).toBe(false);
    expect(await changers(), 'nothing was done').toEqual([null, null, null, null, null]);
    await letters.drop(second.id, 'boris');
    await (await letters.claim(first.id, 'anna'))?.parkAgain('KEEPS_FAILING', 'still');
    expect(await changers()).toEqual(['anna', 'boris', null, null, null]);
    expect(await letters.correct(first.id, correctionTo('{}', 'HQ001'), 'boris')).toBe(true);
    expect(await changers()).toEqual(['boris', 'boris', null, null, null]);
    // The last of a line is known by the millisecond.
    await delay(5);
    await (await letters.claim(first.id, 'anna'))?.done();
    // What somebody else's HQ does with the same key is no concern of theirs.
    await letters.park(letter(6, { hqId: 'HQ002' }));
    const [foreign] = (await all()) as [DeadLetter];
    await letters.drop(foreign.id, 'clara');
    await (await letters.claimNext(OPEN))?.done();
    await (await letters.claimNext(OPEN))?.parkAgain('OTHER_LINES', 'other lines');
    const [, , fourth] = (await all()) as [DeadLetter, DeadLetter, DeadLetter];
    expect(await changers()).toEqual(['anna', 'boris', 'anna', 'anna', null, 'clara']);
    expect(Math.abs((fourth.changedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    await letters.drop(fourth.id, 'boris');
    await (await letters.claimNext(OPEN))?.done();
    expect(await changers()).toEqual(['anna', 'boris', 'anna', 'boris', 'boris', 'clara']);
  });

  it('is corrected while it is parked', async () => {
    const { id } = await parked(letter(1, { hqId: null, code: 'NOT_JSON' }));
    expect(await letters.correct(id, correctionTo('{"right":true}'), 'anna')).toBe(true);
    const found = await letters.get(id);
    expect(found).toMatchObject({ corrected: true, hqId: 'HQ002', orderId: 'ORD2', eventId: 'evt', status: 'parked' });
    expect(new TextDecoder().decode(found?.message.value ?? undefined)).toBe('{"right":true}');
    expect(found?.message.headers).toEqual(new Map([['a', 'b']]));
    await letters.drop(id, 'anna');
    expect(await letters.correct(id, correctionTo('{}'), 'anna')).toBe(false);
    expect(await letters.correct('ltr_77', correctionTo('{}'), 'anna')).toBe(false);
  });

  it('lists newest first, by pages and filters', async () => {
    for (let offset = 1; offset <= 7; offset += 1) {
      await letters.park(
        letter(offset, { key: `K${offset % 2}`, hqId: ['HQ001', 'HQ002', null][offset % 3] as string }),
      );
    }
    const offsets = (items: DeadLetter[]) => items.map(({ message }) => Number(message.offset));
    expect(offsets((await letters.list({ ...every, hqId: 'HQ001' })).items)).toEqual([6, 5, 3, 2]);
    expect(offsets((await letters.list({ ...every, key: 'K1' })).items)).toEqual([7, 5, 3, 1]);
    expect(offsets((await letters.list({ ...every, topic: 'sku.created' })).items)).toEqual([]);
    expect(offsets((await letters.list({ ...every, status: 'waiting' })).items)).toEqual([]);
    expect(offsets((await letters.list({ ...every, from: Date.now() + 3_600_000 })).items)).toEqual([]);
    const first = await letters.list({ ...every, limit: 3 });
    await letters.park(letter(8));
    const second = await letters.list({ ...every, limit: 3, cursor: first.nextCursor });
    const last = await letters.list({ ...every, limit: 3, cursor: second.nextCursor });
    expect([first, second, last].map(({ items }) => offsets(items))).toEqual([[7, 6, 5], [4, 3, 2], [1]]);
    expect(last.nextCursor).toBeNull();
    await expect(letters.list({ ...every, cursor: 'bm9wZQ' })).rejects.toThrow(InvalidCursor);
  });

  it('ends a page early rather than hold too many bytes', async () => {
    for (let offset = 1; offset <= 7; offset += 1) {
      const large = letter(offset);
      large.message.value = new Uint8Array(1_000_000);
      await letters.park(large);
    }
    const first = await letters.list(every);
    expect(first.items).toHaveLength(4);
    expect((await letters.list({ ...every, cursor: first.nextCursor })).items).toHaveLength(3);
  });

  it('is sent to its topic once, when it is parked', async () => {
    await letters.park(letter(1));
    await letters.queueBehind(letter(2));
    const [one] = await letters.unsent(10);
    expect((await letters.unsent(10)).map(({ message }) => message.offset)).toEqual([1n]);
    await letters.sent([one?.id ?? '']);
    await letters.sent([]);
    expect(await letters.unsent(10)).toEqual([]);
    await (await letters.claim(one?.id ?? '', 'anna'))?.parkAgain('KEEPS_FAILING', 'again');
    expect(await letters.unsent(10)).toEqual([]);
    await letters.drop(one?.id ?? '', 'anna');
    await (await letters.claimNext(OPEN))?.parkAgain('OTHER_LINES', 'no');
    expect((await letters.unsent(10)).map(({ message }) => message.offset)).toEqual([2n]);
  });
});

function correctionTo(text: string, hqId = 'HQ002') {
  const value = new TextEncoder().encode(text);
  return { value, headers: new Map([['a', 'b']]), hqId, orderId: 'ORD2', eventId: 'evt' };
}
