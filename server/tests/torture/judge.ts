/** Holds what tills were told against what the server says now. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Acknowledged, PRODUCTS, STORES, type Till } from './tills.ts';

const ASKED_AT_ONCE = 64;
export const FINDINGS_MAX = 20;

/** Every acknowledged answer is given again, byte for byte. */
export async function checkAnswers(till: Till, findings: string[]): Promise<void> {
  const waiting = [...till.acknowledged];
  const ask = async ({ operationId, method, path, body, answer }: Acknowledged) => {
    const again = await till.persist(method, path, body);
    const same = again?.status === answer.status && again.text === answer.text && again.replayed;
    if (same || findings.length >= FINDINGS_MAX) return;
    findings.push(
      `${operationId} was answered ${answer.status} ${answer.text}, now ${again?.status ?? till.refusal} ${again?.text}`,
    );
  };
  const asking = Array.from({ length: ASKED_AT_ONCE }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await ask(next);
  });
  await Promise.all(asking);
}

/** On hand is what was received less what was confirmed; reserved is what open reservations hold. */
export async function checkSums(till: Till, findings: string[]): Promise<void> {
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
