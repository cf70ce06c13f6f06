import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Handling, OrderHandling } from '../../src/ordering/handling/handling.ts';
import type { DeadLetter, DeadLetters } from '../../src/ordering/letters/dead-letters.ts';
import { Redrive } from '../../src/ordering/letters/redrive.ts';
import type { OrderMessage, ReadMessage } from '../../src/ordering/messages/message.ts';
import { describeLetters, type LetterFixture, letter } from './letter-adapters.ts';

const DONE: Handling = { status: 'done', replayed: false };

/** Answers by event id; what has no answer is done. */
class ScriptedHandling implements OrderHandling {
  readonly handled: string[] = [];
  readonly answers = new Map<string, Handling[]>();

  async handle({ eventId }: OrderMessage): Promise<Handling> {
    this.handled.push(eventId);
    const answers = this.answers.get(eventId) ?? [];
    return (answers.length > 1 ? answers.shift() : answers[0]) ?? DONE;
  }

  async giveUp({ eventId }: OrderMessage): Promise<Handling> {
    return { status: 'park', code: 'UNKNOWN_RESERVATION', reason: `${eventId} was given up` };
  }
}

/** Every text but `rubbish` is a message of the letter's own order. */
const read: ReadMessage = ({ topic, key, headers, value }) =>
  new TextDecoder().decode(value ?? undefined) === 'rubbish'
    ? { ok: false, code: 'NOT_JSON', reason: 'it is no JSON', hqId: null, orderId: null, eventId: null }
    : {
        ok: true,
        message: {
          topic,
          key: key ?? '',
          eventId: headers.get('ce_id') ?? '',
          source: topic,
          correlationId: key ?? '',
          encrypted: false,
          body: { kind: 'cancelled', hqId: 'HQ001', orderId: key ?? '', reservationId: null, reason: null },
        },
      };

describeLetters('redrive', (fresh) => {
  let fixture: LetterFixture;
  let letters: DeadLetters;
  let handling: ScriptedHandling;
  let redrive: Redrive;
  const warn = () => undefined;
  beforeEach(async () => {
    fixture = await fresh();
    letters = fixture.letters;
    handling = new ScriptedHandling();
    redrive = new Redrive({ letters, read, handling, log: { warn } });
  });
  afterEach(() => fixture.close());

  const newest = async () => (await letters.list({ hqId: null, cursor: null, limit: 50 })).items;
  const statuses = async () => (await newest()).map(({ status }) => status).reverse();
  /** One that is parked, and `waiting` behind it. */
  const line = async (waiting: number): Promise<string> => {
    await letters.park(letter(1));
    for (let offset = 2; offset <= waiting + 1; offset += 1) await letters.queueBehind(letter(offset));
    return ((await newest()).at(-1) as DeadLetter).id;
  };

  it('handles the parked one, then those behind it in their order', async () => {
    const id = await line(3);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'redriven', followed: 3 });
    expect(handling.handled).toEqual(['evt-1', 'evt-2', 'evt-3', 'evt-4']);
    expect(await statuses()).toEqual(['redriven', 'redriven', 'redriven', 'redriven']);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'not-claimed' });
    expect(handling.handled).toHaveLength(4);
  });

  it('stops at the first that fails, which is then the parked one', async () => {
    const id = await line(3);
    handling.answers.set('evt-3', [{ status: 'park', code: 'OTHER_LINES', reason: 'other lines' }]);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'redriven', followed: 1 });
    expect(await statuses()).toEqual(['redriven', 'redriven', 'parked', 'waiting']);
    const [, third] = await newest();
    expect(third).toMatchObject({ code: 'OTHER_LINES', reason: 'other lines', attempts: 4 });
    handling.answers.clear();
    expect(await redrive.redrive(third?.id ?? '', 'anna')).toEqual({ status: 'redriven', followed: 1 });
  });

  it('parks again with the new reason, and lets nothing follow', async () => {
    const id = await line(1);
    handling.answers.set('evt-1', [{ status: 'park', code: 'UNKNOWN_STORE', reason: 'no store' }]);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'parked', code: 'UNKNOWN_STORE', reason: 'no store' });
    expect(await letters.get(id)).toMatchObject({ status: 'parked', code: 'UNKNOWN_STORE', attempts: 4 });
    handling.answers.set('evt-1', [{ status: 'retry', reason: 'it fails' }]);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'parked', code: 'KEEPS_FAILING', reason: 'it fails' });
    expect(await statuses()).toEqual(['parked', 'waiting']);
  });

  it('leaves a letter as it is while something is away', async () => {
    const id = await line(1);
    handling.answers.set('evt-1', [{ status: 'retry', reason: 'the ledger is away', away: true }]);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'away', reason: 'the ledger is away' });
    expect(await letters.get(id)).toMatchObject({ status: 'parked', code: 'UNKNOWN_PRODUCT', attempts: 3 });
    handling.answers.set('evt-1', [{ status: 'retry', reason: 'once' }, DONE]);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'redriven', followed: 1 });
  });

  it('waits a moment for what comes early, then gives it up', async () => {
    const id = await line(0);
    handling.answers.set('evt-1', [{ status: 'early' }]);
    expect(await redrive.redrive(id, 'anna')).toEqual({
      status: 'parked',
      code: 'UNKNOWN_RESERVATION',
      reason: 'evt-1 was given up',
    });
    handling.answers.set('evt-1', [{ status: 'early' }, { status: 'early' }, DONE]);
    expect(await redrive.redrive(id, 'anna')).toEqual({ status: 'redriven', followed: 0 });
  });

  it('does not handle what cannot be read, nor what is kept only in part', async () => {
    await letters.park(letter(1, {}, 'rubbish'));
    await letters.park(letter(2, { key: null, code: 'TOO_LARGE', reason: 'too large' }));
    const [large, rubbish] = await newest();
    expect(await redrive.redrive(rubbish?.id ?? '', 'anna')).toMatchObject({ status: 'parked', code: 'NOT_JSON' });
    expect(await redrive.redrive(large?.id ?? '', 'anna')).toMatchObject({ status: 'parked', code: 'TOO_LARGE' });
    expect(handling.handled).toEqual([]);
  });

  it('lets the next follow when one is dropped', async () => {
    const id = await line(2);
    expect(await redrive.drop((await letters.get(id)) as DeadLetter, 'anna')).toBe(true);
    expect(handling.handled).toEqual(['evt-2', 'evt-3']);
    expect(await statuses()).toEqual(['dropped', 'redriven', 'redriven']);
    expect(await redrive.drop((await letters.get(id)) as DeadLetter, 'anna')).toBe(false);
  });

  it('lets nothing more follow once it is stopped', async () => {
    const id = await line(3);
    await (await letters.claim(id, 'anna'))?.done();
    const handle = handling.handle.bind(handling);
    handling.handle = (message) => {
      void redrive.stop();
      return handle(message);
    };
    expect(await redrive.resume()).toBe(1);
    expect(handling.handled).toEqual(['evt-2']);
    expect(await statuses()).toEqual(['redriven', 'redriven', 'waiting', 'waiting']);
  });

  it('has each letter handled once, however many redrive it at the same time', async () => {
    const id = await line(5);
    const all = await Promise.all(Array.from({ length: 6 }, () => redrive.redrive(id, 'anna')));
    expect(all.filter(({ status }) => status === 'redriven')).toHaveLength(1);
    await Promise.all([redrive.resume(), redrive.resume()]);
    expect([...handling.handled].sort()).toEqual(['evt-1', 'evt-2', 'evt-3', 'evt-4', 'evt-5', 'evt-6']);
  });

  it('goes on with those that wait where somebody has left them', async () => {
    const id = await line(2);
    await (await letters.claim(id, 'anna'))?.done();
    expect(await redrive.resume()).toBe(2);
    expect(await redrive.resume()).toBe(0);
    expect(await statuses()).toEqual(['redriven', 'redriven', 'redriven']);
    expect((await newest()).map(({ changedBy }) => changedBy)).toEqual(['anna', 'anna', 'anna']);
  });
});
