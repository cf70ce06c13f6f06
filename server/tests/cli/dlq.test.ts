import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writtenLetters } from '../../src/cli/dlq.ts';
import { printableJson } from '../../src/cli/tables.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import type { ShownLetter } from '../../src/ordering/letters/letter-desk.ts';
import { sqliteLetterStore } from '../../src/ordering/letters/sqlite/sqlite-letter-store.ts';
import { StoredDeadLetters } from '../../src/ordering/letters/stored-dead-letters.ts';
import { holdfast, newFolder, ServerProcess } from '../http/support/server-process.ts';
import { letter } from '../ordering/letter-adapters.ts';

const folder = newFolder();
const here = { HOLDFAST_DATA: folder };
const dlq = (...args: string[]) => holdfast(['dlq', ...args], here);

/** Three that fail again, as no order is known here, one behind the first; two cancellations that succeed. */
beforeAll(async () => {
  const ledger = await SqliteLedger.open(join(folder, 'ledger.db'));
  const letters = new StoredDeadLetters({ store: sqliteLetterStore(ledger.threads), now: Date.now });
  await letters.park(letter(1, { reason: 'a \u001b[31mred\u001b[0m reason\nin two lines' }));
  await letters.queueBehind(letter(2));
  for (const offset of [3, 4]) {
    const cancelled = letter(offset, { key: `ORD${offset}` });
    const data = { orderId: `ORD${offset}`, hqId: 'HQ001' };
    const text = JSON.stringify({ eventId: `e${offset}`, eventType: 'order.cancelled', data });
    const value = new TextEncoder().encode(text);
    await letters.park({ ...cancelled, message: { ...cancelled.message, topic: 'order.cancelled', value } });
  }
  await ledger.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('holdfast dlq', { timeout: 180_000 }, () => {
  it('lists and shows on the data itself, and steers no terminal', async () => {
    const { code, stdout } = await dlq('list');
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^id +age +topic +key +status +attempts +changed +code +reason$/);
    expect(lines[1]).toMatch(/^ltr_4 +\d+ (s|min) +order\.cancelled +ORD4 +parked +3 +- +UNKNOWN_PRODUCT +There is no/);
    expect(lines[4]).toContain('a ?[31mred?[0m reason?in two lines');
    const shown = await dlq('show', 'ltr_4');
    expect(shown.stdout).toContain('"orderId": "ORD4"');
    expect(shown.stdout).toMatch(/^changedBy +-\nchangedAt +-$/m);
    const json = JSON.parse((await dlq('list', '--json', '--status', 'waiting')).stdout);
    expect(json).toMatchObject([{ id: 'ltr_2', status: 'waiting' }]);
  });

  it.each([
    [['show'], 'needs the id of a letter', 2],
    [['show', 'ltr_99'], 'There is no dead letter ltr_99', 1],
    [['drop', 'ltr_2'], 'waiting, not parked', 1],
    [['list', '--limit', 'x'], '--limit', 2],
    [['redrive', 'ltr_1', '--all'], 'not both', 2],
    [['nonsense'], 'Allowed choices are', 2],
  ])('%j is refused', async (args, why, code) => {
    const ended = await dlq(...args);
    expect(ended.stderr).toContain(why);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
  });

  it('redrives and drops through the running server', async () => {
    const server = await ServerProcess.start(folder);
    try {
      await server.ready();
      const one = await dlq('redrive', 'ltr_3');
      expect([one.code, one.stdout]).toEqual([0, 'ltr_3 has its effect.\n']);
      const again = await dlq('redrive', 'ltr_3');
      expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('409 DEAD_LETTER_NOT_PARKED')]);
      const all = await dlq('redrive', '--all');
      expect(all.code).toBe(1);
      expect(all.stdout).toContain('1 redriven, 0 that waited followed, 1 failed again.');
      expect(all.stdout).toContain('UNKNOWN_ENVELOPE');
      expect((await dlq('list')).stdout).toMatch(/^ltr_3 .* redriven +4 +\d+ s by command-line +/m);
      expect((await dlq('drop', 'ltr_1')).stdout).toBe('Dropped ltr_1.\n');
      const left = JSON.parse((await dlq('list', '--json', '--status', 'parked')).stdout);
      expect(left).toMatchObject([{ id: 'ltr_2' }]);
      expect((await dlq('show', 'ltr_1')).stdout).toMatch(/^changedBy +command-line\nchangedAt +\d{4}-/m);
      expect(server.stdout + server.stderr).toMatch(/"subject":"command-line".*dead letter dropped/);
    } finally {
      await server.dispose();
    }
  });
});

it('JSON is the same value, and steers no terminal', () => {
  const value = { name: 'a\u009b31m\u007f\u202eb', 주문: '👩‍👧' };
  const text = printableJson(value, 2);
  expect(text).not.toMatch(/[\u007f-\u009f]|\p{Bidi_Control}/u);
  expect(text).toContain('\\u009b31m\\u007f\\u202eb');
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toContain('👩‍👧');
});

it('says how old a letter is, and its last change', () => {
  const blank = { topic: 't', key: 'k', status: 'parked', attempts: 3, code: 'C', reason: 'r' };
  const at = (ms: number) => {
    const instant = new Date(ms).toISOString();
    return { id: 'ltr_1', receivedAt: instant, changedAt: instant, changedBy: 'anna', ...blank } as never;
  };
  const now = 1_700_000_000_000;
  const ages = [5_000, 300_000, 7_200_000, 172_800_000].map((ms) => {
    const cells = writtenLetters([at(now - ms) as ShownLetter], now).split(/\s{2,}|\n/);
    return [cells[10], cells[15]];
  });
  expect(ages).toEqual(['5 s', '5 min', '2 h', '2 d'].map((age) => [age, `${age} by anna`]));
});
