/** Letters whose payload is encrypted, with real keys: who is shown it, and what a correction leaves in the table. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EventKeys } from '../../src/events/encryption/event-keys.ts';
import type { Handling, OrderHandling } from '../../src/ordering/handling/handling.ts';
import type { DeadLetter } from '../../src/ordering/letters/dead-letters.ts';
import { LetterDesk } from '../../src/ordering/letters/letter-desk.ts';
import { Redrive } from '../../src/ordering/letters/redrive.ts';
import type { OrderMessage } from '../../src/ordering/messages/message.ts';
import { valueOpener } from '../../src/ordering/messages/open-value.ts';
import { readMessage } from '../../src/ordering/messages/read-message.ts';
import { KeyFile } from '../events/encryption/keys.ts';
import { describeLetters, type LetterFixture } from './letter-adapters.ts';
import { GOOD, message, plain } from './messages.ts';

const TOPIC = 'order.completed';
const EVENT = { hqId: 'HQ001', topic: TOPIC, eventId: 'evt-1' } as const;
const sent = plain(TOPIC, GOOD[TOPIC]);
const meant = plain(TOPIC, { ...GOOD[TOPIC], reservationId: 'RES790' });
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const ANNA = { subject: 'anna', hqId: 'HQ001' };
const ROOT = { subject: 'root', hqId: null };
const log = { info: () => undefined, warn: () => undefined };

describeLetters('the desk of encrypted letters', (fresh) => {
  let fixture: LetterFixture;
  let file: KeyFile;
  let handled: OrderMessage[];
  beforeEach(async () => {
    fixture = await fresh();
    file = new KeyFile();
    file.add('one');
    handled = [];
  });
  afterEach(async () => {
    file.dispose();
    await fixture.close();
  });

  /** As a process has it that reads the key file now, and takes no plain messages from a broker. */
  function desk(keys: EventKeys | null = new EventKeys({ file: file.path, log })): LetterDesk {
    const open = valueOpener(keys, 'refused');
    const openPlain = valueOpener(keys, 'accepted');
    const handling: OrderHandling = {
      async handle(each): Promise<Handling> {
        handled.push(each);
        return { status: 'done', replayed: false };
      },
      giveUp: () => Promise.reject(new Error('nothing here is early')),
    };
    const { letters } = fixture;
    const redrive = new Redrive({ letters, read: (each) => readMessage(each, open), handling, log });
    const encrypt = keys === null ? null : keys.encrypt.bind(keys);
    return new LetterDesk({ letters, redrive, readPlain: (each) => readMessage(each, openPlain), open, encrypt });
  }

  /** Parked by a consumer that could read it. */
  async function parked(value = bytes(sent)): Promise<DeadLetter> {
    const sealed = new EventKeys({ file: file.path, log }).encrypt({ ...EVENT, value });
    const { hqId, eventId } = EVENT;
    const ids = { key: 'ORD123456', hqId, orderId: 'ORD123456', eventId };
    const arrived = message(TOPIC, sealed.value, { key: 'ORD123456', headers: sealed.headers });
    await fixture.letters.park({ message: arrived, ...ids, code: 'UNKNOWN_RESERVATION', reason: 'why', attempts: 1 });
    return newest();
  }

  async function newest(): Promise<DeadLetter> {
    const [letter] = (await fixture.letters.list({ hqId: null, cursor: null, limit: 1 })).items;
    return letter as DeadLetter;
  }

  const kept = (letter: DeadLetter) => Buffer.from(letter.message.value ?? '').toString('latin1');

  it('shows the payload to those who may see it, and keeps it encrypted', async () => {
    const letter = await parked();
    expect(kept(letter)).not.toContain('ORD123456');
    for (const hqId of [null, 'HQ001']) {
      expect(desk().shown(letter, hqId)).toMatchObject({ payload: sent, payloadForm: 'json' });
    }
    expect(desk().shown(letter, 'HQ002')).toMatchObject({ payload: null, payloadForm: 'hidden', headers: {} });
    expect(desk(null).shown(letter, null)).toMatchObject({ payload: null, payloadForm: 'encrypted' });
    file.add('two');
    expect(desk().shown(letter, null)).toMatchObject({ payload: sent });
    file.remove('one', 'two');
    expect(desk().shown(letter, null)).toMatchObject({ payload: null, payloadForm: 'encrypted' });
  });

  it('encrypts what is corrected, with the key of now, so that it is read and handled again', async () => {
    const letter = await parked();
    file.add('two');
    expect(await desk().correct(letter, bytes(meant), ANNA)).toEqual({ status: 'corrected' });
    const corrected = await newest();
    expect(kept(corrected)).not.toContain('RES790');
    expect(Object.fromEntries(corrected.message.headers)).toMatchObject({
      'holdfast-key-id': 'two',
      'holdfast-hq': 'HQ001',
      ce_id: 'evt-1',
    });
    file.remove('one', 'two');
    expect(desk().shown(corrected, 'HQ001')).toMatchObject({ payload: meant, payloadForm: 'json', corrected: true });
    expect(await desk().redrive(letter.id, 'anna')).toEqual({ status: 'redriven', followed: 0 });
    expect(handled.map(({ body }) => body)).toMatchObject([{ kind: 'completed', reservationId: 'RES790' }]);
  });

  it('lets what is not authentic be corrected, and not into another HQ', async () => {
    const letter = await parked();
    letter.message.headers = new Map([...letter.message.headers, ['holdfast-hq', 'HQ002']]);
    expect(desk().shown(letter, null)).toMatchObject({ payload: null, payloadForm: 'encrypted' });
    const foreign = bytes(plain(TOPIC, { ...GOOD[TOPIC], hqId: 'HQ002' }));
    expect(await desk().correct(letter, foreign, ANNA)).toEqual({ status: 'foreign-hq', hqId: 'HQ002' });
    expect(await desk().correct(letter, bytes(meant), ANNA)).toEqual({ status: 'corrected' });
    expect((await newest()).message.headers.get('holdfast-hq')).toBe('HQ001');
  });

  it('refuses a correction that is too large once it is encrypted', async () => {
    const letter = await parked();
    const padded = (length: number) => bytes({ ...meant, note: 'x'.repeat(length) });
    const most = 1_048_576 - padded(0).length;
    const refused = await desk().correct(letter, padded(most), ROOT);
    expect(refused).toMatchObject({
      status: 'unreadable',
      code: 'TOO_LARGE',
      reason: expect.stringContaining('1048604'),
    });
    expect(await desk().correct(letter, padded(most - 28), ROOT)).toEqual({ status: 'corrected' });
    expect(await desk().redrive(letter.id, 'anna')).toMatchObject({ status: 'redriven' });
  });
});
