/** A process that dies in the middle of redriving: `kill -9` while several letters are at different stages of it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { sqliteLetterStore } from '../../src/ordering/letters/sqlite/sqlite-letter-store.ts';
import { StoredDeadLetters } from '../../src/ordering/letters/stored-dead-letters.ts';
import type { ConsumedMessage } from '../../src/ordering/messages/message.ts';
import { until } from '../support/servers/until.ts';
import { newFolder, ServerProcess } from './support/server-process.ts';

const PATH = '/api/v1/admin/dead-letters';
const ORDERS = 72;
const AT_ONCE = 24;
/** On a machine that does much else. */
const START_MS_MAX = 60_000;
const LEASE_MS = 30_000;
/** Of the leases of a process that was killed: so much time is taken to have passed. */
const LEASE_LEFT_MS = 3_000;
/** A kill that caught no letter between its effect and its mark is done again; nearly every one catches some. */
const KILLS_MAX = 3;

const folder = newFolder();
const file = join(folder, 'ledger.db');
const started: ServerProcess[] = [];
afterAll(async () => {
  await Promise.all(started.map(killed));
  rmSync(folder, { recursive: true, force: true });
});

/** Each order twice: one is parked, its repetition waits behind it. */
async function fill(): Promise<void> {
  const ledger = await SqliteLedger.open(file);
  const letters = new StoredDeadLetters({ store: sqliteLetterStore(ledger.threads), now: Date.now });
  for (let offset = 0; offset < ORDERS * 2; offset += 1) {
    const orderId = `ORD-${offset % ORDERS}`;
    const data = { orderId, hqId: 'HQ001', storeId: 'STORE001', items: [{ productId: 'PRD001', quantity: 1 }] };
    const value = Buffer.from(JSON.stringify({ eventId: `e${offset}`, eventType: 'order.placed', data }));
    const place = {
      topic: 'order.placed',
      partition: 0,
      offset: BigInt(offset),
      at: 1_700_000_000_000 + offset,
    } as const;
    const message: ConsumedMessage = { ...place, key: orderId, headers: new Map(), value };
    const ids = { key: orderId, hqId: 'HQ001', orderId, eventId: `e${offset}` };
    const letter = { message, ...ids, reason: 'There is no product PRD001.', attempts: 1 };
    if (offset < ORDERS) await letters.park({ ...letter, code: 'UNKNOWN_PRODUCT' });
    else await letters.queueBehind({ ...letter, code: 'BEHIND_A_PARKED_ONE' });
  }
  await ledger.close();
}

/** In the file itself, while nobody has it open. */
function onFile<T>(sql: string): T[] {
  const database = new DatabaseSync(file);
  try {
    return database.prepare(sql).all() as T[];
  } finally {
    database.close();
  }
}

const idsOf = (condition: string) =>
  onFile<{ id: number }>(`select id from dead_letters where ${condition} order by id`).map(({ id }) => `ltr_${id}`);

async function reserved(server: ServerProcess): Promise<number> {
  const response = await server.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock');
  return ((await response.json()) as { reservedStock: number }).reservedStock;
}

/** Redrives all of these at once, and kills the process as soon as one of them has its effect. */
async function killAtTheFirstEffect(server: ServerProcess, ids: string[]): Promise<void> {
  const token = await server.token('admin');
  const database = new DatabaseSync(file, { readOnly: true });
  const reservations = database.prepare("select count(*) as made from entries where type = 'reserve'");
  const effects = () => (reservations.get() as { made: number }).made;
  const before = effects();
  const asked = ids.map((id) => server.ask('POST', `${PATH}/${id}/redrive`, undefined, token).catch(() => null));
  const giveUpAt = Date.now() + START_MS_MAX;
  while (effects() === before && Date.now() < giveUpAt) await delay(1);
  database.close();
  await killed(server);
  await Promise.all(asked);
}

async function served(): Promise<ServerProcess> {
  const server = await ServerProcess.start(folder);
  started.push(server);
  await until('the server is ready', START_MS_MAX, async () => (await server.readiness()) === 200);
  return server;
}

async function killed(server: ServerProcess): Promise<void> {
  server.child.kill('SIGKILL');
  await server.ended;
}

/** Kills until a letter has its effect and no mark. @returns such letters, their lease nearly over */
async function killedBetweenEffectAndMark(): Promise<string[]> {
  for (let kill = 1; kill <= KILLS_MAX; kill += 1) {
    const parked = idsOf("status = 'parked' and claim is null").slice(0, AT_ONCE);
    const server = await served();
    if (kill === 1) await server.stockUp();
    await killAtTheFirstEffect(server, parked);
    onFile(
      `update dead_letters set claimed_until = claimed_until - ${LEASE_MS - LEASE_LEFT_MS} where claim is not null`,
    );
    const unmarked = idsOf(`status = 'parked' and claim is not null
      and exists (select 1 from entries where operation_id = 'order/placed/' || order_id)`);
    if (unmarked.length > 0) return unmarked;
  }
  throw new Error(`none of ${KILLS_MAX} kills came between an effect and its mark`);
}

/** Whoever else has it claimed has so long to end. @returns its status then */
async function redriven(server: ServerProcess, id: string): Promise<string> {
  for (const giveUpAt = Date.now() + LEASE_MS; ; await delay(200)) {
    const response = await server.ask('POST', `${PATH}/${id}/redrive`);
    const body = (await response.json()) as { code?: string; letter?: { status: string } };
    if (body.code !== 'DEAD_LETTER_BUSY' || Date.now() > giveUpAt) return body.letter?.status ?? JSON.stringify(body);
  }
}

it('gives every letter its one effect, and what waits behind it follows', { timeout: 240_000 }, async () => {
  await fill();
  const unmarked = await killedBetweenEffectAndMark();
  const parked = idsOf("status = 'parked'");
  expect(parked).toEqual(expect.arrayContaining(unmarked));
  const server = await served();
  const before = await reserved(server);
  for (const id of unmarked) expect(await redriven(server, id)).toBe('redriven');
  expect(await reserved(server), 'an effect that was there is not there twice').toBe(before);
  for (const id of parked.filter((each) => !unmarked.includes(each))) {
    expect(await redriven(server, id)).toBe('redriven');
  }
  // Some were marked, and nobody was left to let their followers follow.
  await until('what waits has followed', 60_000, async () => {
    const waiting = await server.ask('GET', `${PATH}?status=waiting`);
    return ((await waiting.json()) as { items: unknown[] }).items.length === 0;
  });
  expect(await reserved(server)).toBe(ORDERS);
  const { items } = (await (await server.ask('GET', `${PATH}?limit=500`)).json()) as { items: { status: string }[] };
  expect(items.map(({ status }) => status)).toEqual(Array.from({ length: ORDERS * 2 }, () => 'redriven'));
});
