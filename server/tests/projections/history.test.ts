import { afterAll, beforeAll, expect, it } from 'vitest';
import { InvalidCursor } from '../../src/events/event-feed.ts';
import type { LevelRow, MovementRow, Page } from '../../src/projections/history-reads.ts';
import { reservationIdOfOrder } from '../../src/stock/identifiers.ts';
import { HQ, type Installation, MINUTE, PARTITION, UNSET } from './installation.ts';
import { describeInstallations } from './installations.ts';

const ALL = { hqId: HQ, cursor: null, limit: 100 };
const STORE_A = 'STORE-A';
const STORE_B = 'STORE-B';

async function allPages<T>(read: (cursor: string | null) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await read(cursor);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

const quantities = ({ storeId, productId, onHand, reserved }: LevelRow) =>
  `${storeId}/${productId} ${onHand} ${reserved}`;
const brief = ({ changeReason, storeId, productId, onHandChange, reservedChange }: MovementRow) =>
  `${changeReason} ${storeId}/${productId} ${onHandChange} ${reservedChange}`;

describeInstallations('history', (start) => {
  let holdfast: Installation;
  let opened = 0;
  let soldId = '';
  let expiredId = '';

  beforeAll(async () => {
    holdfast = await start();
    await holdfast.stock([STORE_A, STORE_B], ['P1', 'P2']);
    opened = holdfast.nowMs;
    holdfast.nowMs += MINUTE;
    soldId = await holdfast.reserve([
      { storeId: STORE_A, productId: 'P1', quantity: 3 },
      { storeId: STORE_B, productId: 'P1', quantity: 2 },
    ]);
    expiredId = await holdfast.reserve([{ storeId: STORE_B, productId: 'P2', quantity: 1 }], { ttlMs: 1_000 });
    holdfast.nowMs += MINUTE;
    await holdfast.expire();
    await holdfast.entry(
      {
        type: 'confirm',
        reservationId: soldId,
        orderId: 'ORDER-7',
        items: [{ storeId: STORE_A, productId: 'P1', quantity: 3 }],
        keepRest: false,
      },
      { operationId: 'confirm-7', subject: 'till-9' },
    );
    await holdfast.entry({
      type: 'transfer',
      fromStoreId: STORE_A,
      toStoreId: STORE_B,
      reason: 'balance',
      items: [{ storeId: STORE_A, productId: 'P2', quantity: 40 }],
    });
  });

  afterAll(() => holdfast.dispose());

  it('shows levels in the order of store and product, to whoever was answered', async () => {
    const { items, nextCursor } = await holdfast.history.levels(ALL);
    expect(items.map(quantities)).toEqual([
      'STORE-A/P1 97 0',
      'STORE-A/P2 60 0',
      'STORE-B/P1 100 0',
      'STORE-B/P2 140 0',
    ]);
    expect(nextCursor).toBeNull();
    expect(items[0]).toMatchObject({
      hqId: HQ,
      safetyStock: 0,
      lowThreshold: null,
      version: 3,
      updatedAt: holdfast.nowMs,
    });
  });

  it.each([
    [{}, 4],
    [{ storeId: STORE_A }, 2],
    [{ productId: 'P1' }, 2],
    [{ storeId: STORE_B, productId: 'P2' }, 1],
    [{ storeId: 'NOWHERE' }, 0],
    [{ hqId: 'HQ-OTHER' }, 0],
  ])('pages levels of %j one by one', async (filter, count) => {
    const whole = await holdfast.history.levels({ ...ALL, ...filter });
    const single = await allPages((cursor) => holdfast.history.levels({ ...ALL, ...filter, cursor, limit: 1 }));
    expect(whole.items).toHaveLength(count);
    expect(single).toEqual(whole.items);
  });

  it('shows levels as they were', async () => {
    const { items } = await holdfast.history.levels({ ...ALL, asOf: opened + MINUTE });
    expect(items.map(quantities)).toEqual([
      'STORE-A/P1 100 3',
      'STORE-A/P2 100 0',
      'STORE-B/P1 100 2',
      'STORE-B/P2 100 1',
    ]);
    expect(items[0]).toMatchObject({ version: 2, updatedAt: opened + MINUTE });
    expect((await holdfast.history.levels({ ...ALL, asOf: opened - 1 })).items).toEqual([]);
  });

  it('shows movements newest first, with their cause', async () => {
    const { items } = await holdfast.history.movements(ALL);
    expect(items.map(brief)).toEqual([
      'TRANSFER STORE-B/P2 40 0',
      'TRANSFER STORE-A/P2 -40 0',
      'RELEASED STORE-B/P1 0 -2',
      'SALE STORE-A/P1 -3 -3',
      'EXPIRED STORE-B/P2 0 -1',
      'RESERVED STORE-B/P2 0 1',
      'RESERVED STORE-B/P1 0 2',
      'RESERVED STORE-A/P1 0 3',
      'RECEIPT STORE-B/P2 100 0',
      'RECEIPT STORE-B/P1 100 0',
      'RECEIPT STORE-A/P2 100 0',
      'RECEIPT STORE-A/P1 100 0',
    ]);
    const sale = items[3];
    expect(sale).toMatchObject({
      movementId: expect.stringMatching(new RegExp(`^mov_${PARTITION}_\\d+_0$`)),
      type: 'confirm',
      onHand: 97,
      reserved: 0,
      referenceId: 'ORDER-7',
      reservationId: soldId,
      actor: { subject: 'till-9', role: 'admin' },
      correction: false,
    });
    expect(items[0]).toMatchObject({ reason: 'balance', reservationId: null });
    expect(items[4]).toMatchObject({ referenceId: expiredId, reservationId: expiredId });
  });

  it.each([
    [{}, 12],
    [{ storeId: STORE_A }, 5],
    [{ productId: 'P1' }, 6],
    [{ storeId: STORE_B, productId: 'P2' }, 4],
    [{ referenceId: 'ORDER-7' }, 2],
    [{ referenceId: 'ORDER-7', storeId: STORE_B }, 1],
    [{ referenceId: 'DELIVERY-1' }, 4],
    [{ referenceId: 'confirm-7' }, 0],
    [{ storeId: 'NOWHERE' }, 0],
  ])('pages movements of %j one by one', async (filter, count) => {
    const whole = await holdfast.history.movements({ ...ALL, ...filter });
    const single = await allPages((cursor) => holdfast.history.movements({ ...ALL, ...filter, cursor, limit: 1 }));
    expect(whole.items).toHaveLength(count);
    expect(single).toEqual(whole.items);
  });

  it('finds movements by the reservation that expired, and by the operation id of a reservation', async () => {
    expect((await holdfast.history.movements({ ...ALL, referenceId: expiredId })).items.map(brief)).toEqual([
      'EXPIRED STORE-B/P2 0 -1',
    ]);
    const [reserved] = (await holdfast.history.movements({ ...ALL, storeId: STORE_A, productId: 'P1' })).items.slice(1);
    const found = await holdfast.history.movements({ ...ALL, referenceId: reserved?.referenceId ?? '' });
    expect(found.items.map(brief)).toEqual(['RESERVED STORE-B/P1 0 2', 'RESERVED STORE-A/P1 0 3']);
  });

  it.each([[{}], [{ storeId: STORE_B }]])('bounds movements of %j by time, both ends included', async (filter) => {
    const at = opened + MINUTE;
    const { items } = await holdfast.history.movements({ ...ALL, ...filter, from: at, to: at });
    expect(new Set(items.map((row) => row.changeReason))).toEqual(new Set(['RESERVED']));
    expect((await holdfast.history.movements({ ...ALL, ...filter, from: at + 1, to: at + 2 })).items).toEqual([]);
  });

  it('shows who did what, with the hash of the entry', async () => {
    const { items } = await holdfast.history.audit({ ...ALL, actor: 'till-9' });
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      type: 'confirm',
      operationId: 'confirm-7',
      outcome: 'confirmed',
      actor: { subject: 'till-9' },
      changes: [
        { storeId: STORE_A, productId: 'P1', before: { onHand: 100, reserved: 3 }, after: { onHand: 97, reserved: 0 } },
        {
          storeId: STORE_B,
          productId: 'P1',
          before: { onHand: 100, reserved: 2 },
          after: { onHand: 100, reserved: 0 },
        },
      ],
    });
    const [stored] = await holdfast.running.ledger.entries(PARTITION, (items[0]?.seq ?? 0) - 1, 1);
    expect(items[0]?.hash).toBe(stored?.hash);
  });

  it('pages the audit newest first, of everybody and of one', async () => {
    const whole = (await holdfast.history.audit(ALL)).items;
    expect(whole.map(({ type }) => type)).toEqual([
      'transfer',
      'confirm',
      'expire',
      'reserve',
      'reserve',
      'receive',
      'configure-product',
      'configure-product',
      'configure-store',
      'configure-store',
    ]);
    expect(await allPages((cursor) => holdfast.history.audit({ ...ALL, cursor, limit: 3 }))).toEqual(whole);
    const own = await allPages((cursor) => holdfast.history.audit({ ...ALL, actor: 'tests', cursor, limit: 1 }));
    expect(own.map(({ seq }) => seq)).toEqual(
      whole.filter(({ actor }) => actor.subject === 'tests').map(({ seq }) => seq),
    );
    expect((await holdfast.history.audit({ ...ALL, actor: 'nobody' })).items).toEqual([]);
    expect((await holdfast.history.audit({ ...ALL, from: opened + 1, to: opened + MINUTE })).items).toHaveLength(2);
  });

  it('tells a reservation long after it is closed', async () => {
    expect(await holdfast.history.reservation(soldId)).toMatchObject({
      hqId: HQ,
      hold: {
        reservationId: soldId,
        status: 'confirmed',
        orderId: 'ORDER-7',
        items: [
          { confirmed: 3, released: 0 },
          { confirmed: 0, released: 2 },
        ],
      },
    });
    expect((await holdfast.history.reservation(expiredId))?.hold.status).toBe('expired');
    const openId = await holdfast.reserve([{ storeId: STORE_A, productId: 'P1', quantity: 1 }]);
    expect((await holdfast.history.reservation(openId))?.hold.status).toBe('active');
    await holdfast.entry({ type: 'release', reservationId: openId });
    expect((await holdfast.history.reservation(openId))?.hold.status).toBe('released');
    expect(await holdfast.history.reservation(`rsv_${PARTITION}_${'0'.repeat(24)}`)).toBeNull();
    expect(await holdfast.history.reservation('anything')).toBeNull();
  });

  it('keeps two reservations apart whose ids begin alike', async () => {
    const alike = ['000000000001', '000000000002'].map((end) => `rsv_${PARTITION}_abcdefabcdef${end}`);
    for (const reservationId of alike) {
      await holdfast.entry({
        type: 'reserve',
        reservationId,
        storeId: STORE_A,
        transactionId: reservationId,
        ttlMs: 60_000,
        items: [{ storeId: STORE_A, productId: 'P1', quantity: 1 }],
      });
    }
    await holdfast.entry({ type: 'release', reservationId: alike[0] ?? '' });
    expect((await holdfast.history.reservation(alike[0] ?? ''))?.hold.status).toBe('released');
    expect((await holdfast.history.reservation(alike[1] ?? ''))?.hold.status).toBe('active');
    await holdfast.entry({ type: 'release', reservationId: alike[1] ?? '' });
    expect((await holdfast.history.reservation(alike[1] ?? ''))?.hold.transactionId).toBe(alike[1]);
  });

  it('finds the reservation that was sold for an order, not the one that the event of the order made', async () => {
    const { history } = holdfast;
    const line = { storeId: STORE_A, productId: 'P1', quantity: 1 };
    const confirmed = async (orderId: string, reservationId: string) => {
      await holdfast.entry({ type: 'confirm', reservationId, orderId, keepRest: true });
      return reservationId;
    };
    expect(await history.reservationOfOrder(HQ, 'ORDER-7')).toMatchObject({
      reservationId: soldId,
      status: 'confirmed',
    });
    expect(await history.reservationOfOrder('HQ-OTHER', 'ORDER-7')).toBeNull();
    expect(await history.reservationOfOrder(HQ, 'DELIVERY-1')).toBeNull();

    const older = await confirmed('ORDER-8', await holdfast.reserve([line]));
    expect((await history.reservationOfOrder(HQ, 'ORDER-8'))?.reservationId).toBe(older);
    const newer = await confirmed('ORDER-8', await holdfast.reserve([line]));
    expect((await history.reservationOfOrder(HQ, 'ORDER-8'))?.reservationId).toBe(newer);
    const made = reservationIdOfOrder(HQ, 'ORDER-8');
    const reserve = { type: 'reserve', storeId: STORE_A, transactionId: 'ORDER-8', orderId: 'ORDER-8' } as const;
    await holdfast.entry({ ...reserve, reservationId: made, ttlMs: MINUTE, items: [line] });
    await confirmed('ORDER-8', made);
    await holdfast.entry({ type: 'receive', items: [line], reference: 'ORDER-8' });

    const asked = ['ORDER-8', 'ORDER-7', 'ORDER-8', 'ORDER-NONE'];
    const found = await Promise.all(asked.map((orderId) => history.reservationOfOrder(HQ, orderId)));
    expect(found.map((hold) => hold?.reservationId)).toEqual([newer, soldId, newer, undefined]);
  });

  it.each([
    'x',
    '',
    'WyJsZXZlbHMiXQ',
    Buffer.from('["movements",1,-1]').toString('base64url'),
    Buffer.from('["audit",1]').toString('base64url'),
  ])('refuses the cursor "%s"', async (cursor) => {
    await expect(holdfast.history.movements({ ...ALL, cursor })).rejects.toThrow(InvalidCursor);
  });
});

describeInstallations('settings', (start) => {
  let holdfast: Installation;
  beforeAll(async () => {
    holdfast = await start();
    await holdfast.stock([STORE_A, STORE_B], ['P1', 'P2']);
  });
  afterAll(() => holdfast.dispose());

  it('apply to levels as they were set then', async () => {
    const before = holdfast.nowMs;
    holdfast.nowMs += MINUTE;
    await holdfast.entry({
      type: 'configure-store',
      storeId: STORE_A,
      settings: { safetyStock: null, lowThreshold: 3 },
    });
    await holdfast.entry({
      type: 'configure-product',
      productId: 'P1',
      settings: { safetyStock: 5, lowThreshold: 10 },
    });
    await holdfast.entry({
      type: 'configure-level',
      storeId: STORE_A,
      productId: 'P1',
      settings: { safetyStock: 7, lowThreshold: null },
    });
    const set = holdfast.nowMs;
    holdfast.nowMs += MINUTE;
    await holdfast.entry({ type: 'configure-level', storeId: STORE_A, productId: 'P1', settings: UNSET });

    const effective = async (asOf?: number) =>
      (await holdfast.history.levels(asOf === undefined ? ALL : { ...ALL, asOf })).items.map(
        ({ storeId, productId, safetyStock, lowThreshold }) => `${storeId}/${productId} ${safetyStock} ${lowThreshold}`,
      );
    expect(await effective()).toEqual(['STORE-A/P1 5 10', 'STORE-A/P2 0 3', 'STORE-B/P1 5 10', 'STORE-B/P2 0 null']);
    expect(await effective(set)).toEqual(['STORE-A/P1 7 10', 'STORE-A/P2 0 3', 'STORE-B/P1 5 10', 'STORE-B/P2 0 null']);
    expect(await effective(before)).toEqual([
      'STORE-A/P1 0 null',
      'STORE-A/P2 0 null',
      'STORE-B/P1 0 null',
      'STORE-B/P2 0 null',
    ]);
  });

  it('tell which levels are low, page by page', async () => {
    await holdfast.entry({
      type: 'issue',
      items: [
        { storeId: STORE_A, productId: 'P1', quantity: 85 },
        { storeId: STORE_A, productId: 'P2', quantity: 97 },
      ],
    });
    const low = { ...ALL, lowStock: true };
    const { items } = await holdfast.history.levels(low);
    expect(items.map(quantities)).toEqual(['STORE-A/P1 15 0', 'STORE-A/P2 3 0']);
    expect(await allPages((cursor) => holdfast.history.levels({ ...low, cursor, limit: 1 }))).toEqual(items);
  });
});

describeInstallations('a stock-take', (start) => {
  let holdfast: Installation;
  beforeAll(async () => {
    holdfast = await start();
    await holdfast.stock([STORE_A], ['P1']);
  });
  afterAll(() => holdfast.dispose());

  const key = { storeId: STORE_A, productId: 'P1' };
  const then = async (at: number) => (await holdfast.history.onHandAt(HQ, [key], at))[0];
  const sell = (quantity: number) => holdfast.entry({ type: 'issue', items: [{ ...key, quantity }] });

  it('sees what was on hand then: later counts of it, no later sales', async () => {
    const opening = holdfast.nowMs;
    holdfast.nowMs += MINUTE;
    await sell(10);
    const counted = holdfast.nowMs;
    holdfast.nowMs += MINUTE;
    await sell(20);
    expect(await then(opening)).toEqual({ ...key, onHand: 100, lastCount: null });
    expect(await then(counted)).toEqual({ ...key, onHand: 90, lastCount: null });

    // Counted 88 at an instant when 90 were thought to be there; booked a minute later.
    const booked = await holdfast.entry({
      type: 'count',
      countedAt: counted,
      reason: 'stock-take',
      items: [{ ...key, counted: 88, onHandThen: 90, basedOn: null }],
    });
    const lastCount = { countedAt: counted, seq: booked.seq };
    expect(await then(counted)).toEqual({ ...key, onHand: 88, lastCount });
    expect(await then(opening)).toEqual({ ...key, onHand: 100, lastCount });
    expect(await then(holdfast.nowMs)).toEqual({ ...key, onHand: 68, lastCount });
    expect(await holdfast.history.onHandAt(HQ, [{ storeId: STORE_A, productId: 'NEVER' }], counted)).toEqual([
      { storeId: STORE_A, productId: 'NEVER', onHand: 0, lastCount: null },
    ]);
  });
});
