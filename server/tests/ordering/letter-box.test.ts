/** Which keys a process believes blocked, while others park, redrive, correct and drop: right after each look, and little is read. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LetterBox } from '../../src/ordering/consuming/letter-box.ts';
import type { BlockedKeys, DeadLetter, DeadLetters, OpenKey } from '../../src/ordering/letters/dead-letters.ts';
import { keyGroupOf } from '../../src/ordering/letters/letter-rows.ts';
import { Random } from '../simulation/random.ts';
import { describeLetters, type LetterFixture, letter } from './letter-adapters.ts';

const TOPIC = 'order.completed';
const log = { warn: () => undefined };
const at = (key: string, hqId = 'HQ001'): OpenKey => ({ topic: TOPIC, key, hqId });

describeLetters('the keys that are blocked', (fresh) => {
  let fixture: LetterFixture;
  let elsewhere: DeadLetters;
  let box: LetterBox;
  /** What the looks of `box` were answered, and what each waits for before it asks. */
  let answers: BlockedKeys[];
  let before: () => Promise<void>;
  let offset: number;

  beforeEach(async () => {
    fixture = await fresh();
    elsewhere = await fixture.elsewhere();
    answers = [];
    before = async () => undefined;
    offset = 0;
    const { letters } = fixture;
    const blockedKeys: DeadLetters['blockedKeys'] = async (seen) => {
      await before();
      const answer = await letters.blockedKeys(seen);
      answers.push(answer);
      return answer;
    };
    const queueBehind: DeadLetters['queueBehind'] = (each) => letters.queueBehind(each);
    box = new LetterBox({ letters: { park: (each) => letters.park(each), queueBehind, blockedKeys }, log });
  });
  afterEach(() => fixture.close());

  const next = (key: string, hqId = 'HQ001') => {
    offset += 1;
    return letter(offset, { key, hqId });
  };
  const newest = async () => (await elsewhere.list({ hqId: null, cursor: null, limit: 1 })).items[0] as DeadLetter;
  const parkedElsewhere = async (key: string) => {
    await elsewhere.park(next(key));
    return (await newest()).id;
  };
  const correction = (hqId: string) => {
    const value = new TextEncoder().encode('{}');
    return { value, headers: new Map<string, string>(), hqId, orderId: null, eventId: null };
  };

  it('are read where something has changed, and nowhere else', async () => {
    const keys = Array.from({ length: 40 }, (_, index) => `ORD-${index}`);
    for (const key of keys) await elsewhere.park(next(key));
    expect(await box.look()).toBe(true);
    expect(keys.filter((key) => !box.isBlocked(at(key)))).toEqual([]);
    await box.look();
    await elsewhere.queueBehind(next('ORD-1'));
    await box.look();
    expect(answers.map(({ keys: read }) => read.length)).toEqual([40, 0, 0]);
    await elsewhere.park(next('NEW'));
    await box.look();
    expect([...(answers.at(-1)?.groups ?? [])]).toEqual([keyGroupOf('NEW')]);
    expect(box.isBlocked(at('NEW'))).toBe(true);
    expect(keys.filter((key) => !box.isBlocked(at(key)))).toEqual([]);
  });

  it('are free once their last letter is redriven or dropped elsewhere', async () => {
    const redriven = await parkedElsewhere('A');
    await elsewhere.queueBehind(next('A'));
    const dropped = await parkedElsewhere('B');
    const moved = await parkedElsewhere('C');
    await box.look();
    expect(['A', 'B', 'C'].map((key) => box.isBlocked(at(key)))).toEqual([true, true, true]);
    await (await elsewhere.claim(redriven, 'anna'))?.done();
    await elsewhere.drop(dropped, 'anna');
    await elsewhere.correct(moved, correction('HQ002'), 'anna');
    await box.look();
    expect(['A', 'B', 'C'].map((key) => box.isBlocked(at(key)))).toEqual([true, false, false]);
    expect(box.isBlocked(at('C', 'HQ002'))).toBe(true);
    await (await elsewhere.claimNext(at('A')))?.parkAgain('OTHER_LINES', 'no');
    await box.look();
    expect(box.isBlocked(at('A'))).toBe(true);
    await elsewhere.drop(
      (await elsewhere.list({ hqId: null, key: 'A', cursor: null, limit: 1 })).items[0]?.id ?? '',
      'anna',
    );
    await box.look();
    expect(box.isBlocked(at('A'))).toBe(false);
  });

  it('are free by the second look where they were parked here and redriven elsewhere during the first', async () => {
    await box.look();
    before = async () => {
      await box.park(next('A'));
      await (await elsewhere.claim((await newest()).id, 'anna'))?.done();
    };
    await box.look();
    expect(box.isBlocked(at('A')), 'the look may have read before it was parked').toBe(true);
    before = async () => undefined;
    await box.look();
    expect(box.isBlocked(at('A'))).toBe(false);
  });

  it('are as the table says after whatever two processes do', async () => {
    const random = new Random(20261121);
    const keys = ['K0', 'K1', 'K2', 'K3'];
    const hqIds = ['HQ001', 'HQ002'];
    for (let step = 0; step < 80; step += 1) {
      const key = random.of(keys);
      const hqId = random.of(hqIds);
      const letters = random.of([fixture.letters, elsewhere]);
      const parked = (await letters.list({ hqId, key, status: 'parked', cursor: null, limit: 1 })).items[0]?.id ?? '';
      const claimed = random.of([() => letters.claim(parked, 'anna'), () => letters.claimNext(at(key, hqId))]);
      await random.of<() => Promise<unknown>>([
        () => letters.park(next(key, hqId)),
        () => box.park(next(key, hqId)),
        () => letters.queueBehind(next(key, hqId)),
        async () => (await claimed())?.done(),
        async () => (await claimed())?.parkAgain('OTHER_LINES', 'no'),
        () => letters.drop(parked, 'anna'),
        () => letters.correct(parked, correction(random.of(hqIds)), 'anna'),
      ])();
      expect(await box.look()).toBe(true);
      const blocked = new Set((await letters.blockedKeys(new Map())).keys.map((open) => `${open.key} ${open.hqId}`));
      for (const each of keys) {
        for (const hq of hqIds)
          expect([step, each, hq, box.isBlocked(at(each, hq))]).toEqual([step, each, hq, blocked.has(`${each} ${hq}`)]);
      }
    }
  });
});
