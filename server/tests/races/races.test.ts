/** Many at once, over the real ledger with its threads: what one wins the others must lose. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HQ, Shop, shuffled, statusOf } from './shop.ts';

const PRODUCTS = Array.from({ length: 100 }, (_, index) => `P${index}`);

describe('races', () => {
  let shop: Shop;

  beforeAll(async () => {
    shop = await Shop.open();
  });
  afterAll(() => shop.close());

  it('confirm against expire and against a rival, 10 000 times: one of them gets the unit', async () => {
    await Promise.all(PRODUCTS.map((productId) => shop.stock(productId, 1)));
    const seen = new Map<string, number>();
    for (let round = 0; round < 100; round += 1) {
      const held = PRODUCTS.map((productId) => ({ productId, ...shop.reserve(productId) }));
      for (const { execution } of held) expect(statusOf(await execution)).toBe('reserved');
      shop.pipeline.nowMs += round % 4 === 0 ? 59_999 : 60_000;
      const races = held.map(({ productId, reservationId }) => ({ productId, reservationId }));
      const ends = await Promise.all(races.map((race) => unitRace(shop, race)));
      for (const end of ends) seen.set(end, (seen.get(end) ?? 0) + 1);
      if (round % 4 === 0) expect(new Set(ends)).toEqual(new Set(['confirmed']));
    }
    // Each way of ending has come about, so the race was one.
    expect([...seen.keys()].sort()).toEqual(['confirmed', 'confirmed late', 'rival']);
    expect([...seen.values()].reduce((sum, count) => sum + count, 0)).toBe(10_000);
    expect(shop.pipeline.failures).toEqual([]);
  }, 60_000);

  it('200 buyers for 100 units, 100 times: 100 hold one, 100 are refused with a reason', async () => {
    for (let round = 0; round < 100; round += 1) {
      const productId = `hundred-${round}`;
      await shop.stock(productId, 100);
      const executions = await Promise.all(Array.from({ length: 200 }, () => shop.reserve(productId).execution));
      const statuses = executions.map(statusOf);
      expect(statuses.filter((status) => status === 'reserved')).toHaveLength(100);
      const refused = executions.flatMap((each) => (each.status === 'recorded' ? [each.entry.outcome] : []));
      expect(refused.filter((outcome) => outcome.status === 'insufficient')).toHaveLength(100);
      const line = { storeId: 'S1', productId, requested: 1, available: 0, hqAvailable: 0 };
      for (const outcome of refused) if (outcome.status === 'insufficient') expect(outcome.lines).toEqual([line]);
      expect(await shop.level(productId)).toEqual({ onHand: 100, reserved: 100 });
    }
  }, 60_000);

  it('10 000 operation ids × 8 at once: one effect each, and equal answers', async () => {
    await shop.stock('duplicated', 10_000);
    for (let chunk = 0; chunk < 20; chunk += 1) {
      const ids = Array.from({ length: 500 }, (_, index) => `dup-${chunk}-${index}`);
      const asked = shuffled(ids.flatMap((id) => Array.from({ length: 8 }, () => id)));
      const answers = await Promise.all(
        asked.map(async (id) => ({ id, answer: await shop.issue('duplicated', 1, id) })),
      );
      const first = new Map<string, string>();
      let fresh = 0;
      for (const { id, answer } of answers) {
        if (answer.status !== 'recorded') throw new Error(`${id} is answered ${answer.status}`);
        if (!answer.replayed) fresh += 1;
        const { epoch, seq, outcome } = answer.entry;
        const text = JSON.stringify([epoch, seq, outcome]);
        expect(text).toBe(first.get(id) ?? text);
        first.set(id, text);
      }
      expect(fresh).toBe(500);
    }
    expect(await shop.level('duplicated')).toEqual({ onHand: 0, reserved: 0 });
    const entries = await shop.pipeline.entries(HQ);
    expect(entries.filter(({ operationId }) => operationId?.startsWith('dup-'))).toHaveLength(10_000);
  }, 60_000);

  it('receipts and sales at once: what is on hand is receipts less sales, never below zero', async () => {
    await shop.stock('busy', 0);
    let lowest = 0;
    const work = shuffled(Array.from({ length: 6_000 }, (_, index) => index % 3));
    const executions = await Promise.all(
      work.map(async (kind) => {
        const execution = await (kind === 0 ? shop.receive('busy', 2) : shop.issue('busy', 1));
        lowest = Math.min(lowest, (await shop.level('busy')).onHand);
        return execution;
      }),
    );
    const sold = executions.filter((execution, index) => work[index] !== 0 && statusOf(execution) === 'done').length;
    const refused = executions.filter((execution) => statusOf(execution) === 'insufficient').length;
    expect(sold + refused).toBe(4_000);
    expect(lowest).toBe(0);
    expect((await shop.level('busy')).onHand).toBe(2 * 2_000 - sold);
  }, 60_000);

  it('reads between writes: a read after an acknowledgement sees it, in the engine and in the ledger', async () => {
    await shop.stock('read', 1);
    for (let write = 1; write <= 1_000; write += 1) {
      const execution = await shop.receive('read', 1);
      if (execution.status !== 'recorded') throw new Error(execution.status);
      expect((await shop.level('read')).onHand).toBe(1 + write);
      const { partition, seq } = execution.entry;
      expect((await shop.pipeline.ledger.entry(partition, seq))?.operationId).toBe(execution.entry.operationId);
    }
  }, 60_000);
});

/** Who got the one unit of a product whose hold is at its end: its confirmation, or somebody else. */
async function unitRace(
  shop: Shop,
  { productId, reservationId }: { productId: string; reservationId: string },
): Promise<string> {
  const rival = { reservationId: '', status: '' };
  let confirmed = '';
  const steps = shuffled([
    async () => {
      const execution = await shop.confirm(reservationId);
      const late =
        execution.status === 'recorded' &&
        execution.entry.outcome.status === 'confirmed' &&
        execution.entry.outcome.late;
      confirmed = `${statusOf(execution)}${late ? ' late' : ''}`;
    },
    async () => {
      await shop.pipeline.engine.expireDue();
    },
    async () => {
      const reserve = shop.reserve(productId);
      rival.reservationId = reserve.reservationId;
      rival.status = statusOf(await reserve.execution);
    },
  ]);
  await Promise.all(steps.map((step) => step()));
  const won = confirmed.startsWith('confirmed');
  expect([won, rival.status]).toEqual(won ? [true, 'insufficient'] : [false, 'reserved']);
  expect(await shop.level(productId)).toEqual(won ? { onHand: 0, reserved: 0 } : { onHand: 1, reserved: 1 });
  if (won) await shop.receive(productId, 1);
  else await shop.ask({ type: 'release', reservationId: rival.reservationId });
  return won ? confirmed : 'rival';
}
