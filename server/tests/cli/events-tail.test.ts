/** `holdfast events tail` against a real server: what it prints, how it goes on, how it ends. */
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writtenEvent } from '../../src/cli/event-line.ts';
import type { StockEvent } from '../../src/events/event-feed.ts';
import { holdfast, newFolder, ServerProcess } from '../http/support/server-process.ts';
import { until } from '../support/servers/until.ts';
import { hasLines, startTailing, type Tailing } from './support/tailing.ts';

const SECOND = 1_000;

let server: ServerProcess;
const tails: ChildProcess[] = [];

beforeAll(async () => {
  server = await ServerProcess.start();
  await server.ready();
  await server.stockUp();
}, 30 * SECOND);

afterAll(async () => {
  for (const child of tails) child.kill('SIGKILL');
  await server.dispose();
});

async function tail(...options: string[]): Promise<Tailing> {
  const tailing = await startTailing({ HOLDFAST_DATA: server.folder }, ...options);
  tails.push(tailing.child);
  return tailing;
}

it('prints a line for each event, and ends with Ctrl-C', async () => {
  const tailing = await tail('--topic', 'stock.reserved');
  await server.reserve('tailed-1');
  await hasLines(tailing, 1);
  expect(tailing.lines[0]).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}stock\.reserved +rsv_\S+ {2}HQ HQ001 {2}transaction tailed-1 {2}1 × PRD001 at STORE001$/,
  );
  tailing.child.kill('SIGINT');
  expect(await tailing.code).toBe(0);
}, 60_000);

it('goes on where it was when the server comes back', async () => {
  const tailing = await tail('--json', '--since', '1h', '--topic', 'stock.reserved');
  await server.reserve('before');
  const transactions = () => tailing.lines.map((line) => (JSON.parse(line) as StockEvent).data.transactionId as string);
  await until('the one before', 20 * SECOND, async () => transactions().includes('before'));
  const told = transactions().length;
  server.child.kill('SIGKILL');
  await server.ended;
  const folder = server.folder;
  server = await ServerProcess.start(folder);
  await server.ready();
  await server.reserve('after');
  await hasLines(tailing, told + 1);
  expect(transactions().slice(told)).toEqual(['after']);
  expect(tailing.notes()).toContain('trying again');
  tailing.child.kill('SIGTERM');
  expect(await tailing.code).toBe(0);
}, 60_000);

it('misses nothing of what happened while it was cut off, though it had told nothing before', async () => {
  const tailing = await tail('--json', '--topic', 'stock.reserved');
  server.child.kill('SIGKILL');
  await server.ended;
  server = await ServerProcess.start(server.folder);
  await server.ready();
  await server.reserve('cut-off');
  await hasLines(tailing, 1);
  expect(tailing.lines.map((line) => (JSON.parse(line) as StockEvent).data.transactionId)).toEqual(['cut-off']);
  tailing.child.kill('SIGTERM');
}, 60_000);

it.each([
  [
    ['--topic', 'order.placed'],
    2,
    /--topic is order\.placed, which comes over Kafka, and embedded mode has none: .*POST \/api\/v1\/events/,
  ],
  [['--topic', 'toString'], 2, /--topic is "toString", but it must be one of stock\..*order\.placed/],
  [['--since', '12'], 2, /--since is "12", but it must be how long ago/],
  [['--since', 'yesterday'], 2, /--since is "yesterday", but it must be how long ago/],
])('%j is wrong use', async (options, code, message) => {
  const ended = await holdfast(['events', 'tail', ...options], { HOLDFAST_DATA: server.folder });
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(message)]);
});

it('says so where no server runs', async () => {
  const ended = await holdfast(['events', 'tail'], { HOLDFAST_DATA: newFolder() });
  expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/No server runs .* start one/)]);
});

it('shows what matters of a change of stock', () => {
  const event = {
    type: 'stock.updated',
    time: '2026-11-21T10:00:00.000Z',
    subject: 'HQ001:STORE001:PRD001',
    data: {
      hqId: 'HQ001',
      stockLevels: { storeStock: { previous: 100, current: 98 } },
      changeAmount: -2,
      changeReason: 'SALE',
    },
  } as unknown as StockEvent;
  const line = writtenEvent(event, (_style, text) => text);
  expect(writtenEvent({ ...event, subject: '\u009b31m' }, (_style, text) => text)).toContain('  ?31m  ');
  expect(line).toMatch(/stock\.updated +HQ001:STORE001:PRD001 {2}-2 SALE \(100 → 98\)$/);
});
