/**
 * A till: reserve, take the money, say that it is paid.
 *
 *   npm run example:till -- [--cluster]
 *
 * The unit is held over HTTP, because the customer stands there; the sale is told by an event, which reaches Holdfast
 * also when the till or the network goes down in between. Exits with 1 when the stock is not what was sold.
 */
import { randomUUID } from 'node:crypto';
import { Client } from './client.ts';
import { type Holdfast, startHoldfast, wantsCluster } from './holdfast.ts';

const HQ = 'HQ001';
const STORE = 'SEOUL';
const PRODUCT = `TRAIN-${randomUUID().slice(0, 8)}`;
const OPENING_STOCK = 3;

/** What happens after the units are held. */
type Customer = { name: string; quantity: number; pays: 'once' | 'twice' | 'not' };

const CUSTOMERS: Customer[] = [
  { name: 'the first', quantity: 1, pays: 'once' },
  { name: 'one whose receipt is sent twice', quantity: 1, pays: 'twice' },
  { name: 'one who leaves', quantity: 1, pays: 'not' },
  { name: 'one who wants more than there is', quantity: 2, pays: 'once' },
  { name: 'the last', quantity: 1, pays: 'once' },
];

async function openStore(holdfast: Holdfast): Promise<void> {
  const office = new Client(holdfast.url, await holdfast.token('admin', HQ));
  await office.must('PUT', `/admin/stores/${STORE}`, { name: 'Seoul' });
  await office.must('PUT', `/admin/products/${PRODUCT}`, { name: 'Wooden train' });
  const opening = { transactionId: `open-${PRODUCT}`, storeId: STORE, quantity: OPENING_STOCK };
  await office.must('POST', `/admin/inventory/${PRODUCT}/add`, opening);
}

/** Returns the units that were sold. */
async function serve(till: Client, { name, quantity, pays }: Customer, orderId: string): Promise<number> {
  const reserve = { storeId: STORE, transactionId: orderId, items: [{ productId: PRODUCT, quantity }] };
  const held = await till.send('POST', '/inventory/reserve', reserve);
  if (held.status === 409) {
    const [line] = held.body.lines;
    console.log(`${name}: asks for ${quantity}, there is ${line.available}`);
    return 0;
  }
  if (held.status !== 201) throw new Error(`reserve: ${held.status} ${JSON.stringify(held.body)}`);
  const { reservationId } = held.body;
  if (pays === 'not') {
    await till.must('DELETE', `/inventory/reserve/${reservationId}`);
    console.log(`${name}: ${quantity} held, and given back`);
    return 0;
  }
  const receipt = { orderId, reservationId, hqId: HQ, storeId: STORE };
  for (const eventId of pays === 'twice' ? ['paid', 'paid-again'] : ['paid']) {
    await till.publish('order.completed', `${orderId}-${eventId}`, receipt);
  }
  const { data } = await till.heard(`the sale of ${orderId}`, (event) => {
    return event.type === 'stock.confirmed' && event.data.reservationId === reservationId;
  });
  const sold = (data.items ?? []).reduce((sum, item) => sum + item.quantity, 0);
  console.log(`${name}: ${quantity} held, paid${pays === 'twice' ? ' (told twice)' : ''}, ${sold} sold`);
  return sold;
}

async function main(): Promise<void> {
  const holdfast = await startHoldfast(wantsCluster('usage: npm run example:till -- [--cluster]'));
  await openStore(holdfast);
  const till = new Client(holdfast.url, await holdfast.token('service', HQ));
  await till.listen();
  let sold = 0;
  for (const [index, customer] of CUSTOMERS.entries()) sold += await serve(till, customer, `${PRODUCT}-${index}`);
  const { body } = await till.must('GET', `/stores/${STORE}/products/${PRODUCT}/stock`);
  till.close();
  await holdfast.stop();
  console.log(`opening stock ${OPENING_STOCK}, sold ${sold}, on hand ${body.storeStock}, held ${body.reservedStock}`);
  process.exitCode = body.storeStock === OPENING_STOCK - sold && body.reservedStock === 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  console.error(`till: ${(error as Error).message}`);
  process.exit(1);
});
