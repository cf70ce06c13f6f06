/**
 * Kills the server again and again while tills sell, starts it at once on the same port and data, and then holds all
 * that was acknowledged against what is there: nothing lost, nothing double, the sums add up.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ServerProcess } from './server-process.ts';
import { type Acknowledged, HQ, PRODUCTS, STORES, Till } from './tills.ts';

export interface TortureOptions {
  kills: number;
  tills: number;
  onProgress: (text: string) => void;
  /** Other sources than the repository's own. */
  sources?: string;
}

export interface TortureReport {
  kills: number;
  acknowledged: number;
  repeats: number;
  reservations: number;
  findings: string[];
}

const ASKED_AT_ONCE = 64;
const FINDINGS_MAX = 20;

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
  mkdirSync(join(folder, 'data'));
  const server = await ServerProcess.create(join(folder, 'data'), options.sources);
  const findings: string[] = [];
  try {
    const till = new Till(server.url, server.command('token', '--role', 'admin', '--hq', HQ).trim());
    await server.start();
    await stock(till);
    await sellAndKill(server, till, options);
    options.onProgress(`${till.acknowledged.length} answers are asked for again`);
    await checkAnswers(till, findings);
    // A reservation that was lost cannot be asked for what it holds.
    if (findings.length === 0) await checkSums(till, findings);
    await server.stop();
    findings.push(...verify(server));
    const { acknowledged, repeats, reservations } = till;
    return {
      kills: options.kills,
      acknowledged: acknowledged.length,
      repeats,
      reservations: reservations.length,
      findings,
    };
  } finally {
    await server.kill();
    if (findings.length === 0) rmSync(folder, { recursive: true, force: true });
  }
}

async function stock(till: Till): Promise<void> {
  for (const storeId of STORES) await till.send('PUT', `/api/v1/admin/stores/${storeId}`, { name: storeId });
  for (const productId of PRODUCTS) {
    await till.send('PUT', `/api/v1/admin/products/${productId}`, { name: productId });
    for (const storeId of STORES) await till.receive(storeId, productId, 20);
  }
}

async function sellAndKill(
  server: ServerProcess,
  till: Till,
  { kills, tills, onProgress }: TortureOptions,
): Promise<void> {
  let failure: unknown = null;
  const selling = Array.from({ length: tills }, () =>
    till.run().catch((error: unknown) => {
      failure ??= error;
      till.stopped = true;
    }),
  );
  for (let kill = 1; kill <= kills && failure === null; kill += 1) {
    await delay(50 + Math.random() * 900);
    await server.kill();
    await server.start();
    onProgress(`${kill} of ${kills} kills, ${till.acknowledged.length} acknowledged, ${till.repeats} repeated`);
  }
  till.stopped = true;
  await Promise.all(selling);
  if (failure !== null) throw failure;
}

/** Every acknowledged answer is given again, byte for byte. */
async function checkAnswers(till: Till, findings: string[]): Promise<void> {
  const waiting = [...till.acknowledged];
  const ask = async ({ operationId, method, path, body, answer }: Acknowledged) => {
    const again = await till.send(method, path, body);
    const same = again?.status === answer.status && again.text === answer.text && again.replayed;
    if (same || findings.length >= FINDINGS_MAX) return;
    findings.push(`${operationId} was answered ${answer.status} ${answer.text}, now ${again?.status} ${again?.text}`);
  };
  const asking = Array.from({ length: ASKED_AT_ONCE }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await ask(next);
  });
  await Promise.all(asking);
}

/** On hand is what was received less what was confirmed; reserved is what open reservations hold. */
async function checkSums(till: Till, findings: string[]): Promise<void> {
  const sold = new Map<string, number>();
  const held = new Map<string, number>();
  const waiting = [...till.reservations];
  const read = async (reservationId: string) => {
    for (const item of (await till.reservation(reservationId)).items) {
      const key = `${item.storeId}/${item.productId}`;
      sold.set(item.productId, (sold.get(item.productId) ?? 0) + item.confirmed);
      held.set(key, (held.get(key) ?? 0) + item.reserved - item.confirmed - item.released);
    }
  };
  await quiet(till);
  const reading = Array.from({ length: ASKED_AT_ONCE }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await read(next);
  });
  await Promise.all(reading);
  for (const productId of PRODUCTS) await checkProduct(till, productId, { sold, held }, findings);
}

/** Until no reservation is open: the last of them ends after some seconds. */
async function quiet(till: Till): Promise<void> {
  const open = async () => {
    const last = till.reservations.slice(-500);
    const views = await Promise.all(last.map((id) => till.reservation(id)));
    return views.some(({ status }) => status === 'active' || status === 'partly_confirmed');
  };
  for (let waits = 0; waits < 20 && (await open()); waits += 1) await delay(1_000);
}

async function checkProduct(
  till: Till,
  productId: string,
  { sold, held }: { sold: ReadonlyMap<string, number>; held: ReadonlyMap<string, number> },
  findings: string[],
): Promise<void> {
  let onHand = 0;
  for (const storeId of STORES) {
    const level = JSON.parse(await till.get(`/api/v1/stores/${storeId}/products/${productId}/stock`)) as {
      storeStock: number;
      reservedStock: number;
    };
    onHand += level.storeStock;
    const expected = held.get(`${storeId}/${productId}`) ?? 0;
    if (level.reservedStock !== expected) {
      findings.push(`${storeId}/${productId} has ${level.reservedStock} reserved, its reservations hold ${expected}`);
    }
  }
  const expected = (till.received.get(productId) ?? 0) - (sold.get(productId) ?? 0);
  if (onHand !== expected) findings.push(`${productId} has ${onHand} on hand, received less sold is ${expected}`);
}

function verify(server: ServerProcess): string[] {
  try {
    server.command('verify');
    return [];
  } catch (error) {
    return [`holdfast verify: ${(error as { stdout?: string }).stdout ?? String(error)}`];
  }
}
