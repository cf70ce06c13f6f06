import { type Installation, MINUTE, UNSET } from '../projections/installation.ts';

const STORE = 'STORE-A';
const item = { storeId: STORE, productId: 'P1' };

/** One of every command, a late confirmation, refusals and expiries among them. */
export async function everyCommand(holdfast: Installation): Promise<void> {
  await holdfast.entry({ type: 'receive', items: [{ storeId: 'HQ', productId: 'P1', quantity: 50 }] });
  await holdfast.entry({
    type: 'distribute',
    storeId: STORE,
    reason: 'r',
    items: [{ ...item, storeId: 'HQ', quantity: 20 }],
  });
  await holdfast.entry({
    type: 'transfer',
    fromStoreId: STORE,
    toStoreId: 'STORE-B',
    reason: 'r',
    items: [{ ...item, quantity: 5 }],
  });
  await holdfast.entry({ type: 'issue', items: [{ ...item, quantity: 2 }] });
  await holdfast.entry({ type: 'adjust', reason: 'found', items: [{ ...item, change: 3 }] });
  await holdfast.entry({
    type: 'count',
    countedAt: null,
    reason: 'r',
    items: [{ ...item, counted: 90, onHandThen: null, basedOn: null }],
  });
  await holdfast.entry({ type: 'configure-product', productId: 'P1', settings: { safetyStock: 2, lowThreshold: 8 } });
  await holdfast.entry({ type: 'configure-level', ...item, settings: { safetyStock: 4, lowThreshold: null } });
  await holdfast.entry({
    type: 'configure-product',
    productId: 'P1',
    settings: { safetyStock: 3, lowThreshold: null },
  });
  await holdfast.entry({ type: 'configure-level', ...item, settings: UNSET });
  await holdfast.entry({ type: 'configure-store', storeId: STORE, settings: { safetyStock: null, lowThreshold: 1 } });
  await holdfast.entry({ type: 'issue', items: [{ ...item, quantity: 1_000_000 }] });
  const ids = [];
  for (let index = 0; index < 6; index += 1)
    ids.push(
      await holdfast.reserve([
        { ...item, quantity: 2 },
        { storeId: 'STORE-B', productId: 'P2', quantity: 1 },
      ]),
    );
  const [whole = '', part = '', kept = '', released = '', late = ''] = ids;
  await holdfast.entry({ type: 'confirm', reservationId: whole, orderId: 'O-1', keepRest: false });
  await holdfast.entry({
    type: 'confirm',
    reservationId: part,
    orderId: 'O-2',
    keepRest: false,
    items: [{ ...item, quantity: 1 }],
  });
  await holdfast.entry({
    type: 'confirm',
    reservationId: kept,
    orderId: 'O-3',
    keepRest: true,
    items: [{ ...item, quantity: 1 }],
  });
  await holdfast.entry({ type: 'release', reservationId: released });
  await holdfast.entry({ type: 'extend', reservationId: kept, ttlMs: 60 * MINUTE });
  holdfast.nowMs += 10 * MINUTE;
  await holdfast.expire();
  await holdfast.entry({
    type: 'answer-order',
    event: 'placed',
    orderId: 'O-6',
    items: [{ ...item, quantity: 1 }],
    reason: 'CANCELLED',
  });
  await holdfast.entry({ type: 'confirm', reservationId: late, orderId: 'O-5', keepRest: false });
}
